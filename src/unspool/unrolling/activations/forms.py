"""What is deployed for each activation of Keras, in layers and in cells.

A form is made of operators that have an int8 form, or it is a curve, which the quantizer turns into
such. What an activation computes on its way is named after what it computes in the end, so that a
cell has the same names in every step.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from unspool.frontend.activations import activation_name
from unspool.support._tensorflow import keras, tf
from unspool.unrolling.activations import curves
from unspool.unrolling.activations.curves import Activation


def _part(name: str | None, part: str) -> str | None:
    return name and f"{name}_{part}"


def _linear(x: Any, name: str | None = None) -> Any:
    """No activation; keeps the role's name."""
    return tf.identity(x, name=name)


def hard_sigmoid(x: Any, name: str | None = None) -> Any:
    """Keras 3's: `relu6(x + 3) / 6`."""
    return tf.multiply(tf.nn.relu6(tf.add(x, 3.0, name=_part(name, "plus_3"))), 1 / 6, name=name)


def _hard_sigmoid_of_keras_2(x: Any, name: str | None = None) -> Any:
    """`0.2 x + 0.5`, at least 0 and at most 1."""
    return hard_sigmoid(tf.multiply(x, 1.2, name=_part(name, "times_6_fifths")), name)


def _hard_tanh(x: Any, name: str | None = None) -> Any:
    return tf.maximum(tf.minimum(x, 1.0, name=_part(name, "below_1")), -1.0, name=name)


def clipped_relu(limit: float) -> Activation:
    """`relu(x)`, and `limit` at most."""

    def activation(x: Any, name: str | None = None) -> Any:
        return tf.minimum(tf.nn.relu(x, name=_part(name, "relu")), limit, name=name)

    return activation


def leaky_relu(slope: float) -> Activation:
    """`x` above 0, `slope x` below."""
    choose = tf.maximum if slope <= 1 else tf.minimum

    def activation(x: Any, name: str | None = None) -> Any:
        return choose(x, tf.multiply(x, slope, name=_part(name, "leak")), name=name)

    return activation


def elu(slope: float) -> Activation:
    """`x` above 0, `slope (exp(x) - 1)` below: a leaky ReLU of ELU."""
    if slope == 1:
        return tf.nn.elu  # type: ignore[no-any-return]
    leak = leaky_relu(slope)
    return lambda x, name=None: leak(tf.nn.elu(x, name=_part(name, "elu")), name)


def _selu(x: Any, name: str | None = None) -> Any:
    """1.05 times an ELU: of `a elu(x)` and `b elu(x)` always the lower."""
    slope, scale = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017, appendix A1
    y = tf.nn.elu(x, name=_part(name, "elu"))
    above = tf.multiply(y, scale, name=_part(name, "above"))
    below = tf.multiply(y, scale * slope, name=_part(name, "below"))
    return tf.minimum(above, below, name=name)


def _hard_silu(x: Any, name: str | None = None) -> Any:
    """`x relu6(x + 3) / 6`, in which the converter sees its HARD_SWISH."""
    factor = tf.nn.relu6(tf.add(x, 3.0, name=_part(name, "plus_3")))
    return tf.multiply(x, tf.multiply(factor, 1 / 6, name=_part(name, "sixth")), name=name)


def _silu(x: Any, name: str | None = None) -> Any:
    return tf.multiply(x, tf.sigmoid(x, name=_part(name, "sigmoid")), name=name)


FORMS: dict[str, Activation] = {
    "celu": tf.nn.elu,
    "elu": tf.nn.elu,
    "exponential": tf.exp,
    "gelu": curves.gelu,
    "hard_shrink": curves.hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_of_keras_2": _hard_sigmoid_of_keras_2,
    "hard_silu": _hard_silu,
    "hard_tanh": _hard_tanh,
    "leaky_relu": leaky_relu(0.2),
    "linear": _linear,
    "log_sigmoid": curves.log_sigmoid,
    "mish": curves.mish,
    "relu": tf.nn.relu,
    "relu6": clipped_relu(6.0),
    "selu": _selu,
    "sigmoid": tf.sigmoid,
    "silu": _silu,
    "soft_shrink": curves.soft_shrink,
    "softplus": curves.softplus,
    "softsign": curves.softsign,
    "sparse_plus": curves.sparse_plus,
    "sparse_sigmoid": curves.sparse_sigmoid,
    "squareplus": curves.squareplus,
    "tanh": tf.tanh,
    "tanh_shrink": curves.tanh_shrink,
}
"""Keras's name of an activation -> its form: functions of one value, with Keras's defaults."""


def has_form(function: Any) -> bool:
    """Whether an activation, a function or a layer, is a function of one value that is deployed."""
    return _known_form(function) is not None


def form(function: Any) -> Activation:
    """What is deployed for an activation that has a form.

    Raises:
        KeyError: it has none.
    """
    activation = _known_form(function)
    if activation is None:
        raise KeyError(activation_name(function))
    return activation


def of_operation(operation: Any) -> Activation | None:
    """The form of a function of `keras.ops`, where it is given what the activation would be."""
    kind = type(operation).__name__.replace("ReLU", "Relu")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
    own = getattr(keras.activations, name, None)
    if own is None or name not in FORMS:
        return None
    defaults = {key: p.default for key, p in inspect.signature(own).parameters.items()}
    parameters = {key: getattr(operation, key) for key in defaults if hasattr(operation, key)}
    usual = all(value == defaults[key] for key, value in parameters.items())
    return FORMS[name] if usual else _with(name, parameters)


def _with(name: str, parameters: Mapping[str, Any]) -> Activation | None:
    """An activation with other parameters than it usually has."""
    match name, parameters:
        case "relu", {"max_value": limit, "negative_slope": slope, "threshold": threshold}:
            return _relu(limit, slope, threshold)
        case "leaky_relu", {"negative_slope": slope}:
            return leaky_relu(slope)
        case "elu", {"alpha": slope}:
            return elu(slope)
    return None


def _known_form(function: Any) -> Activation | None:
    match function:
        case keras.layers.Activation(activation=inner):
            return _known_form(inner)
        case keras.layers.ReLU(max_value=limit, negative_slope=slope, threshold=threshold):
            return _relu(limit, slope, threshold)
        case keras.layers.LeakyReLU(negative_slope=slope):
            return leaky_relu(slope)
        case keras.layers.ELU(alpha=slope):
            return elu(slope)
    return FORMS.get(activation_name(function))


def _relu(limit: float | None, slope: float, threshold: float) -> Activation:
    """Keras's ReLU, by as few operators as what it takes allows."""
    if threshold or (slope and limit is not None):
        return curves.relu(limit, slope, threshold)
    if limit is not None:
        return clipped_relu(limit)
    return leaky_relu(slope) if slope else tf.nn.relu
