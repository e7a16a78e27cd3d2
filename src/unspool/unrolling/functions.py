"""What is deployed for functions of `keras.ops` whose own operators have no int8 form.

Each form takes what the function's `call` takes: tensors, and constants where the user gave some.
Truth values are the numbers 1 and 0.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unspool.support._tensorflow import keras, tf
from unspool.unrolling import edges, movements, reductions, resizing
from unspool.unrolling.activations import curves
from unspool.unrolling.activations.forms import of_operation
from unspool.unrolling.movements import Form


def form(operation: Any) -> Form | None:
    """The form of a function of `keras.ops`; None for one whose own operators will do."""
    if not type(operation).__module__.startswith("keras."):
        return None
    activation = of_operation(operation)
    if activation:
        return activation
    make = _FORMS.get(type(operation).__name__)
    return make(operation) if make else None


class FunctionForm(keras.layers.Layer):  # type: ignore[misc]
    """A form as a layer of its tensors.

    Attributes:
        stands_for: the function of `keras.ops`, and what it was called with.
    """

    def __init__(self, form: Form, stands_for: tuple[Any, Sequence[Any]], name: str) -> None:
        super().__init__(name=name)
        self.form = form
        self.stands_for = stands_for

    def call(self, tensors: Any) -> Any:
        """The function of its tensors; what else it was called with is a constant."""
        rest = iter(tensors)
        arguments = keras.tree.map_structure(
            lambda x: next(rest) if keras.utils.is_keras_tensor(x) else x, self.stands_for[1]
        )
        return self.form(*arguments)


def called(operation: Any, form: Form, name: str) -> Callable[..., Any]:
    """What is called in place of a function of `keras.ops`: with tensors and constants."""

    def call(*args: Any, **named: Any) -> Any:
        args = (*args, *named.values())
        tensors = list(filter(keras.utils.is_keras_tensor, keras.tree.flatten(args)))
        return FunctionForm(form, (operation, args), name)(tensors)

    return call


def _always(function: Form) -> Callable[[Any], Form]:
    return lambda operation: function


def _curve(function: Callable[[Any], Any]) -> Callable[[Any], Form]:
    return _always(curves.of(function))


def _is_number(value: Any) -> bool:
    return np.ndim(value) == 0 and not tf.is_tensor(value)


_zero = curves.of(lambda x: tf.where(tf.equal(x, 0.0), 1.0, 0.0))
_step = curves.of(lambda x: tf.where(x > 0.0, 1.0, 0.0))
_reciprocal = curves.of(lambda x: 1.0 / x)
_reciprocal_or_zero = curves.of(lambda x: tf.math.divide_no_nan(1.0, x))


def _arcsin(x: Any) -> Any:
    return tf.atan2(x, tf.sqrt(1.0 - x * x))  # the only arc that LiteRT has


def _number(truth: Any) -> Any:
    """1 and 0 for truth values, which those of a function without a form still are."""
    return tf.cast(truth, tf.float32) if tf.as_dtype(truth.dtype).is_bool else truth


def _difference(x: Any, y: Any) -> Any:
    """Of real or whole numbers, in float."""
    return tf.cast(x, tf.float32) - tf.cast(y, tf.float32)


def _greater(x: Any, y: Any) -> Any:
    return _step(_difference(x, y))


def _not(truth: Any) -> Any:
    return 1.0 - _number(truth)


def _larger(x: Any, y: Any) -> Any:
    return tf.maximum(x, y) if tf.is_tensor(x) else tf.maximum(y, x)  # takes the tensor's type


def _smaller(x: Any, y: Any) -> Any:
    return tf.minimum(x, y) if tf.is_tensor(x) else tf.minimum(y, x)


def _both(x: Any, y: Any) -> Any:
    return _number(x) * _number(y)


def _either(x: Any, y: Any) -> Any:
    return tf.maximum(_number(x), _number(y))


def _any(operation: Any) -> Form:
    of = reductions.largest(operation)
    return lambda truth: of(_number(truth))


def _all(operation: Any) -> Form:
    of = reductions.largest(operation)
    return lambda truth: 1.0 - of(_not(truth))


def _chosen(condition: Any, x: Any, y: Any) -> Any:
    return y + _number(condition) * (x - y)


def _quotient(inverse: Form) -> Form:
    """A division: a product with a curve where the divisor is not a constant."""

    def divided(x: Any, y: Any) -> Any:
        return x * inverse(y) if tf.is_tensor(y) else x * (1.0 / np.asarray(y, np.float32))

    return divided


def _power(x: Any, exponent: Any) -> Any:
    if _is_number(x):
        return curves.of(lambda exponent: tf.exp(exponent * math.log(x)))(exponent)
    if not _is_number(exponent):
        return tf.pow(x, exponent)
    if exponent in (1, 2):
        return x if exponent == 1 else tf.square(x)
    return curves.of(lambda x: tf.pow(x, float(exponent)))(x)


def _log_of_sum(x: Any, y: Any) -> Any:
    """`log(exp(x) + exp(y))`."""
    return _larger(x, y) + curves.of(lambda d: tf.math.log(1.0 + tf.exp(-tf.abs(d))))(x - y)


def _thresholded(operation: Any) -> Form:
    limit, other = operation.threshold, operation.default_value
    return curves.of(lambda x: tf.where(x > limit, x, other))


def _never(x: Any) -> Any:
    """No value of a deployed network is infinite, or not a number."""
    return 0.0 * x


def _numbers(name: str) -> Callable[[Any], Form]:
    """A function that leaves out what is not a number: as one of this name, which does not."""
    function = getattr(keras.ops, name)
    return lambda operation: lambda x: function(x, operation.axis, keepdims=operation.keepdims)


_FORMS: dict[str, Callable[[Any], Form | None]] = {
    "AdaptiveAveragePool": resizing.adaptive_average,
    "AdaptiveMaxPool": resizing.adaptive_largest,
    "Add": _always(operator.add),
    "All": _all,
    "Amax": reductions.largest,
    "Amin": reductions.smallest,
    "Any": _any,
    "Arccos": _curve(lambda x: math.pi / 2 - _arcsin(x)),
    "Arccosh": _curve(lambda x: tf.math.log(x + tf.sqrt(x * x - 1.0))),
    "Arcsin": _curve(_arcsin),
    "Arcsinh": _curve(lambda x: tf.math.log(x + tf.sqrt(x * x + 1.0))),
    "Arctan": _curve(lambda x: _arcsin(x * tf.math.rsqrt(x * x + 1.0))),
    "Arctanh": _curve(lambda x: 0.5 * tf.math.log((1.0 + x) / (1.0 - x))),
    "BroadcastTo": movements.broadcast,
    "Cbrt": _curve(lambda x: tf.sign(x) * tf.pow(tf.abs(x), 1 / 3)),
    "Ceil": _curve(tf.math.ceil),
    "Cosh": _curve(lambda x: 0.5 * (tf.exp(x) + tf.exp(-x))),
    "Cumsum": reductions.running_sum,
    "Divide": _always(_quotient(_reciprocal)),
    "DivideNoNan": _always(_quotient(_reciprocal_or_zero)),
    "Equal": _always(lambda x, y: _zero(_difference(x, y))),
    "Exp2": _curve(lambda x: tf.exp(x * math.log(2.0))),
    "Flip": movements.flip,
    "Fliplr": _always(movements.reverse((1,))),
    "Flipud": _always(movements.reverse((0,))),
    "Floor": _curve(tf.math.floor),
    "Fmax": _always(_larger),
    "Fmin": _always(_smaller),
    "Greater": _always(_greater),
    "GreaterEqual": _always(lambda x, y: _not(_greater(y, x))),
    "Hypot": _always(lambda x, y: tf.sqrt(tf.square(x) + tf.square(y))),
    "Isfinite": _always(lambda x: 1.0 - _never(x)),
    "Isinf": _always(_never),
    "Isnan": _always(_never),
    "Isneginf": _always(_never),
    "Isposinf": _always(_never),
    "Less": _always(lambda x, y: _greater(y, x)),
    "LessEqual": _always(lambda x, y: _not(_greater(x, y))),
    "Logaddexp": _always(_log_of_sum),
    "LogicalAnd": _always(_both),
    "LogicalNot": _always(_not),
    "LogicalOr": _always(_either),
    "LogicalXor": _always(lambda x, y: tf.abs(_number(x) - _number(y))),
    "Logsumexp": reductions.log_of_sum,
    "Max": reductions.largest,
    "Min": reductions.smallest,
    "Multiply": _always(operator.mul),
    "NanToNum": _always(tf.identity),  # a deployed network has no value that is not a number
    "Nancumsum": reductions.running_sum,
    "Nanmax": reductions.largest,
    "Nanmean": _numbers("mean"),
    "Nanmin": reductions.smallest,
    "Nanprod": reductions.product,
    "Nanstd": _numbers("std"),
    "Nansum": _numbers("sum"),
    "Nanvar": _numbers("var"),
    "NotEqual": _always(lambda x, y: _not(_zero(_difference(x, y)))),
    "Pad": movements.pad,
    "Power": _always(_power),
    "Prod": reductions.product,
    "Ptp": reductions.span,
    "Reciprocal": _always(_reciprocal),
    "Repeat": movements.repeat,
    "Resize": resizing.resize,
    "Round": _curve(tf.round),
    "Sign": _curve(tf.sign),
    "Sinh": _curve(lambda x: 0.5 * (tf.exp(x) - tf.exp(-x))),
    "SobelEdges": edges.sobel,
    "Subtract": _always(operator.sub),
    "Take": movements.take,
    "Tan": _curve(lambda x: tf.sin(x) / tf.cos(x)),
    "Threshold": _thresholded,
    "Tile": movements.tile,
    "TrueDivide": _always(_quotient(_reciprocal)),
    "Trunc": _curve(lambda x: tf.sign(x) * tf.math.floor(tf.abs(x))),
    "Where": _always(_chosen),
}
"""Class of a function of `keras.ops` -> what makes its form."""
