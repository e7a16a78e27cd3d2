"""Trained model -> deploy model, without loops -> float .tflite."""
