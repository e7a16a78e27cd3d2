"""Which values of a graph are single steps of a sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unspool.frontend.onnx.graph import Node

SAME = ("Identity", "Dropout")
"""Operators that do nothing in a trained network."""


@dataclass(frozen=True)
class Step:
    """A value that is one step of a sequence.

    Attributes:
        sequence: the name of the whole.
        axis: of its steps.
        index: which of them.
    """

    sequence: str
    axis: int
    index: int


def sequence_of(chain: Sequence[Node]) -> str:
    """The name that the whole of a chain's outputs gets."""
    return f"{chain[0].outputs[0]}_sequence"


def steps_of(
    nodes: Sequence[Node],
    chains: Sequence[Sequence[Node]],
    constants: Mapping[str, np.ndarray],
    sizes: dict[str, tuple[int, ...]],
) -> dict[str, Step]:
    """Value -> which step of which sequence it is; sizes of some more values are added."""
    steps = {
        cell.outputs[0]: Step(sequence_of(chain), 0, index)
        for chain in chains
        for index, cell in enumerate(chain)
    }
    for node in nodes:
        source, out = node.inputs[0] if node.inputs else "", node.outputs[0]
        if node.op in ("Squeeze", "Unsqueeze", *SAME) and source in steps:
            steps.setdefault(out, steps[source])
            if node.op == "Unsqueeze" and source in sizes and len(node.inputs) > 1:
                axes = tuple(constants[node.inputs[1]].tolist())
                wider = np.expand_dims(np.broadcast_to(0, sizes[source]), axes)
                sizes.setdefault(out, wider.shape)
        elif node.op in ("Gather", "Slice", "Split") and source in sizes:
            steps |= _single_steps(node, constants, sizes[source])
    return steps


def _single_steps(
    node: Node, constants: Mapping[str, np.ndarray], sizes: tuple[int, ...]
) -> dict[str, Step]:
    """What a node takes of a sequence one by one."""
    whole, axis = node.inputs[0], node.attributes.get("axis", 0)
    if node.op == "Split":
        ones = sizes[axis] == len(node.outputs)
        return {name: Step(whole, axis, n) for n, name in enumerate(node.outputs) if ones}
    inputs = [constants.get(name, np.zeros(0)).ravel().tolist() for name in node.inputs[1:]]
    if any(len(numbers) != 1 for numbers in inputs) or (node.op == "Slice" and len(inputs) < 3):
        return {}
    first, *bounds = (int(numbers[0]) for numbers in inputs)
    if node.op == "Slice":
        stop, axis = bounds[:2]
        first, stop, _ = slice(first, stop).indices(sizes[axis])
        if stop - first != 1:
            return {}
    return {node.outputs[0]: Step(whole, axis, first % sizes[axis])}
