"""Programs that torch.export saved (.pt2), as graphs of ONNX's nodes; without PyTorch."""
