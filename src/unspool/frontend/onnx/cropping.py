"""Convolutions that are padded at both ends and cut at the last: nothing is padded there.

So does PyTorch write a causal convolution: `padding=(k - 1) * d`, then `x[:, :, :-(k - 1) * d]`.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from unspool.frontend.onnx.graph import Node


def cropped(node: Node, piece: Node, constants: Mapping[str, np.ndarray]) -> Node | None:
    """A convolution and the Slice behind it, which takes away what the padding makes, as one."""
    pads = list(node.attributes.get("pads", ()))
    strides = set(node.attributes.get("strides", (1,)))
    if node.op != "Conv" or piece.op != "Slice" or not any(pads) or strides != {1}:
        return None
    axes = len(pads) // 2
    bounds = [
        _list(piece, n, key, constants) for n, key in enumerate(("starts", "ends", "axes"), 1)
    ]
    steps = _list(piece, 4, "steps", constants) or [1]
    if any(len(each or ()) != 1 for each in bounds) or steps != [1]:
        return None
    (start,), (stop,), (axis,) = (each or [0] for each in bounds)
    along = axis % (axes + 2) - 2  # among the axes that are slid over
    if along < 0 or start != 0 or not -pads[axes + along] <= stop < 0:
        return None
    pads[axes + along] += stop
    return replace(node, outputs=piece.outputs, attributes={**node.attributes, "pads": pads})


def _list(
    node: Node, place: int, key: str, constants: Mapping[str, np.ndarray]
) -> list[int] | None:
    """Whole numbers that a node is given by an input, or in files of before opset 10 by name."""
    if key in node.attributes:
        return [int(value) for value in node.attributes[key]]
    value = constants.get(node.reads(place))
    return None if value is None else [int(each) for each in value.ravel()]
