"""How much each unit matters: what the outputs lose where its values are no longer read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.compression.units.channels import Channels
from unspool.frontend.structure import last_activation, packed
from unspool.support._tensorflow import keras, tf

_DRAWS = 64
_BATCH = 64


def scores(model: Any, channels: Channels, data: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """The score of each channel, by number; channels that are one have one score.

    Imagine a gate on the values of a channel, where they are read: 1 now, 0 once it is gone. The
    outputs' change is, to second order, the squared derivative by the gate (Molchanov et al. 2019,
    "Importance estimation for neural network pruning"), which is the sum of weight times gradient
    over the rows that read the channel. Outputs are weighed as the Kullback-Leibler divergence
    weighs them, a softmax as 2 sqrt(p) (Fisher's metric), so no labels are needed: a random
    direction of the outputs is drawn for each batch, and the mean over draws is the squared norm.

    Args:
        model: a built Sequential or Functional model.
        channels: its layout.
        data: samples, one array (samples, ...) per input.
        seed: draws samples and directions.
    """
    read = [axis for axis in channels.axes.values() if axis.is_read]
    gradients = _gradients(model, [axis.variable for axis in read])
    random = np.random.default_rng(seed)
    total = np.zeros(channels.count)
    for draw in range(_DRAWS):
        chosen = random.permutation(len(data[0]))[:_BATCH]
        fed = packed(model, [array[np.sort(chosen)] for array in data])
        products = gradients(fed, tf.constant([seed, draw]))
        gates = np.zeros_like(total)
        for axis, product in zip(read, products, strict=True):
            others = tuple(n for n in range(product.ndim) if n != axis.axis)
            np.add.at(gates, channels.roots(axis.channels), np.asarray(product).sum(others))
        total += gates**2
    every: np.ndarray = total[channels.roots(np.arange(channels.count))] / _DRAWS
    return every


def _gradients(model: Any, variables: list[Any]) -> Any:
    """A function of a batch and a seed: weight times gradient, of each variable's weights."""
    is_softmax = [last_activation(output) == "softmax" for output in model.outputs]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def products(fed: Any, seed: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(fed, training=False))
            moved = [
                _drawn(output, softmax, seed)
                for output, softmax in zip(outputs, is_softmax, strict=True)
            ]
            loss = tf.add_n(moved)
        values = [tf.convert_to_tensor(variable) for variable in variables]
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        return [
            tf.zeros_like(value) if gradient is None else value * gradient
            for value, gradient in zip(values, gradients, strict=True)
        ]

    return products


def _drawn(output: Any, is_softmax: bool, seed: Any) -> Any:
    """An output in a random direction, in units of its own spread."""
    output = tf.cast(output, tf.float32)
    if is_softmax:
        output = 2 * tf.sqrt(output + 1e-12)
    else:
        output = output / (tf.stop_gradient(tf.math.reduce_std(output)) + 1e-12)
    return tf.reduce_sum(output * tf.random.stateless_normal(tf.shape(output), seed))
