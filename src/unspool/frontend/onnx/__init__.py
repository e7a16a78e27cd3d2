"""ONNX files, of PyTorch and others, as Keras models of real recurrent layers."""
