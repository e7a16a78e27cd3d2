"""A trained model's graph as operations, and the ways in which each may take a sequence.

A loop takes a sequence chunk by chunk, from its beginning or from its end. A Bidirectional layer
is two recurrent layers here and what merges them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, TypeAlias

from unspool.frontend import graph
from unspool.parts.masks import Masked, joined
from unspool.support._tensorflow import keras
from unspool.unrolling.given_states import given_states
from unspool.unrolling.leading import Leading, Scaled, leading
from unspool.unrolling.masking import Clearing
from unspool.unrolling.pieces import CALLS
from unspool.unrolling.piecewise import step
from unspool.unrolling.recurrent_layers import MERGES
from unspool.unrolling.stream_checks import smallest_chunk, timed

Form: TypeAlias = Literal["forward", "backward", "last", "whole"]
"""How a part has a tensor: chunk by chunk from the beginning, or from the end; "last": in every
call of a loop, of which the last one counts; "whole": all at once."""

Key: TypeAlias = int
"""Stands for a tensor of the model."""


@dataclass(frozen=True)
class Way:
    """A way in which an operation may take its sequences.

    Attributes:
        takes: the form of its inputs that are sequences.
        gives: the form of its outputs that are sequences.
    """

    takes: Form
    gives: Form


FORWARD, BACKWARD = Way("forward", "forward"), Way("backward", "backward")
LAST, WHOLE = Way("last", "last"), Way("whole", "whole")
_TURNED = Way("backward", "forward")  # the first output is of the last time step


@dataclass(frozen=True)
class Operation:
    """A call of a layer or function.

    Attributes:
        name: of the layer.
        inputs: what it reads.
        outputs: what it gives.
        ways: how it may be done; the first ones are preferred.
        call: runs it on symbolic tensors, one for each of `inputs`, read in the order in which
            they are taken; returns one for each of `outputs`.
        states: those of the inputs that a recurrent layer begins with.
    """

    name: str
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    ways: tuple[Way, ...]
    call: Callable[[Sequence[Any]], Sequence[Any]]
    states: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A model as operations.

    Attributes:
        operations: in an order in which they can be run.
        repeated: what each part does by itself where it reads that, by what it gives: what only
            scales an input, or computes little of inputs step by step.
        inputs: the model's.
        outputs: the model's.
        shapes: of every tensor, (batch, ...).
        dtypes: of every tensor.
        timed: the tensors that are sequences.
        masks: the inputs that say which steps are padded; those that are computed from the model's
            inputs are none of `inputs`.
    """

    operations: tuple[Operation, ...]
    repeated: Mapping[Key, Operation]
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    shapes: dict[Key, tuple[int | None, ...]]
    dtypes: dict[Key, str]
    timed: frozenset[Key]
    masks: Masked


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
    found, inputs, outputs = dict(scaled), set(map(id, model.inputs)), set(map(id, model.outputs))
    for each in operations:
        (key, *others) = each.outputs
        is_of_inputs = bool(each.inputs) and inputs.union(found).issuperset(each.inputs)
        is_by_step = each.ways == (FORWARD, BACKWARD, WHOLE) and not others
        if is_by_step and is_of_inputs and key in small and key not in outputs:
            found[key] = each
    return found


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
        yield from _both_ways(node, sequences, halves, masks, states)
        return
    read, ways = _read(node), _ways(node, sequences, states)
    called = _from_the_front(layer, layer.name, node) if ways == (_TURNED,) else layer
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
    given = given_states(node)
    keys = tuple(map(id, given))
    is_value = all(len(tensor.shape) == 2 for tensor in given) and sequences.isdisjoint(keys)
    return keys if is_value and len(set(keys)) == len(keys) else None


def _read(node: Any) -> tuple[Key, ...]:
    """What a node reads, but for its mask."""
    mask = node.arguments.kwargs.get("mask")
    return tuple(dict.fromkeys(id(tensor) for tensor in node.input_tensors if tensor is not mask))


def _ways(node: Any, sequences: set[Key], states: tuple[Key, ...] | None) -> tuple[Way, ...]:
    """How a node may be done, whose states are what `_states` gives."""
    layer, given = node.operation, [id(tensor) in sequences for tensor in node.outputs]
    is_recurrent = isinstance(layer, keras.layers.RNN)
    if sequences.isdisjoint(_read(node)):
        return (WHOLE,) if is_recurrent or any(given) else (LAST, WHOLE)
    if is_recurrent:
        if states is None:
            return (WHOLE,)
        return (_TURNED,) if layer.go_backwards else (FORWARD,)
    if graph.is_graph(layer):
        return (FORWARD,) if smallest_chunk(layer, CALLS) == 1 else (WHOLE,)
    found = step(node, sequences, (0, 0), CALLS)
    if found.problem or any(found.zeros):
        return (WHOLE,)
    if found.reads_windows or (found.taken, found.given) != (1, 1) or not all(given):
        return (FORWARD, WHOLE)
    return (FORWARD, BACKWARD, WHOLE)


def _both_ways(
    node: Any,
    sequences: set[Key],
    halves: dict[Key, Any],
    masks: tuple[Key, ...],
    begin: tuple[Key, ...],
) -> Iterator[Operation]:
    """A Bidirectional as two recurrent layers, and what merges their outputs."""
    layer, read = node.operation, _read(node)[0]
    sides = 1 if layer.merge_mode else 2
    states = [id(tensor) for tensor in node.outputs[sides:]]
    middle, half_of, merged = len(states) // 2, len(begin) // 2, []
    for part, way, own, first in (
        (layer.forward_layer, FORWARD, states[:middle], begin[:half_of]),
        (layer.backward_layer, BACKWARD, states[middle:], begin[half_of:]),
    ):
        made = _from_the_front(part, f"{layer.name}_{way.takes}", node)
        half, *_ = keras.tree.flatten(made.compute_output_spec(node.input_tensors[0]))
        halves[id(half)] = half
        if layer.return_sequences:
            sequences.add(id(half))
        merged.append(id(half))
        taken = (read, *first, *masks)
        call = _called(made, len(first))
        yield Operation(made.name, taken, (id(half), *own), (way,), call, first)
    merge = MERGES[layer.merge_mode](name=layer.name) if layer.merge_mode else list
    yield Operation(
        layer.name,
        tuple(merged),
        tuple(map(id, node.outputs[:sides])),
        (FORWARD, BACKWARD, WHOLE) if layer.return_sequences else (LAST, WHOLE),
        lambda tensors: keras.tree.flatten(merge(list(tensors))),
    )


def _called(layer: Any, states: int) -> Callable[[Sequence[Any]], list[Any]]:
    """Calls a layer on a sequence, so many states and masks."""

    def call(tensors: Sequence[Any]) -> list[Any]:
        sequence, first, valid = tensors[0], tensors[1 : 1 + states], tensors[1 + states :]
        given = {"initial_state": list(first)} if first else {}
        if valid:
            given["mask"] = joined(valid)
        return list(keras.tree.flatten(layer(sequence, **given)))

    return call


def _from_the_front(layer: Any, name: str, node: Any) -> Any:
    """A recurrent layer with the same weights, that takes a node's sequence as it is given."""
    made = type(layer).from_config({**layer.get_config(), "go_backwards": False, "name": name})
    made.build(node.input_tensors[0].shape)
    made.set_weights(layer.get_weights())
    return made
