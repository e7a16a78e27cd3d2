"""GRU, LSTM and RNN of ONNX as Keras's layers: gates, biases, directions, states.

ONNX orders gates z, r, h and i, o, f, c; Keras z, r, h and i, f, c, o.
https://onnx.ai/onnx/operators/onnx__GRU.html, onnx__LSTM.html, onnx__RNN.html
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx import lengths
from unspool.frontend.onnx.cell_activations import linear, of_cell, settings
from unspool.frontend.onnx.constant_samples import as_sample
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.recurrent_checks import check, check_weights, directions
from unspool.frontend.onnx.scope import Scope
from unspool.frontend.onnx.values import Value, arranged, joined, laid_out, sliced, with_shape
from unspool.support._tensorflow import keras

_LAYERS = {
    "GRU": keras.layers.GRU,
    "LSTM": keras.layers.LSTM,
    "RNN": keras.layers.SimpleRNN,
}

_GATES = {"GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1), "RNN": (0,)}
"""For each of Keras's gates, its place in ONNX."""

_STATES = {"GRU": 1, "LSTM": 2, "RNN": 1}


def recurrent(node: Node, scope: Scope) -> list[Value]:
    """The outputs Y, Y_h and, of an LSTM, Y_c.

    What nothing reads in the end is a stand-in: the layer returns no more than it must.
    """
    check(node, scope)
    value = scope.value(node)
    if scope.graph.frames:
        return _of_frames(node, scope, value)
    layout = node.attributes.get("layout", 0)
    time, batch = (1, 0) if layout else (0, 1)
    if value.shape[batch] != 1:
        raise UnspoolError(
            f"reads {value.shape[batch]} sequences at once where a batch of one is expected"
        )
    x = arranged(value, [time, 2])
    check_weights(node, scope, x.shape[-1])
    steps = x.shape[1]
    x, mask = _of_length(node, scope, x)
    starts = [_start(node, scope, 5 + n, x) for n in range(_STATES[node.op])]
    read = scope.read.get(node.name, frozenset((0, 1, 2)))
    both = directions(node) == 2
    sequence, states = (_bidirectional if both else _one_way)(node, scope, x, mask, starts, read)
    whole = x.shape[1] == steps
    if not whole:
        sequence = keras.layers.ZeroPadding1D((0, steps - x.shape[1]))(sequence)
    y = _sequence(sequence, layout, directions(node))
    finals = [_state(tensors, layout) for tensors in states]
    forwards = node.attributes.get("direction", "forward") == "forward"
    if forwards and whole and mask is None:  # the last step is the state
        last = with_shape(finals[0], [1, 1, 1, y.shape[-1]])
        y = replace(y, along=time, pieces=((y.shape[time] - 1, last),))
    return [y, *finals]


def _of_length(node: Node, scope: Scope, x: Any) -> tuple[Any, Any]:
    """The steps that sequences have, and the mask of those that an input tells of, or None."""
    name = node.reads(lengths.POSITION)
    if not name:
        return x, None
    constant = scope.graph.constants.get(name)
    if constant is None:
        return x, scope.mask(name, x.shape[1])
    length = lengths.of_all(constant, x.shape[1])
    return (x if length == x.shape[1] else x[:, :length]), None


def _of_frames(node: Node, scope: Scope, value: Value) -> list[Value]:
    """A node that does one step of a stream, over the steps that stand in the batch's axis."""
    if node.reads(lengths.POSITION) in scope.lengths:
        raise UnspoolError(
            f"takes lengths {node.reads(lengths.POSITION)!r} of one step of a stream; export it "
            "without: a step that is to be skipped is a call that is not made"
        )
    layout = node.attributes.get("layout", 0)
    time, batch = (1, 0) if layout else (0, 1)
    if directions(node) == 2 or value.shape[time] != 1:
        raise UnspoolError("reads more than one step of a stream; expected one, forwards")
    layer = _layer(node, scope, 0, True, False, node.name)
    sequence = layer(arranged(value, [batch, 2]))
    layer.set_weights(_weights(node, scope, 0))
    states = [sequence, _stand_in(*sequence.shape[1:])][: _STATES[node.op]]
    # Y is (time, directions, batch, width) or (batch, time, directions, width), states without time
    y = laid_out(sequence, [0, 3] if layout else [2, 3], 4)
    return [y, *(laid_out(state, [0, 2] if layout else [1, 2], 3) for state in states)]


def _sequence(tensor: Any, layout: int, directions: int) -> Value:
    """Y: (time, directions, batch, width), or with the batch in front."""
    steps, features = tensor.shape[1:]
    whole = laid_out(tensor, [0, 1], 2)
    apart = with_shape(whole, (steps, directions, features // directions))
    time, direction, unit = apart.axes
    axes = (None, time, direction, unit) if layout else (time, direction, None, unit)
    return Value(apart.tensor, apart.dims, axes)


def _state(tensors: Sequence[Any], layout: int) -> Value:
    """Y_h or Y_c: (directions, batch, width), or with the batch in front."""
    parts = [laid_out(tensor, [2], 3) for tensor in tensors]
    return parts[0] if len(parts) == 1 else joined(parts, 1 if layout else 0)


def _one_way(
    node: Node, scope: Scope, x: Any, mask: Any, starts: Sequence[Any], read: frozenset[int]
) -> tuple[Any, list[list[Any]]]:
    """The sequence, and for h and c a list of one tensor."""
    backwards = node.attributes.get("direction") == "reverse"
    wants_state = 2 in read or {0, 1} <= read
    layer = _layer(node, scope, 0, 0 in read, wants_state, node.name)
    outputs = _called(layer, x, mask, _initial(starts, 1))
    layer.set_weights(_weights(node, scope, 0))
    sequence, *states = outputs if wants_state else [outputs]
    if not layer.return_sequences:
        sequence, states = _stand_in(x.shape[1], layer.units), states or [outputs]
    elif backwards:
        sequence = keras.ops.flip(sequence, axis=1)  # Keras has the last step in front
    missing = _STATES[node.op] - len(states)
    return sequence, [[state] for state in (*states, *[_stand_in(layer.units)] * missing)]


def _bidirectional(
    node: Node, scope: Scope, x: Any, mask: Any, starts: Sequence[Any], read: frozenset[int]
) -> tuple[Any, list[list[Any]]]:
    """The sequence, (None, time, both widths), and for h and c both directions' tensors."""
    wants_state = bool(read & {1, 2})
    forward, backward = (
        _layer(node, scope, n, 0 in read, wants_state, f"{node.name}_{'back' if n else 'forth'}")
        for n in (0, 1)
    )
    layer = keras.layers.Bidirectional(forward, backward_layer=backward, name=node.name)
    outputs = _called(layer, x, mask, _initial(starts, 2))
    layer.set_weights([*_weights(node, scope, 0), *_weights(node, scope, 1)])
    count, units = _STATES[node.op], forward.units
    sequence, *states = outputs if wants_state else [outputs]
    if not forward.return_sequences:
        sequence = _stand_in(x.shape[1], 2 * units)
    if not states:
        states = [_stand_in(units)] * 2 * count
    return sequence, [[states[n], states[n + count]] for n in range(count)]


def _stand_in(*shape: int) -> Any:
    """A tensor in place of one that nothing reads in the end."""
    return keras.KerasTensor((None, *shape), "float32")


def _called(layer: Any, x: Any, mask: Any, initial: list[Any]) -> Any:
    arguments = {"initial_state": initial} if initial else {}
    return layer(x, **arguments) if mask is None else layer(x, mask=mask, **arguments)


def _layer(
    node: Node, scope: Scope, direction: int, sequences: bool, state: bool, name: str
) -> Any:
    activations = of_cell(node, direction, directions(node))
    arguments = {
        "return_sequences": sequences,
        "return_state": state,
        "zero_output_for_mask": sequences and node.reads(lengths.POSITION) in scope.masks,
        "go_backwards": direction == 1 or node.attributes.get("direction") == "reverse",
        "use_bias": bool(node.reads(3)) or any(each.shift for each in activations),
        "name": name,
        **settings(activations),
    }
    if node.op == "GRU":
        arguments["reset_after"] = bool(node.attributes.get("linear_before_reset", 0))
    return _LAYERS[node.op](scope.needs(node, 2).shape[-1], **arguments)


def _weights(node: Node, scope: Scope, direction: int) -> list[np.ndarray]:
    """Keras's kernel, recurrent kernel and bias of one direction."""
    gates, units = _GATES[node.op], scope.needs(node, 2).shape[-1]
    scale, shift = linear(node.op, of_cell(node, direction, directions(node)), units)

    def ordered(array: np.ndarray) -> np.ndarray:
        parts = np.split(array, len(gates))
        scaled = np.concatenate([parts[gate] for gate in gates]).T * scale
        return np.asarray(scaled, np.float32)

    kernels = [ordered(scope.needs(node, n)[direction]) for n in (1, 2)]
    if not node.reads(3) and not shift.any():
        return kernels
    bias = scope.needs(node, 3)[direction] if node.reads(3) else np.zeros(2 * len(shift))
    biases = [ordered(half) for half in np.split(bias, 2)]
    biases[0] = (biases[0] + shift).astype(np.float32)
    apart = node.op == "GRU" and node.attributes.get("linear_before_reset", 0)
    return [*kernels, np.stack(biases) if apart else biases[0] + biases[1]]


def _start(node: Node, scope: Scope, position: int, x: Any) -> list[Any] | None:
    """The first state of each direction, (None, width), or None where it is zero."""
    name = node.reads(position)
    if not name:
        return None
    value = scope.values[name]
    count, width = directions(node), scope.needs(node, 2).shape[-1]
    axis = 1 if node.attributes.get("layout", 0) else 0
    if isinstance(value, Value):
        if value.shape != ((1, count, width) if axis else (count, 1, width)):
            raise UnspoolError(_misfit(value.shape, count, width))
        return [arranged(sliced(value, axis, n, n + 1), [2]) for n in range(count)]
    if value.ndim != 3 or value.shape[axis] != count or value.shape[-1] != width:
        raise UnspoolError(_misfit(value.shape, count, width))
    if not value.any():
        return None
    whole = np.moveaxis(value, axis, 0)
    if (whole != whole[:, :1]).any():
        raise UnspoolError("starts each sequence of a batch in another state; expected one")
    names = (f"{node.name}_{'hc'[position - 5]}{n or ''}_at_first" for n in range(count))
    return [as_sample(row[:1], x, name).tensor for row, name in zip(whole, names, strict=True)]


def _misfit(shape: Sequence[int], count: int, width: int) -> str:
    directions = f"{count} direction{'s' if count > 1 else ''}"
    return f"has a first state of {tuple(shape)}; expected {width} units in {directions}"


def _initial(starts: Sequence[list[Any] | None], directions: int) -> list[Any]:
    """First states as Keras takes them, direction by direction; empty if all are zero."""
    like = next((states[0] for states in starts if states), None)
    if like is None:
        return []
    return [
        states[n] if states else keras.ops.zeros_like(like)
        for n in range(directions)
        for states in starts
    ]
