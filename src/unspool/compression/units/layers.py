"""What a layer or function of Keras's does to channels: one rule for each kind."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from unspool.compression.units import cells, kernels, movements
from unspool.compression.units.channels import Call, Channels, Outputs, unknown
from unspool.frontend.ranged import Ranged
from unspool.frontend.structure import REMOVED
from unspool.support._tensorflow import keras

Rule: TypeAlias = Callable[[Channels, Call], Outputs]


def through(channels: Channels, call: Call) -> Outputs:
    """The channels of a call's outputs.

    What is not known of an operation is not guessed: the channels that it reads stay.
    """
    open_ended = any(not tensor.shape or tensor.shape[-1] is None for tensor in call.inputs)
    rule = None if open_ended else _rule(call)
    return unknown(channels, call) if rule is None else rule(channels, call)


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


_LAYERS: tuple[tuple[tuple[type, ...], Rule], ...] = (
    ((keras.layers.TimeDistributed,), _distributed),
    ((keras.layers.Dense,), kernels.computed("units")),
    ((keras.layers.Conv1D, keras.layers.Conv2D), kernels.computed("filters")),
    ((keras.layers.Embedding,), kernels.embedding),
    ((keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D), kernels.depthwise),
    ((keras.layers.SeparableConv1D, keras.layers.SeparableConv2D), kernels.separable),
    (
        (keras.layers.BatchNormalization, keras.layers.LayerNormalization),
        kernels.normalised,
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
        movements.elementwise,
    ),
    ((keras.layers.Concatenate,), movements.concatenated),
    ((keras.layers.Flatten,), movements.flattened),
    ((keras.layers.Reshape,), movements.reshaped),
    ((keras.layers.Activation,), movements.activation),
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
        movements.pooled,
    ),
    (
        (
            *REMOVED,
            Ranged,
            keras.layers.ELU,
            keras.layers.LeakyReLU,
            keras.layers.Masking,
            keras.layers.ReLU,
            keras.layers.RepeatVector,
        ),
        movements.unchanged,
    ),
)
_FUNCTIONS: dict[str, Rule] = {
    **dict.fromkeys(("Add", "Maximum", "Minimum", "Multiply", "Subtract"), movements.elementwise),
    **dict.fromkeys(("Cast", "Elu", "LeakyRelu", "Relu"), movements.unchanged),
    **dict.fromkeys(("Relu6", "Sigmoid", "Tanh"), movements.unchanged),
    "GetItem": movements.sliced,
}


def _rule(call: Call) -> Rule | None:
    """What to do with a call; None where nothing is known of its operation."""
    operation = call.layer
    if not isinstance(operation, keras.layers.Layer):
        return _FUNCTIONS.get(type(operation).__name__)
    if cells.is_known(operation):
        is_pair = isinstance(operation, keras.layers.Bidirectional)
        return cells.bidirectional if is_pair else cells.recurrent
    return next((rule for types, rule in _LAYERS if type(operation) in types), None)
