"""One module per section of report.html."""
