"""A sweep, rendered: a table for the terminal, JSON and CSV, a page."""
