"""What became of each node of a file, by the names of values, which stay as the file has them.

A node whose values the graph computes became the layers that were made in its call. One whose
values are gone was put together with those that read them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unspool.frontend.graph import maker
from unspool.frontend.onnx.graph import Graph, Listed
from unspool.frontend.onnx.quantized import ROUNDING
from unspool.frontend.origins import Origin

CONSTANT = "constant"
MOVED = "moves values, computes nothing"
PART = "part of it"
ROLLED = "its steps, rolled up"
FIRST = "its first state, which starts at zero"
FINAL = "a final state, left out: a stream keeps it (`states`)"
ROUNDED = "its rounding is left out: the calibration data chooses a range"
BEFORE = "in front of what is fed (`from_tensor`)"
UNREAD = "no output depends on it"
EDGE = "its axes, in the file's order"


@dataclass(frozen=True)
class LayerNames:
    """Names of a model's layers.

    Attributes:
        by_value: those that were made in the call of the node that gives a value.
        by_output: those that put an output's axes in order.
        unread: values that are computed by layers of which the model has none.
    """

    by_value: Mapping[str, tuple[str, ...]]
    by_output: Mapping[str, tuple[str, ...]]
    unread: frozenset[str]


def made_since(tensors: Iterable[Any], known: dict[int, Any]) -> list[Any]:
    """Keras's layers and functions that tensors come of; those that are known end the search.

    Args:
        tensors: Keras's; one of no layer's is passed over.
        known: id -> layer or function; those that are found are added.
    """
    operations, stack = [], list(tensors)
    while stack:
        tensor = stack.pop()
        history = getattr(tensor, "_keras_history", None)
        if history is None or history.operation is None or id(history.operation) in known:
            continue
        known[id(history.operation)] = history.operation
        operations.append(history.operation)
        stack += maker(tensor).input_tensors
    return operations


def names_of(
    by_value: Mapping[str, Sequence[Any]], by_output: Mapping[str, Sequence[Any]], model: Any
) -> LayerNames:
    """The names of the layers and functions that a model has of those that were made."""
    operation_ids = {id(operation) for operation in model.operations}
    unread = {
        name
        for name, listed in by_value.items()
        if not operation_ids.intersection(map(id, listed))
        and any(type(operation).__name__ not in _MOVES for operation in listed)
    }
    return LayerNames(_named(by_value, model), _named(by_output, model), frozenset(unread))


_MOVES = ("Concatenate", "GetItem", "Permute", "Reshape")
"""Layers and functions that are left out where what is moved can be had without."""


def _named(operations: Mapping[str, Sequence[Any]], model: Any) -> dict[str, tuple[str, ...]]:
    """Key -> names of the operations that are in the model, in its order."""
    places = {id(operation): place for place, operation in enumerate(model.operations)}
    names = {}
    for key, listed in operations.items():
        members = [operation for operation in listed if id(operation) in places]
        members.sort(key=lambda operation: places[id(operation)])
        names[key] = tuple(operation.name for operation in members)
    return names


def traced(graph: Graph, layers: LayerNames) -> tuple[Origin, ...]:
    """The nodes of the file, in its order, and behind them outputs for which layers were made."""
    fates = _Fates(graph, layers, _from_states(graph))
    reading: dict[str, list[Origin]] = {}
    origins = []
    for one in reversed(graph.listed):
        behind = [origin for value in one.gives for origin in reading.get(value, ())]
        names, note = fates.of(one, behind)
        origin = Origin(one.name, one.op, names, note)
        for value in one.reads:
            reading.setdefault(value, []).append(origin)
        origins.append(replace(origin, note=one.note or note))
    edges = [Origin(name, "output", names, EDGE) for name, names in layers.by_output.items()]
    return (*reversed(origins), *(edge for edge in edges if edge.layers))


def _from_states(graph: Graph) -> set[str]:
    """Values that are made of first states, which are inputs of the file."""
    values = {state.source for state in graph.states}
    for one in graph.listed:
        if one.op not in ("Shape", "Size") and values.intersection(one.reads):
            values.update(one.gives)
    return values


class _Fates:
    """What is known of a graph where its file's nodes are looked up."""

    def __init__(self, graph: Graph, layers: LayerNames, states: set[str]) -> None:
        self.layers, self.unread, self.states = layers.by_value, layers.unread, states
        self.constants = graph.constants
        self.fed = {end.name for end in graph.inputs}
        self.final = set(graph.final)
        self.steps: dict[str, tuple[str, ...]] = {}
        for node in graph.nodes:
            for step in node.steps:
                self.steps[step] = self.steps.get(step, ()) + layers.by_value[node.outputs[0]]

    def of(self, one: Listed, behind: Sequence[Origin]) -> tuple[tuple[str, ...], str]:
        """Names of layers, and a note.

        Args:
            one: a node of the file.
            behind: what became of those that read its values.
        """
        if not one.gives:
            return (), ""
        rolled = _joined(self.steps.get(value, ()) for value in one.gives)
        own = _joined(self.layers.get(value, ()) for value in one.gives)
        if rolled:
            return _joined((rolled, own)), ROLLED
        if own:
            return own, ""
        readers = _joined(origin.layers for origin in behind)
        if all(value in self.constants for value in one.gives):
            of_state = readers and self.states.intersection(one.gives)
            return (readers, FIRST) if of_state else ((), CONSTANT)
        if one.op in ROUNDING:
            return (), ROUNDED
        if any(value in self.layers for value in one.gives):
            return (), UNREAD if self.unread.intersection(one.gives) else MOVED
        return self._gone(one, behind, readers)

    def _gone(
        self, one: Listed, behind: Sequence[Origin], readers: tuple[str, ...]
    ) -> tuple[tuple[str, ...], str]:
        """Of a node whose values no longer are."""
        if self.fed.intersection(one.gives):
            return (), BEFORE
        if readers:
            return readers, ROLLED if any(each.note == ROLLED for each in behind) else PART
        if self.final.intersection(one.gives):
            return (), FINAL
        notes = [origin.note for origin in behind if origin.note != CONSTANT]  # a Shape of it
        return (), notes[0] if notes else UNREAD


def _joined(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part))
