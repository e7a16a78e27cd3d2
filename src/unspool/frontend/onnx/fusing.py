"""Nodes that one layer stands for: what exporters write apart is put together again."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from unspool.frontend.onnx.graph import Graph, Node, readers


def fused(graph: Graph) -> Graph:
    """The same graph, a MatMul and the Add of its bias as one Gemm."""
    by_value = readers(graph.nodes)
    gone: set[str] = set()
    nodes = []
    for node in graph.nodes:
        if node.name in gone:
            continue
        add = _bias(node, by_value, graph)
        if add is not None:
            gone.add(add.name)
            bias = next(name for name in add.inputs if name != node.outputs[0])
            node = Node("Gemm", node.name, (*node.inputs, bias), add.outputs)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _bias(node: Node, by_value: Mapping[str, list[Node]], graph: Graph) -> Node | None:
    """The Add behind a MatMul that adds a number to each column."""
    if node.op != "MatMul" or node.outputs[0] in graph.outputs:
        return None
    matrix = graph.constants.get(node.inputs[1])
    reading = by_value.get(node.outputs[0], [])
    if matrix is None or matrix.ndim != 2 or len(reading) != 1 or reading[0].op != "Add":
        return None
    others = [graph.constants.get(name) for name in reading[0].inputs if name != node.outputs[0]]
    fits = len(others) == 1 and others[0] is not None and _is_row(others[0], matrix.shape[1])
    return reading[0] if fits else None


def _is_row(constant: np.ndarray, width: int) -> bool:
    return constant.ndim in (1, 2) and constant.size == constant.shape[-1] == width
