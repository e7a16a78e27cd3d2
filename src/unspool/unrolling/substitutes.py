"""Substitutes for layers whose Keras form needs an operator that has no int8 form."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unspool.frontend import structure
from unspool.support._tensorflow import keras, tf
from unspool.unrolling import movements, reductions, resizing
from unspool.unrolling.activations.forms import form, has_form
from unspool.unrolling.recurrent.weights import OfTrained


class Lookup(OfTrained):
    """An Embedding without Keras's wrapping of negative ids, which TFLM has no operators for."""

    def __init__(self, embedding: Any, **kwargs: Any) -> None:
        super().__init__(
            lambda: {"table": tf.convert_to_tensor(embedding.embeddings)}, dtype="float32", **kwargs
        )

    def call(self, ids: Any) -> Any:
        """Rows of the table, (..., width), for ids (...)."""
        return tf.gather(self.tensor("table"), ids)


class _Normalization(keras.layers.Layer):  # type: ignore[misc]
    """A layer of Keras's that divides by a deviation, with operators that have an int8 form."""

    def __init__(self, source: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def scaled(self, centred: Any, variance: Any) -> Any:
        """What deviates from the mean, (..., width), in units of its deviation and of the layer."""
        y = centred * tf.math.rsqrt(variance + self.source.epsilon)
        if self.source.scale:
            y *= tf.convert_to_tensor(self.source.gamma)
        return y + tf.convert_to_tensor(self.source.beta) if self.source.center else y


class LayerNormalization(_Normalization):
    """Over the last axis: no NEG."""

    def call(self, x: Any) -> Any:
        """Normalise `x`, (..., width), by its last axis."""
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        return self.scaled(centred, tf.reduce_mean(centred * centred, axis=-1, keepdims=True))


class GroupNormalization(_Normalization):
    """With means that the NPU takes: over time, then over each group of features.

    The latter is a product with a constant matrix, which spreads the means again.
    """

    def call(self, x: Any) -> Any:
        """Normalise `x`, (1, ..., width), by all axes within each group of its features."""
        width = x.shape[-1]
        size = width // (width if self.source.groups == -1 else self.source.groups)
        groups = np.arange(width) // size
        spread = tf.constant((groups[:, None] == groups) / size, tf.float32)
        rows = tf.reshape(x, (1, -1, width))
        centred = rows - tf.reduce_mean(rows, axis=1) @ spread
        variance = tf.reduce_mean(centred * centred, axis=1) @ spread
        return tf.reshape(self.scaled(centred, variance), x.shape)


def _repeats_each(counts: Sequence[int]) -> Callable[[Any], Any]:
    """Each row and column of an image (1, rows, columns, width) so many times."""

    def repeated(x: Any) -> Any:
        for axis, count in enumerate(counts, start=1):
            x = movements.each_repeated(x, count, axis)
        return x

    return repeated


def _leaks(layer: Any) -> Callable[[Any], Any]:
    """The function of a PReLU: a slope below 0 for each feature, or for each step too."""
    slope = np.asarray(layer.alpha)

    def leaked(x: Any) -> Any:
        above = tf.nn.relu(x)
        return above + slope * (x - above)

    return leaked


def _normalizes(layer: Any) -> Callable[[Any], Any]:
    """The function of a Normalization, whose mean and variance a clone would not have."""
    mean, width = np.asarray(layer.mean), structure.spread(layer)
    if layer.invert:
        return lambda x: x * width + mean
    return lambda x: (x - mean) * (1 / width)


def added(tensors: Sequence[Any]) -> Any:
    """The sum of tensors.

    Keras's Add takes an addend such as (1, time, 1) for a bias, which does not convert.
    """
    return functools.reduce(tf.add, tensors)


class Function(keras.layers.Layer):  # type: ignore[misc]
    """A layer that is a function of its input."""

    def __init__(self, function: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, x: Any) -> Any:
        """Apply the function."""
        return self.function(x)


def global_max(x: Any, keepdims: bool) -> Any:
    """Largest value of each feature over time or over an image: (1, ..., width) -> (1, width)."""
    return reductions.largest_over(x, tuple(range(1, len(x.shape) - 1)), keepdims)


_GLOBAL_MAX = tuple(getattr(keras.layers, f"GlobalMaxPooling{n}D") for n in (1, 2, 3))


def activated(layer: Any) -> Callable[[Any], Any] | None:
    """What to apply in place of a layer's own activation; None for one without a form."""
    activation = getattr(layer, "activation", None)
    return form(activation) if activation is not None and has_form(activation) else None


def _adaptive(layer: Any) -> Callable[[Any], Any] | None:
    """The form of an adaptive pooling, of whichever kind this Keras has."""
    if "Average" in type(layer).__name__:
        return resizing.adaptive_average(layer)
    return resizing.adaptive_largest(layer)


def _function(form: Callable[[Any], Any] | None, name: str) -> Function | None:
    return form and Function(form, name=name)


def substitute(layer: Any, name: str) -> Any | None:
    """A layer that computes the same and has an int8 form, or None where the layer has one."""
    match layer:
        case keras.layers.Embedding():
            return Lookup(layer, name=name)
        case keras.layers.Normalization():
            return Function(_normalizes(layer), name=name)
        case keras.layers.LayerNormalization(axis=-1 | [-1], rms_scaling=False):
            return LayerNormalization(layer, name=name)
        case keras.layers.ReLU() | keras.layers.LeakyReLU() | keras.layers.ELU():
            return Function(form(layer), name=name)
        case keras.layers.PReLU():
            return Function(_leaks(layer), name=name)
        case keras.layers.GroupNormalization(axis=-1):
            return GroupNormalization(layer, name=name)
        case keras.layers.UpSampling1D(size=count):
            return Function(_repeats_each([count]), name=name)
        case keras.layers.UpSampling2D(interpolation="nearest", data_format="channels_last"):
            return Function(_repeats_each(layer.size), name=name)
        case _ if isinstance(layer, _GLOBAL_MAX) and layer.data_format == "channels_last":
            return Function(lambda x: global_max(x, layer.keepdims), name=name)
        case _ if type(layer).__name__.startswith("Adaptive"):
            return _function(_adaptive(layer), name)
        case keras.layers.Resizing():
            return _function(resizing.resizing(layer), name)
        case keras.layers.Add():
            return Function(added, name=name)
        case keras.layers.Average():
            return Function(lambda tensors: added(tensors) * (1 / len(tensors)), name=name)
        case keras.layers.RepeatVector(n=count):
            return Function(lambda x: tf.stack([x] * count, axis=1), name=name)
    return None
