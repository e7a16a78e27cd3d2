"""What a layer or function of Keras's does to channels: makes, reads, joins or fixes them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from unspool.compression.units import cells
from unspool.compression.units.channels import Call, Channels
from unspool.frontend.activations import activation_name
from unspool.frontend.structure import REMOVED
from unspool.support._tensorflow import keras

Outputs = list[np.ndarray]


def through(channels: Channels, call: Call) -> Outputs:
    """The channels of a call's outputs.

    What is not known of an operation is not guessed: the channels that it reads stay.
    """
    open_ended = any(not tensor.shape or tensor.shape[-1] is None for tensor in call.inputs)
    rule = None if open_ended else _rule(call)
    return _unknown(channels, call) if rule is None else rule(channels, call)


def _unknown(channels: Channels, call: Call) -> Outputs:
    reason = f"{call.owner.name!r}, a {type(call.owner).__name__}, takes them by their place"
    for tensor in call.inputs:
        channels.fix(tensor.channels, reason)
    made = f"{call.owner.name!r}, a {type(call.owner).__name__}, makes them"
    return [channels.fixed(last(shape), made) for shape in call.shapes]


def last(shape: tuple[int | None, ...]) -> int:
    """How many channels a tensor with the batch in its shape has; 0 where that is open."""
    return (shape[-1] or 0) if len(shape) > 1 else 0


def _kept(channels: Channels, call: Call) -> Outputs:
    """Every output has the input's channels."""
    if any(last(shape) != len(call.inputs[0].channels) for shape in call.shapes):
        return _unknown(channels, call)
    return [call.inputs[0].channels for _ in call.shapes]


def _computed(name: str) -> Callable[[Channels, Call], Outputs]:
    """A layer with a kernel whose last two axes are what is read and what is computed."""

    def computed(channels: Channels, call: Call) -> Outputs:
        layer, read = call.layer, call.inputs[0].channels
        if layer.kernel.shape[-2] != len(read) or getattr(layer, "lora_enabled", False):
            return _unknown(channels, call)  # groups of channels
        units = channels.units(call.owner, (*call.path, name), layer.kernel.shape[-1])
        channels.axis(layer.kernel, -2, read, is_read=True)
        return [_activated(channels, layer, units, layer.kernel)]

    return computed


def _activated(channels: Channels, layer: Any, units: np.ndarray, kernel: Any) -> np.ndarray:
    """What a kernel computes, with a bias, through an activation."""
    channels.axis(kernel, -1, units)
    if layer.bias is not None:
        channels.axis(layer.bias, -1, units)
    if activation_name(layer.activation) == "softmax":  # each channel depends on all
        channels.fix(units, "they go through a softmax")
    return units


def _embedding(channels: Channels, call: Call) -> Outputs:
    layer = call.layer
    for tensor in call.inputs:
        channels.fix(tensor.channels, f"{layer.name!r} looks them up")
    units = channels.units(call.owner, (*call.path, "output_dim"), layer.output_dim)
    channels.axis(layer.embeddings, 1, units)
    return [units]


def _depthwise(channels: Channels, call: Call) -> Outputs:
    layer, read = call.layer, call.inputs[0].channels
    if layer.depth_multiplier != 1:
        return _unknown(channels, call)
    channels.axis(layer.kernel, -2, read)
    return [_weighed(channels, layer.bias, read)]


def _separable(channels: Channels, call: Call) -> Outputs:
    layer, read = call.layer, call.inputs[0].channels
    if layer.depth_multiplier != 1:
        return _unknown(channels, call)
    channels.axis(layer.depthwise_kernel, -2, read)
    channels.axis(layer.pointwise_kernel, -2, read, is_read=True)
    units = channels.units(call.owner, (*call.path, "filters"), layer.filters)
    return [_activated(channels, layer, units, layer.pointwise_kernel)]


def _weighed(channels: Channels, weight: Any, read: np.ndarray) -> np.ndarray:
    if weight is not None:
        channels.axis(weight, -1, read)
    return read


def _normalised(channels: Channels, call: Call) -> Outputs:
    """Each channel has weights of its own in each of the layer's variables."""
    layer, read = call.layer, call.inputs[0].channels
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    if [axis % len(call.inputs[0].shape) for axis in axes] != [len(call.inputs[0].shape) - 1]:
        return _unknown(channels, call)
    for weight in layer.weights:
        if tuple(weight.shape) == (len(read),):
            channels.axis(weight, 0, read)
    return [read]


def _elementwise(channels: Channels, call: Call) -> Outputs:
    """Sums and the like: channels at one place are one, where they are not spread over others."""
    count = last(call.shapes[0])
    if _has_constants(call):
        return _unknown(channels, call)
    whole = [tensor.channels for tensor in call.inputs if len(tensor.channels) == count]
    for tensor in call.inputs:
        if len(tensor.channels) != count:
            channels.fix(tensor.channels, f"{call.owner.name!r} spreads them over others")
    for other in whole[1:]:
        channels.join(whole[0], other)
    return [whole[0]]


def _has_constants(call: Call) -> bool:
    """Whether a function was given arrays of numbers, which may have channels."""
    if call.arguments is None:
        return False
    given = keras.tree.flatten((call.arguments.args, call.arguments.kwargs))
    return any(np.size(value) > 1 for value in given if not _is_symbolic(value))


def _is_symbolic(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor | str | bytes)


def _concatenated(channels: Channels, call: Call) -> Outputs:
    rank = len(call.shapes[0])
    if call.layer.axis % rank == rank - 1:
        return [np.concatenate([tensor.channels for tensor in call.inputs])]
    return _elementwise(channels, call)


def _flattened(channels: Channels, call: Call) -> Outputs:
    """The channels of each step, one step behind the other."""
    read, count = call.inputs[0].channels, last(call.shapes[0])
    if len(read) == 0 or count % len(read) or not count:
        return _unknown(channels, call)
    return [np.tile(read, count // len(read))]


def _reshaped(channels: Channels, call: Call) -> Outputs:
    """Last axes that become one, and nothing else."""
    before, after = call.inputs[0].shape[1:], call.shapes[0][1:]
    merged = len(before) - len(after) + 1
    simple = merged >= 1 and None not in before[-merged:]
    if not simple or before[: len(before) - merged] != after[:-1]:
        return _unknown(channels, call)
    made = _flattened(channels, call)
    channels.width(call.owner, (*call.path, "target_shape", len(after) - 1), made[0])
    return made


def _sliced(channels: Channels, call: Call) -> Outputs:
    """A part of the steps, with all channels."""
    key = call.arguments.args[1] if len(call.arguments.args) > 1 else None
    keys = key if isinstance(key, tuple) else (key,)
    leaves_last = len(keys) < len(call.inputs[0].shape) or keys[-1] == slice(None)
    if Ellipsis in keys or not leaves_last or not call.shapes[0][1:]:
        return _unknown(channels, call)
    return _kept(channels, call)


def _distributed(channels: Channels, call: Call) -> Outputs:
    """A layer that runs on each step."""
    inputs = tuple(replace(t, shape=(t.shape[0], *t.shape[2:])) for t in call.inputs)
    shapes = tuple((shape[0], *shape[2:]) for shape in call.shapes)
    within = replace(
        call,
        layer=call.layer.layer,
        inputs=inputs,
        shapes=shapes,
        path=(*call.path, "layer", "config"),
    )
    return through(channels, within)


def _pooled(channels: Channels, call: Call) -> Outputs:
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        return _unknown(channels, call)
    return _kept(channels, call)


def _activation(channels: Channels, call: Call) -> Outputs:
    if activation_name(call.layer.activation) == "softmax":
        return _unknown(channels, call)
    return _kept(channels, call)


_LAYERS: tuple[tuple[tuple[type, ...], Callable[[Channels, Call], Outputs]], ...] = (
    ((keras.layers.TimeDistributed,), _distributed),
    ((keras.layers.Dense,), _computed("units")),
    ((keras.layers.Conv1D, keras.layers.Conv2D), _computed("filters")),
    ((keras.layers.Embedding,), _embedding),
    ((keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D), _depthwise),
    ((keras.layers.SeparableConv1D, keras.layers.SeparableConv2D), _separable),
    (
        (keras.layers.BatchNormalization, keras.layers.LayerNormalization),
        _normalised,
    ),
    (
        (
            keras.layers.Add,
            keras.layers.Average,
            keras.layers.Maximum,
            keras.layers.Minimum,
            keras.layers.Multiply,
            keras.layers.Subtract,
        ),
        _elementwise,
    ),
    ((keras.layers.Concatenate,), _concatenated),
    ((keras.layers.Flatten,), _flattened),
    ((keras.layers.Reshape,), _reshaped),
    ((keras.layers.Activation,), _activation),
    (
        (
            keras.layers.AveragePooling1D,
            keras.layers.AveragePooling2D,
            keras.layers.Cropping1D,
            keras.layers.GlobalAveragePooling1D,
            keras.layers.GlobalAveragePooling2D,
            keras.layers.GlobalMaxPooling1D,
            keras.layers.GlobalMaxPooling2D,
            keras.layers.MaxPooling1D,
            keras.layers.MaxPooling2D,
            keras.layers.UpSampling1D,
            keras.layers.ZeroPadding1D,
            keras.layers.ZeroPadding2D,
        ),
        _pooled,
    ),
    (
        (
            *REMOVED,
            keras.layers.ELU,
            keras.layers.LeakyReLU,
            keras.layers.Masking,
            keras.layers.ReLU,
            keras.layers.RepeatVector,
        ),
        _kept,
    ),
)
_FUNCTIONS: dict[str, Callable[[Channels, Call], Outputs]] = {
    **dict.fromkeys(("Add", "Maximum", "Minimum", "Multiply", "Subtract"), _elementwise),
    **dict.fromkeys(("Cast", "Elu", "LeakyRelu", "Relu", "Relu6", "Sigmoid", "Tanh"), _kept),
    "GetItem": _sliced,
}


def _rule(call: Call) -> Callable[[Channels, Call], Outputs] | None:
    """What to do with a call; None where nothing is known of its operation."""
    operation = call.layer
    if not isinstance(operation, keras.layers.Layer):
        return _FUNCTIONS.get(type(operation).__name__)
    if cells.is_known(operation):
        is_pair = isinstance(operation, keras.layers.Bidirectional)
        return cells.bidirectional if is_pair else cells.recurrent
    return next((rule for types, rule in _LAYERS if type(operation) in types), None)
