"""What becomes of each layer and function of a trained model: told by rules, or found by trying."""
