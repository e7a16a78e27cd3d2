"""The sections of the HTML report: one module each, from what a report holds."""
