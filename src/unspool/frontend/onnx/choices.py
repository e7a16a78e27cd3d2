"""Graphs in nodes, and the branch of an If whose condition is constant, in the If's place."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from unspool.errors import UnspoolError


def graphs_in(node: Any) -> Iterator[Any]:
    """The graphs that a node of ONNX's has as attributes."""
    for entry in node.attribute:
        yield from (entry.g, *entry.graphs)


def reads(node: Any) -> Iterator[str]:
    """What a node and graphs in it read, of which their own values are no part that matters."""
    yield from node.input
    for inner in graphs_in(node):
        yield from (value.name for value in inner.output)
        for one in inner.node:
            yield from reads(one)


def branch_of(node: Any, condition: np.ndarray) -> tuple[str, Any]:
    """The name of the branch that an If takes, and its graph."""
    name = "then_branch" if condition.item() else "else_branch"
    return name, next(entry.g for entry in node.attribute if entry.name == name)


def chosen(
    node: Any, condition: np.ndarray, outer_names: Collection[str]
) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Nodes and constants that stand for an If.

    Args:
        node: ONNX's If.
        condition: of one entry.
        outer_names: those of values around it.

    Raises:
        UnspoolError: a name in the branch means another value outside.
    """
    import onnx

    _, branch = branch_of(node, condition)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in branch.initializer}
    inner = {*constants, *(value for one in branch.node for value in one.output if value)}
    twice = sorted(inner.intersection(outer_names))
    if twice:
        raise UnspoolError(
            f"node {node.name or node.output[0]!r}: {twice[0]!r} in the branch of the If is the "
            "name of another value, too; export the model without it"
        )
    ends = [
        onnx.helper.make_node("Identity", [value.name], [output])
        for value, output in zip(branch.output, node.output, strict=True)
    ]
    return [*branch.node, *ends], constants
