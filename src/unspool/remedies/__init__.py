"""Remedies for too large an error, tried rather than guessed."""
