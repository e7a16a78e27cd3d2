"""Lengths of sequences (`sequence_lens`): the steps of all, or a mask in place of an input."""

from dataclasses import replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import RECURRENT, Graph, Node, needed, readers

POSITION = 4
"""Of the lengths among the inputs of a recurrent node."""

_MOVES = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""What lengths pass on their way into a node."""


def read_directly(graph: Graph) -> Graph:
    """The same graph, its recurrent nodes reading lengths from the inputs that give them."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    nodes = [
        replace(node, inputs=_with(node.inputs, _source(node.inputs[POSITION], makers)))
        if node.op in RECURRENT and node.reads(POSITION)
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=needed(nodes, graph.outputs))


def _source(name: str, makers: dict[str, Node]) -> str:
    while name in makers and makers[name].op in _MOVES:
        name = makers[name].inputs[0]
    return name


def _with(inputs: tuple[str, ...], lengths: str) -> tuple[str, ...]:
    return (*inputs[:POSITION], lengths, *inputs[POSITION + 1 :])


def fed(graph: Graph) -> frozenset[str]:
    """The inputs that are lengths, and nothing else."""
    reading = readers(graph.nodes)
    return frozenset(
        end.name
        for end in graph.inputs
        if end.name in reading and all(_are_lengths(node, end.name) for node in reading[end.name])
    )


def _are_lengths(node: Node, name: str) -> bool:
    others = (other for n, other in enumerate(node.inputs) if n != POSITION)
    return node.op in RECURRENT and node.reads(POSITION) == name and name not in others


def of_all(lengths: Any, steps: int) -> int:
    """How many steps every sequence has, of lengths that are constant.

    Raises:
        UnspoolError: they differ, or are none of a sequence of `steps`.
    """
    counts = {int(length) for length in lengths.ravel()}
    if len(counts) != 1:
        raise UnspoolError(
            f"is given sequences of {', '.join(map(str, sorted(counts)))} steps at once; expected "
            "one length, or an input that gives it"
        )
    (length,) = counts
    if not 0 < length <= steps:
        raise UnspoolError(
            f"is given sequences of {length} of {steps} steps; expected 1 to {steps}"
        )
    return length
