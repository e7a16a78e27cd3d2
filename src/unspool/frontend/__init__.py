"""A model file -> a Keras model, and what that takes and gives."""
