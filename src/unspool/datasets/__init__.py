"""Data sets that ship inside the package."""
