"""Sequences sorted by their lengths and brought back, as PyTorch packs them: nothing, for one."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def alone(node: Any, constants: dict[str, np.ndarray], known: Mapping[str, tuple[int, ...]]) -> Any:
    """What a node does where there is one entry to be sorted, or to be chosen from.

    Args:
        node: ONNX's.
        constants: name -> value; the place of a single entry is added.
        known: name -> shape.

    Returns:
        an Identity, or the node as it is.
    """
    import onnx

    shape = known.get(node.input[0]) if node.op_type in ("TopK", "Gather") else None
    if not shape:
        return node
    default = -1 if node.op_type == "TopK" else 0
    axis = next((entry.i for entry in node.attribute if entry.name == "axis"), default)
    if not -len(shape) <= axis < len(shape) or shape[axis] != 1:
        return node
    if node.op_type == "TopK":
        constants[node.output[1]] = np.zeros(shape, np.int64)
    elif constants.get(node.input[1], np.zeros(0)).shape != (1,):
        return node
    return onnx.helper.make_node("Identity", node.input[:1], node.output[:1], node.name)
