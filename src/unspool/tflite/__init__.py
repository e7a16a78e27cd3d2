"""The .tflite file: its bytes, its names, what it takes and gives, what TFLM's kernels allow."""
