"""What helps against too large an error: tried, not guessed."""
