"""Inputs that are first states of recurrent nodes, and outputs that are their final ones.

Both are left out: a sequence starts at zero, and a stream gets states of Unspool's own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from unspool.frontend.onnx.graph import (
    RECURRENT,
    Ends,
    Graph,
    Listed,
    Node,
    State,
    needed,
    readers,
)

Sources: TypeAlias = Mapping[str, frozenset[tuple[str, int]]]
"""Value -> the outputs of recurrent nodes, by number, that it is put together of."""

MOVES = ("Slice", "Gather", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Split", "Identity")
"""What a state passes on its way into a layer, and out of it."""


def numbered(nodes: Iterable[Node], ends: Iterable[Ends], first: int = 1) -> dict[str, np.ndarray]:
    """Inputs of which nothing is read but first states, with a number for each of their entries.

    Where these numbers arrive shows which part of an input is the state of which node.

    Args:
        nodes: of a graph.
        ends: its inputs.
        first: the smallest number.
    """
    reading = readers(tuple(nodes))

    def ends_in_states(name: str) -> bool:
        return name in reading and all(takes_state(node, name) for node in reading[name])

    def takes_state(node: Node, name: str) -> bool:
        if node.op in RECURRENT:
            return name in node.inputs[5:7]
        moves = node.op in MOVES and node.inputs[0] == name
        return node.op == "Shape" or (moves and all(map(ends_in_states, node.outputs)))

    numbers: dict[str, np.ndarray] = {}
    for end in ends:
        if ends_in_states(end.name):
            size = int(np.prod(end.shape))
            values = np.arange(first, first + size, dtype=np.float32)
            numbers[end.name] = values.reshape(end.shape)
            first += size
    return numbers


def left_out(
    nodes: tuple[Node, ...],
    constants: Mapping[str, np.ndarray],
    sources: Mapping[str, np.ndarray],
) -> tuple[tuple[Node, ...], tuple[State, ...]]:
    """The nodes without first states that are inputs, and what these were."""
    if not sources:
        return nodes, ()
    states, stateless_nodes = [], []
    for node in nodes:
        inputs = list(node.inputs)
        for position, state in ((5, "h"), (6, "c")):
            start = constants.get(node.reads(position))
            if node.op in RECURRENT and start is not None:
                source = _source(start, sources)
                if source is not None:
                    states.append(State(*source, node.name, state))
                    inputs[position] = ""
        stateless_nodes.append(replace(node, inputs=tuple(inputs)))
    return tuple(stateless_nodes), tuple(states)


def _source(start: np.ndarray, sources: Mapping[str, np.ndarray]) -> tuple[str, int | None] | None:
    """The input that a first state comes from, and which part of it, by its numbers."""
    for name, whole in sources.items():
        entries = np.flatnonzero(np.isin(whole, start))
        if np.array_equal(whole.flat[entries], np.sort(start.ravel())):
            return name, None if len(entries) == whole.size else int(entries[0] // start.size)
    return None


def as_graph(
    nodes: tuple[Node, ...],
    constants: Mapping[str, np.ndarray],
    ends: Iterable[Ends],
    outputs: tuple[str, ...],
    sources: Mapping[str, np.ndarray],
    opset: int,
    exported: Mapping[int, int],
    listed: tuple[Listed, ...] = (),
) -> Graph:
    """A graph of what outputs depend on, without states.

    Args:
        nodes: in their order, with names.
        constants: name -> value.
        ends: the inputs, states among them.
        outputs: names of values, final states among them.
        sources: what `numbered` found.
        opset: the version of ONNX's operators.
        exported: as `Graph` has it.
        listed: every node of the file.
    """
    nodes, states = left_out(nodes, constants, sources)
    sources_of = _sources(nodes) if states else {}
    carried = _is_carried(states, outputs, sources_of)
    graph_outputs = _without_final(outputs, sources_of) if states else outputs
    return Graph(
        inputs=tuple(end for end in ends if end.name not in sources),
        outputs=graph_outputs,
        nodes=needed(nodes, graph_outputs),
        constants=constants,
        opset=opset,
        exported=exported,
        states=states,
        carried=carried,
        final=tuple(name for name in outputs if name not in graph_outputs),
        listed=listed,
    )


def _is_carried(states: tuple[State, ...], outputs: tuple[str, ...], sources_of: Sources) -> bool:
    """Whether each state is given out, by itself or as a node's output, which ends in it."""
    sources = {source for name in outputs for source in sources_of.get(name, _OTHER)}
    places = {"h": (0, 1), "c": (2,)}
    return bool(states) and all(
        any((state.node, place) in sources for place in places[state.state]) for state in states
    )


_OTHER = frozenset({("", 0)})
"""What a value is put together of that no recurrent node gives."""


def _sources(nodes: tuple[Node, ...]) -> Sources:
    sources: dict[str, frozenset[tuple[str, int]]] = {}
    for node in nodes:
        if node.op in RECURRENT:
            for place, name in enumerate(node.outputs):
                sources[name] = frozenset({(node.name, place)})
        elif node.op in (*MOVES, "Concat"):
            parts = node.inputs if node.op == "Concat" else node.inputs[:1]
            every = frozenset[tuple[str, int]]().union(*(sources.get(n, _OTHER) for n in parts))
            sources.update(dict.fromkeys(node.outputs, every))
    return sources


def _without_final(outputs: tuple[str, ...], sources_of: Sources) -> tuple[str, ...]:
    """Outputs without those that are made of nothing but final states, or all if these are all."""
    names = (
        name for name in outputs if any(place == 0 for _, place in sources_of.get(name, _OTHER))
    )
    return tuple(names) or outputs
