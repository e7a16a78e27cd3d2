"""Float .tflite and samples -> ranges -> int8 .tflite."""
