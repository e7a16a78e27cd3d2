"""The mean over the valid steps of a padded sequence, in levels that int8 has enough of.

The mean over all steps, with 0 in the padded ones, is a short sequence's times a small part: it has
few levels. So the steps are multiplied before by a power of four, which brings that part to between
a quarter and 1, and the mean is divided by the part, which is the mean of the mask times the power.
A tensor has one scale, so there is one for each power: all of them but one are 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.activations import curves

_APART = 4  # with powers of two half as many levels are lost, and twice as many cycles needed

_reciprocal = curves.of(lambda x: 1.0 / tf.maximum(x, 0.8 / _APART))


class MaskedMean(keras.layers.Layer):  # type: ignore[misc]
    """A GlobalAveragePooling1D, of all steps or of those that a mask calls valid."""

    def __init__(self, source: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = 1 if source.data_format == "channels_last" else 2
        self.keepdims = source.keepdims

    def call(self, sequence: Any, valid: Any = None) -> Any:
        """The mean of (1, steps, width) over the steps: (1, width), or (1, 1, width).

        Args:
            sequence: what is averaged.
            valid: (1, steps), 1 for each valid step and 0 for each padded one. Where none is valid
                the mean is 0; Keras divides by zero there.
        """
        if valid is None:
            return tf.reduce_mean(sequence, self.axis, keepdims=self.keepdims)
        weights = list(_weights(valid))
        inverse = _reciprocal(_one_of(map(_over_time, weights)))
        total = _one_of(_over_time(sequence * each) for each in weights)
        mean = tf.multiply(total, inverse, name="mean")
        return tf.reshape(mean, (1, 1, -1) if self.keepdims else (1, -1))


def mean_of_last(sequence: Any, valid: Any) -> Any:
    """The mean of (1, steps, width) over the steps that are valid, which are the last: (1, width).

    The others are 0, so that a mean over as few of the last as hold all valid ones has levels
    enough, and nothing is multiplied before.

    Args:
        sequence: what is averaged.
        valid: (1, steps), 1 for each valid step, else 0; the last one is.
    """
    steps = sequence.shape[1]
    chosen = zip(_powers(steps), _chosen(valid), strict=True)
    parts = [(steps // power, one) for power, one in chosen]
    ones = (
        tf.reduce_mean(valid[:, -count:], axis=(0, 1), keepdims=True) * one for count, one in parts
    )
    total = _one_of(_over_time(sequence[:, -count:]) * one[0] for count, one in parts)
    inverse = _reciprocal(_one_of(tf.reshape(each, (1,)) for each in ones))
    return tf.reshape(tf.multiply(total, inverse, name="mean"), (1, -1))


def _powers(steps: int) -> list[int]:
    return [_APART**n for n in range(steps) if _APART**n <= steps]


def _chosen(valid: Any) -> Sequence[Any]:
    """(1, 1) for each power: 1 if the number of valid steps calls for it, else 0."""
    steps = valid.shape[1]
    powers = _powers(steps)
    most = np.array([*(steps // power for power in powers), 0])
    counted = tf.matmul(valid, tf.fill((steps, len(most)), 6.0))
    exceeded = tf.nn.relu6(tf.nn.bias_add(counted, tf.constant(-6.0 * most, tf.float32)))
    chosen = tf.matmul(exceeded, tf.constant(np.diff(np.eye(len(most))) / 6, tf.float32))
    parts: Sequence[Any] = tf.split(chosen, len(powers), axis=1)
    return parts


def _weights(valid: Any) -> Iterator[Any]:
    """(1, steps, 1) for each power: it in valid steps if their number calls for it, else 0."""
    steps = valid.shape[1]
    for one, power in zip(_chosen(valid), _powers(steps), strict=True):
        yield tf.reshape(valid, (1, steps, 1)) * tf.reshape(one * float(power), (1, 1, 1))


def _over_time(part: Any) -> Any:
    """The mean over time, (1, steps, width) -> (width,)."""
    return tf.reduce_mean(part, axis=(0, 1))


def _one_of(means: Iterable[Any]) -> Any:
    """(width, 1): the one of several, (width,), that is not 0."""
    stacked = tf.stack(list(means), axis=-1)
    return tf.matmul(stacked, tf.ones((stacked.shape[-1], 1)))
