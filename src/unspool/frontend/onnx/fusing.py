"""Nodes that one layer stands for: what exporters write apart is put together again."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from unspool.frontend.onnx.cropping import cropped
from unspool.frontend.onnx.graph import Graph, Node, readers


def fused(graph: Graph) -> Graph:
    """The same graph, without the nodes that those before them do the work of."""
    by_value = readers(graph.nodes)
    gone: set[str] = set()
    nodes = []
    for node in graph.nodes:
        if node.name in gone:
            continue
        reading = by_value.get(node.outputs[0], [])
        one = None
        if len(reading) == 1 and node.outputs[0] not in graph.outputs:
            pair = node, reading[0], graph.constants
            one = _with_bias(*pair) or cropped(*pair)
        if one is not None:
            gone.add(reading[0].name)
        nodes.append(one or node)
    return replace(graph, nodes=tuple(nodes))


def _with_bias(node: Node, add: Node, constants: Mapping[str, np.ndarray]) -> Node | None:
    """A MatMul and the Add behind it, of a number to each column, as one Gemm."""
    if node.op != "MatMul" or add.op != "Add":
        return None
    matrix = constants.get(node.inputs[1])
    others = [name for name in add.inputs if name != node.outputs[0]]
    bias = constants.get(others[0]) if len(others) == 1 else None
    if matrix is None or matrix.ndim != 2 or bias is None or not _is_row(bias, matrix.shape[1]):
        return None
    return Node("Gemm", node.name, (*node.inputs, *others), add.outputs)


def _is_row(constant: np.ndarray, width: int) -> bool:
    return constant.ndim in (1, 2) and constant.size == constant.shape[-1] == width
