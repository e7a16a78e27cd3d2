"""Products with matrices: Gemm, MatMul, and lookups in a table."""

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.arithmetic import combined
from unspool.frontend.onnx.building import Build, Scope
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.values import (
    Value,
    arranged,
    deeper,
    laid_out,
    natural_order,
    transposed,
)
from unspool.support._tensorflow import keras


def dense(value: Value, axis: int, kernel: np.ndarray, bias: np.ndarray | None, name: str) -> Value:
    """A Dense layer over one axis of a value, which has as many entries as `kernel` has rows.

    Raises:
        UnspoolError: it has not.
    """
    if value.shape[axis] != kernel.shape[0]:
        raise UnspoolError(
            f"multiplies axis {axis} of {value.shape} by a matrix of {kernel.shape[0]} rows"
        )
    order = [other for other in natural_order(value) if other != axis] + [axis]
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name)
    result = layer(arranged(value, order))
    layer.set_weights([kernel, *([] if bias is None else [bias])])
    return laid_out(result, order, len(value.axes))


def _gemm(node: Node, scope: Scope) -> Value:
    """`alpha A B + beta C`, A of any rank: a MatMul and an Add are one, too."""
    value, kernel = scope.value(node), scope.needs(node, 1)
    if node.attributes.get("transA"):
        value = transposed(value, (1, 0))
    if node.attributes.get("transB"):
        kernel = kernel.T
    kernel, last = kernel * np.float32(node.attributes.get("alpha", 1.0)), len(value.axes) - 1
    bias = scope.given(node, 2)
    if bias is None:
        return dense(value, last, kernel, None, node.name)
    bias = bias.astype(np.float32) * np.float32(node.attributes.get("beta", 1.0))
    if bias.ndim > 1 and bias.shape[0] != 1:  # for each row another
        return combined(keras.ops.add, dense(value, last, kernel, None, node.name), bias)
    row = np.broadcast_to(bias, (1, kernel.shape[1]))[0]
    return dense(value, last, kernel, row, node.name)


def _matmul(node: Node, scope: Scope) -> Value:
    left, right = (scope.values[name] for name in node.inputs)
    if isinstance(left, Value) and isinstance(right, Value):
        return _of_two(left, right)
    value, matrix = (left, right) if isinstance(left, Value) else (right, left)
    assert isinstance(value, Value)
    matrix = np.asarray(matrix)
    if matrix.ndim < 2 or len(value.axes) < 2:
        raise UnspoolError("multiplies by a vector; expected a matrix")
    if max(matrix.shape[:-2], default=1) > 1:
        raise UnspoolError(f"multiplies by {matrix.shape}, matrices of their own; expected one")
    value = deeper(value, max(len(value.axes), matrix.ndim))
    flat, rank = matrix.reshape(matrix.shape[-2:]), len(value.axes)
    if isinstance(left, Value):
        return dense(value, rank - 1, flat, None, node.name)
    return dense(value, rank - 2, flat.T, None, node.name)


def _of_two(left: Value, right: Value) -> Value:
    """A product of what is computed: (..., rows, inner) by (..., inner, columns)."""
    rank = max(len(left.axes), len(right.axes))
    if min(len(left.axes), len(right.axes)) < 2:
        raise UnspoolError("multiplies by a vector; expected a matrix")
    left, right = deeper(left, rank), deeper(right, rank)
    leading = [n for n in range(rank - 2) if left.axes[n] is not None or right.axes[n] is not None]
    order = [*leading, rank - 2, rank - 1]
    product = keras.ops.matmul(arranged(left, order), arranged(right, order))
    return laid_out(product, order, rank)


def lookup(node: Node, scope: Scope) -> Value | None:
    """Rows of a table by numbers that are computed or fed: an Embedding."""
    table, ids = scope.values[node.inputs[0]], scope.values[node.inputs[1]]
    if isinstance(table, Value) or not isinstance(ids, Value):
        return None
    if table.ndim != 2 or node.attributes.get("axis", 0) != 0:
        raise UnspoolError(f"looks up in {table.shape}; expected rows of a table of two axes")
    layer = keras.layers.Embedding(*table.shape, name=node.name)
    order = natural_order(ids)
    result = layer(arranged(ids, order))
    layer.set_weights([table])
    return laid_out(result, [*order, len(ids.axes)], len(ids.axes) + 1)


FORMS: dict[str, Build] = {"Gemm": _gemm, "MatMul": _matmul}
"""Operators that multiply by a matrix."""
