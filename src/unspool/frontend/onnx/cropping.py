"""Convolutions that are padded at both ends and cut at the last: nothing is padded there.

So does PyTorch write a causal convolution: `padding=(k - 1) * d`, then `x[:, :, :-(k - 1) * d]`.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from unspool.frontend.onnx.graph import Graph, Node, readers


def cropped(graph: Graph) -> Graph:
    """The same graph, without what is padded, computed and cut off again."""
    by_value = readers(graph.nodes)
    gone: set[str] = set()
    nodes = []
    for node in graph.nodes:
        if node.name in gone:
            continue
        cut = _cut(node, by_value, graph)
        if cut is not None:
            piece, pads = cut
            gone.add(piece.name)
            attributes = {**node.attributes, "pads": pads}
            node = replace(node, outputs=piece.outputs, attributes=attributes)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _cut(
    node: Node, by_value: Mapping[str, list[Node]], graph: Graph
) -> tuple[Node, list[int]] | None:
    """The Slice behind a convolution that takes away what the padding makes, and what is left."""
    pads = list(node.attributes.get("pads", ()))
    strides = set(node.attributes.get("strides", (1,)))
    if node.op != "Conv" or not any(pads) or strides != {1} or node.outputs[0] in graph.outputs:
        return None
    reading = by_value.get(node.outputs[0], [])
    if len(reading) != 1 or reading[0].op != "Slice":
        return None
    piece, axes = reading[0], len(pads) // 2
    bounds = [
        _list(piece, n, key, graph.constants) for n, key in enumerate(("starts", "ends", "axes"), 1)
    ]
    steps = _list(piece, 4, "steps", graph.constants) or [1]
    if any(len(each or ()) != 1 for each in bounds) or steps != [1]:
        return None
    (start,), (stop,), (axis,) = (each or [0] for each in bounds)
    along = axis % (axes + 2) - 2  # among the axes that are slid over
    if along < 0 or start != 0 or not -pads[axes + along] <= stop < 0:
        return None
    pads[axes + along] += stop
    return piece, pads


def _list(node: Node, place: int, key: str, given: Mapping[str, np.ndarray]) -> list[int] | None:
    """Whole numbers that a node is given by an input, or in files of before opset 10 by name."""
    if key in node.attributes:
        return [int(value) for value in node.attributes[key]]
    value = given.get(node.reads(place))
    return None if value is None else [int(each) for each in value.ravel()]
