"""Arithmetic, entry by entry, and reductions over axes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Given, Scope
from unspool.frontend.onnx.values import Value, arranged, deeper, laid_out, natural_order
from unspool.support._tensorflow import keras

K = keras.ops


def _of_two(function: Callable[[Any, Any], Any]) -> Build:
    def build(node: Node, scope: Scope) -> Value:
        left, right = (scope.values[name] for name in node.inputs)
        return combined(function, left, right)

    return build


def combined(function: Callable[[Any, Any], Any], left: Given, right: Given) -> Value:
    """A function of two values, or of a value and a constant, with ONNX's broadcasting."""
    rank = max(_rank(left), _rank(right))
    order = _order([deeper(value, rank) for value in (left, right) if isinstance(value, Value)])
    constants = [np.asarray(v) for v in (left, right) if not isinstance(v, Value)]
    for constant in constants:
        shape = (1,) * (rank - constant.ndim) + constant.shape
        order = [*(n for n in range(rank) if shape[n] != 1 and n not in order), *order]
    whole = all(map(_is_whole, (left, right)))
    operands = [_operand(value, order, rank, whole) for value in (left, right)]
    return laid_out(function(*operands), order, rank)


def _rank(value: Given) -> int:
    return len(value.axes) if isinstance(value, Value) else np.ndim(value)


def _order(values: list[Value]) -> list[int]:
    """ONNX's axes as the value with most of them has them, the others' in front."""
    first, *others = sorted(values, key=lambda value: -len(value.dims))
    order = natural_order(first)
    missing = [a for value in others for a in natural_order(value) if a not in order]
    return [*dict.fromkeys(missing), *order]


def _operand(value: Given, order: list[int], rank: int, whole_numbers: bool) -> Any:
    if isinstance(value, Value):
        return arranged(deeper(value, rank), order)
    constant = np.asarray(value, np.int32 if whole_numbers else np.float32)
    if constant.size == 1:
        return constant.item()
    whole = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
    other_axes = [axis for axis in range(rank) if axis not in order]
    return whole.transpose([*other_axes, *order]).reshape(
        [1, *(whole.shape[axis] for axis in order)]
    )


def _of_many(function: Callable[[Any, Any], Any]) -> Build:
    def build(node: Node, scope: Scope) -> Value:
        operands = [scope.values[name] for name in node.inputs]
        result, *others = sorted(operands, key=lambda value: not isinstance(value, Value))
        for value in others:  # what is computed comes first
            result = combined(function, result, value)
        assert isinstance(result, Value)
        return result

    return build


def _of_one(function: Callable[[Any], Any]) -> Build:
    def build(node: Node, scope: Scope) -> Value:
        value = scope.value(node)
        return value.like(function(value.tensor))

    return build


def _power(node: Node, scope: Scope) -> Value:
    base, exponent = (scope.values[name] for name in node.inputs)
    if isinstance(base, Value) and not isinstance(exponent, Value) and exponent.size == 1:
        power = float(exponent.item())
        known = {1.0: lambda x: x, 2.0: K.square, 0.5: K.sqrt, -1.0: K.reciprocal}
        result = base.like(known.get(power, lambda x: K.power(x, power))(base.tensor))
        return deeper(result, max(len(base.axes), exponent.ndim))
    return combined(K.power, base, exponent)


def _divided(node: Node, scope: Scope) -> Value:
    left, right = (scope.values[name] for name in node.inputs)
    if all(_is_whole(value) for value in (left, right)):
        raise UnspoolError("divides whole numbers, which has no form on the NPU; divide floats")
    return combined(K.divide, left, right)


def _is_whole(value: Given) -> bool:
    kind = value.tensor.dtype if isinstance(value, Value) else str(value.dtype)
    return "int" in str(kind)


def _mean_of(node: Node, scope: Scope) -> Value:
    total = _of_many(K.add)(node, scope)
    assert isinstance(total, Value)
    return total.like(total.tensor / float(len(node.inputs)))


def _reduced(
    function: Callable[..., Any],
    before: Callable[[Any], Any] | None = None,
    after: Callable[[Any], Any] | None = None,
) -> Build:
    """A reduction over axes that are named by an attribute, or by an input in newer versions."""

    def build(node: Node, scope: Scope) -> Value:
        value = scope.value(node)
        rank = len(value.axes)
        constant = scope.given(node, 1, "axes")
        axes = [] if constant is None else [int(axis) % rank for axis in constant.ravel()]
        over = axes or ([] if node.attributes.get("noop_with_empty_axes", 0) else range(rank))
        value = value.like(before(value.tensor)) if before else value
        whole = reduced(value, list(over), bool(node.attributes.get("keepdims", 1)), function)
        return whole.like(after(whole.tensor)) if after else whole

    return build


def reduced(value: Value, over: list[int], keep: bool, function: Callable[..., Any]) -> Value:
    """A value with axes reduced to one entry, which stay as such or go."""
    rank = len(value.axes)
    order = natural_order(value)
    places = [order.index(axis) + 1 for axis in over if value.axes[axis] is not None]
    remaining_axes = [axis for axis in order if axis not in over]
    if not places:  # of one entry each
        whole = value
    elif not remaining_axes:
        flat = function(arranged(value, order), axis=tuple(places), keepdims=True)
        whole = Value(K.reshape(flat, (-1, 1)), (), (None,) * rank)
    else:
        axis = places[0] if len(places) == 1 else tuple(places)
        whole = laid_out(function(arranged(value, order), axis=axis), remaining_axes, rank)
    if keep:
        return whole
    return Value(
        whole.tensor, whole.dims, tuple(a for n, a in enumerate(whole.axes) if n not in over)
    )


FORMS: dict[str, Build] = {
    "Abs": _of_one(K.absolute),
    "Add": _of_two(K.add),
    "Cos": _of_one(K.cos),
    "Div": _divided,
    "Erf": _of_one(K.erf),
    "Exp": _of_one(K.exp),
    "Floor": _of_one(K.floor),
    "Log": _of_one(K.log),
    "Max": _of_many(K.maximum),
    "Mean": _mean_of,
    "Min": _of_many(K.minimum),
    "Mul": _of_two(K.multiply),
    "Neg": _of_one(K.negative),
    "Pow": _power,
    "Reciprocal": _of_one(K.reciprocal),
    "ReduceL1": _reduced(K.sum, K.absolute),
    "ReduceL2": _reduced(K.sum, K.square, K.sqrt),
    "ReduceMax": _reduced(K.max),
    "ReduceMean": _reduced(K.mean),
    "ReduceMin": _reduced(K.min),
    "ReduceSum": _reduced(K.sum),
    "ReduceSumSquare": _reduced(K.sum, K.square),
    "Sin": _of_one(K.sin),
    "Sqrt": _of_one(K.sqrt),
    "Sub": _of_two(K.subtract),
    "Sum": _of_many(K.add),
}
"""Operators of one value or two, entry by entry, and over axes."""
