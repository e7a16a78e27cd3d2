"""Units taken out: which axes of a graph are one, which units matter least, the smaller model."""
