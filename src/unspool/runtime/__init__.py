"""Run a .tflite with LiteRT, TFLM or the simulator, and measure what it computes."""
