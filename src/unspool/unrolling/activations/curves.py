"""Activations that no runtime has a quantized operator for, in operators of float.

What lies within one is in a scope of its own, by which the quantizer knows that all of it is a
function of one value (`quantization/curves.py`); the last operator lies outside, and has the name.
It takes two tensors: the converter would move a constant into the layer behind it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from unspool.support._tensorflow import tf
from unspool.tflite.names import CURVE

Activation: TypeAlias = Callable[..., Any]
"""Of a tensor and, by keyword, the name of what comes out."""


def _curve(last: Callable[..., Any], *parts: Callable[[Any], Any]) -> Activation:
    """The activation `last(part(x), another(x), ...)`."""

    def activation(x: Any, name: str | None = None) -> Any:
        with tf.name_scope(CURVE):
            # x itself, but no operator on it becomes part of the layer before.
            x = tf.maximum(x, -tf.abs(x))
            within = [part(x) for part in parts]
        return last(*within, name=name)

    return activation


def of(function: Callable[[Any], Any]) -> Activation:
    """Any function of one value as a curve; of two operators at its end, one always is lower."""
    return _curve(tf.maximum, function, lambda x: function(x) - 1.0)


def _itself(x: Any) -> Any:
    return x


def _log1p_exp(x: Any) -> Any:
    """`log(1 + exp(-|x|))`, which is log 2 at most."""
    return tf.math.log(1.0 + tf.exp(-tf.abs(x)))


def _softplus(x: Any) -> Any:
    return tf.nn.relu(x) + _log1p_exp(x)


def _times_erfc(x: Any) -> Any:
    """`|x|/2 erfc(|x| / sqrt 2)`: LiteRT has no erf. Abramowitz and Stegun 7.1.26, to 1.5e-7."""
    size = tf.abs(x)
    k = 1.0 / (1.0 + 0.3275911 / 2**0.5 * size)
    sum_ = 1.061405429 * k
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = (sum_ + factor) * k
    return 0.5 * size * sum_ * tf.exp(-0.5 * x * x)


def relu(limit: float | None, slope: float, threshold: float) -> Activation:
    """Keras's ReLU, with all that it takes."""
    return _curve(
        tf.where,
        lambda x: x > threshold,
        lambda x: x if limit is None else tf.minimum(x, limit),
        lambda x: slope * (x - threshold),
    )


gelu = _curve(tf.subtract, tf.nn.relu, _times_erfc)
hard_shrink = _curve(tf.where, lambda x: tf.abs(x) > 0.5, _itself, lambda x: 0.0)
log_sigmoid = _curve(tf.subtract, lambda x: tf.minimum(x, 0.0), _log1p_exp)
mish = _curve(tf.multiply, _itself, lambda x: tf.tanh(_softplus(x)))
soft_shrink = _curve(tf.subtract, lambda x: tf.nn.relu(x - 0.5), lambda x: tf.nn.relu(-0.5 - x))
softplus = _curve(tf.add, tf.nn.relu, _log1p_exp)
softsign = _curve(tf.divide, _itself, lambda x: 1.0 + tf.abs(x))
sparse_plus = _curve(
    tf.add,
    lambda x: tf.nn.relu(x - 1.0),
    lambda x: tf.square(0.5 * tf.minimum(tf.nn.relu(x + 1.0), 2.0)),
)
sparse_sigmoid = _curve(
    tf.subtract, lambda x: tf.nn.relu(0.5 * x + 0.5), lambda x: tf.nn.relu(0.5 * x - 0.5)
)
squareplus = _curve(tf.add, lambda x: 0.5 * x, lambda x: tf.sqrt(0.25 * x * x + 1.0))
tanh_shrink = _curve(tf.subtract, _itself, tf.tanh)
