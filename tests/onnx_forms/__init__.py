"""Tables of ONNX graphs, each around one operator, for a comparison with onnxruntime."""
