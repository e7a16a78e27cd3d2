"""A graph as quantization-aware training leaves it, its QuantizeLinear pairs written by hand."""

from typing import Any

import numpy as np
from onnx_forms.form import w
from onnx_models import made, node

_SCALES = {"a": (0.03, np.uint8(100)), "b": (0.01, np.int8(-3)), "c": (0.05, np.int16(0))}
"""Name -> scale and zero point."""


def _pair(name: str, output: str, scale: str) -> list[Any]:
    return [
        node("QuantizeLinear", f"{name} {scale} {scale}_zero", f"{name}_q"),
        node("DequantizeLinear", f"{name}_q {scale} {scale}_zero", output),
    ]


def aware(steps: int) -> Any:
    """A GRU and a Gemm; of the first pair half the whole numbers are used, as PyTorch has it."""
    nodes = [
        node("QuantizeLinear", "x a a_zero", "x_q"),
        node("Clip", "x_q least most", "x_c"),
        node("DequantizeLinear", "x_c a a_zero", "x_r"),
        node("GRU", "x_r W R", "_ h", hidden_size=4),
        node("Squeeze", "h first", "h_last"),
        *_pair("h_last", "s", "b"),
        node("Gemm", "s d", "g"),
        *_pair("g", "y", "c"),
    ]
    constants: dict[str, Any] = {"W": w(1, 12, 3), "R": w(1, 12, 4), "d": w(4, 2)}
    constants |= {"first": np.array([0]), "least": np.uint8(0), "most": np.uint8(127)}
    for name, (scale, zero) in _SCALES.items():
        constants |= {name: np.float32(scale), f"{name}_zero": zero}
    return made(nodes, {"x": [steps, 1, 3]}, ["y"], constants, opset=21)
