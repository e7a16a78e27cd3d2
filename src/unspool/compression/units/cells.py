"""The channels of recurrent layers: units, tied to their states and to the rows that read them."""

from dataclasses import replace
from typing import Any

import numpy as np

from unspool.compression.units.channels import Call, Channels, Path
from unspool.compression.units.movements import is_elementwise
from unspool.support._tensorflow import keras

_CELLS = {keras.layers.SimpleRNNCell: 1, keras.layers.GRUCell: 1, keras.layers.LSTMCell: 2}
"""Keras's own cells, by the number of their states; what others compute is not known."""


def is_known(layer: Any) -> bool:
    """Whether a layer is recurrent and its cells are Keras's own, with elementwise activations."""
    if isinstance(layer, keras.layers.Bidirectional):
        return is_known(layer.forward_layer) and is_known(layer.backward_layer)
    return isinstance(layer, keras.layers.RNN) and all(
        type(cell) in _CELLS
        and is_elementwise(cell.activation)
        and is_elementwise(getattr(cell, "recurrent_activation", None))
        for cell, _ in _cells(layer)
    )


def recurrent(channels: Channels, call: Call) -> list[np.ndarray]:
    """A layer of one cell, or of stacked ones: the sequence or its last step, then the states."""
    features = call.inputs[0].channels
    states = []
    for cell, path in _cells(call.layer):
        features = _cell(channels, call, cell, path, features)
        states += [features] * _CELLS[type(cell)]
    for initial_state, state in zip(call.inputs[1:], states, strict=False):
        channels.join(initial_state.channels, state)
    return [features, *states][: len(call.shapes)]


def bidirectional(channels: Channels, call: Call) -> list[np.ndarray]:
    """Two layers over the same sequence, whose outputs are put side by side, or computed with."""
    layer = call.layer
    begun = call.inputs[1:]
    half = len(begun) // 2
    both = []
    for inner, key, initial_states in (
        (layer.forward_layer, "layer", begun[:half]),
        (layer.backward_layer, "backward_layer", begun[half:]),
    ):
        within = replace(
            call,
            layer=inner,
            inputs=(call.inputs[0], *initial_states),
            shapes=call.shapes[:1] * _outputs(inner),
            path=(*call.path, key, "config"),
        )
        both.append(recurrent(channels, within))
    (forward, *states), (backward, *others) = both
    if layer.merge_mode == "concat":
        outputs = [np.concatenate([forward, backward])]
    elif layer.merge_mode is None:
        outputs = [forward, backward]
    else:
        channels.join(forward, backward)
        outputs = [forward]
    return [*outputs, *states, *others][: len(call.shapes)]


def _outputs(layer: Any) -> int:
    """How many tensors a recurrent layer gives: its states too, where it returns them."""
    states = sum(_CELLS[type(cell)] for cell, _ in _cells(layer))
    return 1 + (states if layer.return_state else 0)


def _cells(layer: Any) -> list[tuple[Any, Path]]:
    """The cells of a recurrent layer, and where their configurations are in the layer's."""
    cell = layer.cell
    if isinstance(cell, keras.layers.StackedRNNCells):
        return [
            (inner, ("cell", "config", "cells", number, "config"))
            for number, inner in enumerate(cell.cells)
        ]
    return [(cell, ("cell", "config") if type(layer) is keras.layers.RNN else ())]


def _cell(
    channels: Channels, call: Call, cell: Any, path: Path, features: np.ndarray
) -> np.ndarray:
    """A cell reads features and its own state; its gates lie side by side in its kernels."""
    units = channels.units(call.owner, (*call.path, *path, "units"), cell.units)
    gates = np.tile(units, cell.kernel.shape[1] // cell.units)
    channels.axis(cell.kernel, 0, features, is_read=True)
    channels.axis(cell.kernel, 1, gates)
    channels.axis(cell.recurrent_kernel, 0, units, is_read=True)
    channels.axis(cell.recurrent_kernel, 1, gates)
    if cell.bias is not None:
        channels.axis(cell.bias, -1, gates)
    return units
