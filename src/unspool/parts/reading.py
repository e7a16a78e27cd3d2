"""A trained model's graph read as operations."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from unspool.frontend import graph
from unspool.parts.directions import both_ways, from_the_front
from unspool.parts.masks import Masked, joined
from unspool.parts.operations import (
    BACKWARD,
    FORWARD,
    LAST,
    TURNED,
    WHOLE,
    Graph,
    Key,
    Operation,
    Way,
)
from unspool.support._tensorflow import keras
from unspool.unrolling.given_states import given_states
from unspool.unrolling.leading import Leading, Scaled, leading
from unspool.unrolling.masking import Clearing
from unspool.unrolling.pieces import CALLS
from unspool.unrolling.piecewise import step
from unspool.unrolling.stream_checks import smallest_chunk, timed


def read(model: Any, masked: Masked) -> Graph:
    """The graph of a built Functional model, whose sequences have a fixed length."""
    sequences = timed(model) | masked.tensors.keys()
    halves: dict[Key, Any] = {}
    leads = [lead for lead in leading(model) if lead]
    in_front = {id(layer) for lead in leads for layer in lead.layers}
    operations = [
        operation
        for node in graph.nodes(model)
        if not node.is_input
        and id(node.operation) not in in_front
        and not graph.makes_mask(model, node)
        for operation in _operations(node, sequences, halves, masked.read.get(id(node), ()))
    ]
    scaled = {each.outputs[0]: each for each in (_scaled(model, lead) for lead in leads)}
    small = {id(node.outputs[0]) for node in graph.nodes(model) if _is_small(node.operation)}
    repeated = _repeated(model, operations, scaled, small)
    tensors = {id(t): t for node in graph.nodes(model) for t in node.outputs}
    tensors |= {**halves, **masked.tensors}
    return Graph(
        operations=tuple(each for each in operations if each.outputs[0] not in repeated),
        repeated=repeated,
        inputs=tuple(map(id, model.inputs)),
        outputs=tuple(map(id, model.outputs)),
        shapes={key: tuple(tensor.shape) for key, tensor in tensors.items()},
        dtypes={key: str(tensor.dtype) for key, tensor in tensors.items()},
        timed=frozenset(sequences),
        masks=masked,
    )


_SMALL = 2048
"""Weights: a binary of its own for an operation takes as many bytes, beside them."""


def _is_small(layer: Any) -> bool:
    return getattr(layer, "count_params", int)() <= _SMALL


def _repeated(
    model: Any, operations: Sequence[Operation], scaled: Mapping[Key, Operation], small: set[Key]
) -> Mapping[Key, Operation]:
    """These, and what computes little of inputs, or of what is computed so, step by step."""
    repeated, inputs, outputs = (
        dict(scaled),
        set(map(id, model.inputs)),
        set(map(id, model.outputs)),
    )
    for each in operations:
        (key, *others) = each.outputs
        is_of_inputs = bool(each.inputs) and inputs.union(repeated).issuperset(each.inputs)
        is_by_step = each.ways == (FORWARD, BACKWARD, WHOLE) and not others
        if is_by_step and is_of_inputs and key in small and key not in outputs:
            repeated[key] = each
    return repeated


def _scaled(model: Any, lead: Leading) -> Operation:
    """What only scales an input; each time that it is called, a layer of its own."""
    name, number = lead.layers[0].name, count(1)

    def call(tensors: Sequence[Any]) -> list[Any]:
        return [Scaled(lead, name=f"{name}_{next(number)}")(tensors[0])]

    (first,), (last,) = (graph.calls(model, layer) for layer in (lead.layers[0], lead.layers[-1]))
    return Operation(name, _read(first), (id(last.outputs[0]),), (), call)


def _operations(
    node: Any, sequences: set[Key], halves: dict[Key, Any], masks: tuple[Key, ...]
) -> Iterator[Operation]:
    """The operations of a node, which read its masks behind all else.

    What only a Bidirectional's two layers give is added to `halves`, and to `sequences` if it has
    time steps.
    """
    layer = node.operation
    states = _states(node, sequences)
    if isinstance(layer, keras.layers.Bidirectional) and states is not None:
        yield from both_ways(node, sequences, halves, masks, states)
        return
    read, ways = _read(node), _ways(node, sequences, states)
    called = from_the_front(layer, layer.name, node) if ways == (TURNED,) else layer
    if isinstance(layer, keras.layers.Masking) and masks:
        called = Clearing(name=layer.name)

    def call(tensors: Sequence[Any]) -> list[Any]:
        own, valid = tensors[: len(read)], tensors[len(read) :]
        args, kwargs = node.arguments.fill_in(dict(zip(read, own, strict=True)))
        kwargs.pop("mask", None)
        if valid:
            kwargs["mask"] = joined(valid)
        return list(keras.tree.flatten(called(*args, **kwargs)))

    outputs = tuple(map(id, node.outputs))
    yield Operation(layer.name, (*read, *masks), outputs, ways, call, states or ())


def _states(node: Any, sequences: set[Key]) -> tuple[Key, ...] | None:
    """What a recurrent layer begins with, each one a value that a loop takes once.

    None where it cannot: images, which would be read as sequences, or one for several states.
    """
    if not isinstance(node.operation, keras.layers.RNN | keras.layers.Bidirectional):
        return ()
    states = given_states(node)
    keys = tuple(map(id, states))
    is_value = all(len(tensor.shape) == 2 for tensor in states) and sequences.isdisjoint(keys)
    return keys if is_value and len(set(keys)) == len(keys) else None


def _read(node: Any) -> tuple[Key, ...]:
    """What a node reads, but for its mask."""
    mask = node.arguments.kwargs.get("mask")
    return tuple(dict.fromkeys(id(tensor) for tensor in node.input_tensors if tensor is not mask))


def _ways(node: Any, sequences: set[Key], states: tuple[Key, ...] | None) -> tuple[Way, ...]:
    """How a node may be done, whose states are what `_states` gives."""
    layer, are_sequences = node.operation, [id(tensor) in sequences for tensor in node.outputs]
    is_recurrent = isinstance(layer, keras.layers.RNN)
    if sequences.isdisjoint(_read(node)):
        return (WHOLE,) if is_recurrent or any(are_sequences) else (LAST, WHOLE)
    if is_recurrent:
        if states is None:
            return (WHOLE,)
        return (TURNED,) if layer.go_backwards else (FORWARD,)
    if graph.is_graph(layer):
        return (FORWARD,) if smallest_chunk(layer, CALLS) == 1 else (WHOLE,)
    call_step = step(node, sequences, (0, 0), CALLS)
    if call_step.problem or any(call_step.zeros):
        return (WHOLE,)
    if (
        call_step.reads_windows
        or (call_step.taken, call_step.given) != (1, 1)
        or not all(are_sequences)
    ):
        return (FORWARD, WHOLE)
    return (FORWARD, BACKWARD, WHOLE)
