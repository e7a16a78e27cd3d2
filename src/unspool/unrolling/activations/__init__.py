"""Activations: what is deployed in place of Keras's functions."""
