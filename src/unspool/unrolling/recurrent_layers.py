"""Keras's recurrent layers and wrappers -> their deploy-time form, on symbolic tensors.

Each function takes a built Keras layer and a name, and returns a function that is called as the
layer is called.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from unspool.support._tensorflow import keras
from unspool.tflite import names
from unspool.unrolling.given_states import input_of
from unspool.unrolling.recurrent import conv_lstm, gru, keras_cell, lstm, simple_rnn
from unspool.unrolling.recurrent.cell import Cell
from unspool.unrolling.recurrent.initial import Constants, initial_values
from unspool.unrolling.recurrent.loop import Unrolled
from unspool.unrolling.recurrent.masked import Padding
from unspool.unrolling.substitutes import substitute


@dataclass(frozen=True)
class DeployState:
    """A state of the deploy model.

    Attributes:
        layer: the trained layer that it is a state of.
        names: in the .tflite.
        before: the symbolic input, (1, width).
        after: the symbolic output, of the same shape.
    """

    layer: Any
    names: names.State
    before: Any
    after: Any


DeployLayer: TypeAlias = Callable[..., Any]

_CELLS: dict[type, Callable[[Any], Cell]] = {
    conv_lstm.ConvLSTMCell: conv_lstm.from_keras,
    keras.layers.GRUCell: gru.from_keras,
    keras.layers.LSTMCell: lstm.from_keras,
    keras.layers.SimpleRNNCell: simple_rnn.from_keras,
}

KNOWN_CELLS = tuple(_CELLS)
"""The cells with a deploy-time form of their own; others are run as they are."""

MERGES = {
    "concat": keras.layers.Concatenate,
    "sum": keras.layers.Add,
    "mul": keras.layers.Multiply,
    "ave": keras.layers.Average,
}
"""What a Bidirectional merges its two outputs with, by its `merge_mode`."""


def cells(layer: Any) -> list[Any]:
    """The Keras cells of a recurrent layer, from the input on."""
    stacked = isinstance(layer.cell, keras.layers.StackedRNNCells)
    return list(layer.cell.cells) if stacked else [layer.cell]


def recurrent(layer: Any, name: str) -> DeployLayer:
    """A SimpleRNN, GRU, LSTM, `RNN(cell)` or `RNN([cell, ...])`."""
    unrolled = _unrolled(layer, name)
    own = _initial(layer, name)

    def call(sequence: Any, initial_state: Any = None, mask: Any = None, **_: Any) -> Any:
        initial = _flat(initial_state) or own(sequence)
        outputs, last, states = _run(unrolled, sequence, initial, mask)
        output = outputs if layer.return_sequences else last
        return [output, *states] if layer.return_state else output

    return call


def streaming(
    layer: Any,
    name: str,
    states: list[DeployState],
    give: Callable[[str], str],
    calls_before: Callable[[Any], int],
    inputs: Mapping[int, str],
) -> DeployLayer:
    """A recurrent layer whose states come in and go out.

    Args:
        layer: the Keras layer.
        name: of its deploy-time form.
        states: the layer's states are appended to it, each time it is called.
        give: turns a name into one that no other tensor or layer has.
        calls_before: how many first calls give nothing of a tensor that the sequence has.
        inputs: of the deploy model, by id, and their names: what the layer is given as first states
            is one of them.
    """
    unrolled = _unrolled(layer, name, continues=True)

    def call(sequence: Any, initial_state: Any = None, mask: Any = None, **_: Any) -> Any:
        # A layer that is called again has states of its own in each call.
        first = not any(state.layer is layer for state in states)
        initial = iter([tuple(map(float, value.ravel())) for value in initial_values(layer)])
        called = [owner.name if first else give(owner.name) for owner in unrolled]
        held = calls_before(sequence)
        entries = [
            (replace(names.state(name, state), initial=next(initial, ()), held=held), shape)
            for name, owner in zip(called, unrolled, strict=True)
            for state, shape in zip(_state_names(owner.cell), owner.cell.state_shapes, strict=True)
        ]
        state_inputs = _flat(initial_state)
        if state_inputs:
            entries = [
                (replace(state, input=inputs[id(input_of(tensor))], given=True), shape)
                for tensor, (state, shape) in zip(state_inputs, entries, strict=True)
            ]
        else:
            state_inputs = [
                keras.Input(shape, batch_size=1, name=give(names.keras_name(state.input)))
                for state, shape in entries
            ]
        outputs, last, after = _run(unrolled, sequence, state_inputs, mask)
        states.extend(
            DeployState(layer, state, before, new)
            for (state, _), before, new in zip(entries, state_inputs, after, strict=True)
        )
        output = outputs if layer.return_sequences else last
        return [output, *after] if layer.return_state else output

    return call


def _state_names(cell: Cell) -> Sequence[str]:
    """`h` for one state, `h` and `c` for two as in Keras's LSTM, numbered names for more."""
    count = len(cell.state_shapes)
    return {1: ("h",), 2: ("h", "c")}.get(count, [f"h{number}" for number in range(count)])


def bidirectional(layer: Any, name: str) -> DeployLayer:
    """A Bidirectional of any recurrent layer, whatever its `merge_mode`."""
    forward = _unrolled(layer.forward_layer, f"{name}_forward")
    parts = layer.forward_layer, layer.backward_layer
    # Sequences are merged by time: the backward layer gives its outputs in that order.
    backward = _unrolled(layer.backward_layer, f"{name}_backward", in_time_order=True)
    merge: Any = list
    if layer.merge_mode:
        merge = MERGES[layer.merge_mode](name=f"{name}_merge")
        merge = substitute(merge, merge.name) or merge

    own = [
        _initial(part, each[0].name) for part, each in zip(parts, (forward, backward), strict=True)
    ]

    def call(sequence: Any, initial_state: Any = None, mask: Any = None, **_: Any) -> Any:
        initial = _flat(initial_state)
        half = len(initial) // 2
        runs = [
            _run(forward, sequence, initial[:half] or own[0](sequence), mask),
            _run(backward, sequence, initial[half:] or own[1](sequence), mask),
        ]
        output = merge([run[0 if layer.return_sequences else 1] for run in runs])
        if not layer.return_state:
            return output
        return [*_flat(output), *runs[0][2], *runs[1][2]]

    return call


def _initial(layer: Any, name: str) -> Callable[[Any], list[Any]]:
    """Gives the initial states of a layer that is called without any; none for zeros."""
    values = initial_values(layer)
    if not values:
        return lambda sequence: []
    constants = Constants(values, name=f"{name}_initial")
    return lambda sequence: list(constants(sequence))


def _unrolled(
    layer: Any, name: str, *, in_time_order: bool = False, continues: bool = False
) -> list[Unrolled]:
    """One unrolled layer per cell: a stack of cells is a stack of layers.

    Where the Keras layer goes backwards, the first reads its input backwards, and the others follow
    in the order of processing; the last may put its outputs back into the order of time.
    """
    stack = cells(layer)
    padding = Padding(bool(layer.zero_output_for_mask), layer.go_backwards, continues)
    return [
        Unrolled(
            partial(_CELLS.get(type(cell), keras_cell.from_keras), cell),
            go_backwards=layer.go_backwards and number == 0,
            reverse_outputs=layer.go_backwards and in_time_order and number == len(stack) - 1,
            padding=padding,
            name=name if len(stack) == 1 else f"{name}_cell_{number}",
            dtype="float32",
        )
        for number, cell in enumerate(stack)
    ]


def _run(
    stack: Sequence[Unrolled], sequence: Any, initial_state: Sequence[Any], mask: Any = None
) -> tuple[Any, Any, list[Any]]:
    """Run a stack on a sequence: outputs of all steps, the last output, all states."""
    after: list[Any] = []
    remaining = list(initial_state)
    last = None
    for layer in stack:
        count = len(layer.cell.state_shapes)
        own, remaining = remaining[:count], remaining[count:]
        sequence, last, *states = layer(sequence, initial_state=own or None, valid=mask)
        after += states
    return sequence, last, after


def _flat(tensors: Any) -> list[Any]:
    return [] if tensors is None else keras.tree.flatten(tensors)
