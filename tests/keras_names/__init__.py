"""Every layer and every function that Keras exports, by its name, and what becomes of it."""
