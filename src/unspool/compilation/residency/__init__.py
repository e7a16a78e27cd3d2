"""A compiled file -> one that keeps its weights in SRAM between inferences."""
