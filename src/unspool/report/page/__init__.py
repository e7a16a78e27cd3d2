"""The report as one HTML page: what each part shows, and the pictures in it."""
