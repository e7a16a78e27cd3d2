"""Files of ONNX and PyTorch that are damaged, or made to do harm, by the thousand: `make fuzz`."""
