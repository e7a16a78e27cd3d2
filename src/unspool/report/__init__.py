"""One report object, several renderings: a table for the terminal, JSON for programs."""
