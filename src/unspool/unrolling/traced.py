"""The operators that TensorFlow traced, by the names of a .tflite's tensors, and what they move."""

from collections.abc import Mapping
from typing import Any

PRODUCTS = {"MatMul": None, "BatchMatMulV2": None, "Conv2D": -1, "DepthwiseConv2dNative": -2}
"""TensorFlow's operators with a kernel -> its axis of channels, which have a scale each."""

MOVES = ("Reshape", "Transpose", "ExpandDims", "Squeeze", "Identity")
"""TensorFlow's operators that give the values that they take, all of them."""


def unmoved(op: Any) -> Any:
    """The traced operator that computes what others only move."""
    while op.type in MOVES:
        op = op.inputs[0].op
    return op


def traced_operator(name: str, graph: Any, order: Mapping[str, int]) -> Any:
    """The traced operator that computes a tensor of a .tflite file; None where none is found.

    The file's names are the operators', several of fused ones with `;` between them, and some with
    a number added at the end.
    """
    candidates = []
    for part in name.split(";"):
        while part not in order and part[-1:].isdigit():
            part = part[:-1]
        if part in order:
            candidates.append(part)
    if not candidates:
        return None
    op = graph.get_operation_by_name(max(candidates, key=order.__getitem__))
    consumers = op.outputs[0].consumers()
    if op.type in PRODUCTS and [c.type for c in consumers] == ["BiasAdd"]:
        return consumers[0]  # fused, though its name was left out
    return op
