"""Trained model -> trained model with sparse, clustered kernels, or trained for int8."""
