"""report.html and sweep.html."""
