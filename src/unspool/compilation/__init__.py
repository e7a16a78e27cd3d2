"""int8 .tflite -> Vela .tflite: targets, the compiler, what it costs, budgets, sweeps."""
