"""One report object, several renderings: a table for the terminal, JSON, and a page to look at."""
