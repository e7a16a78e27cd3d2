"""Products with matrices: Gemm, MatMul, and lookups in a table."""

from math import prod
from string import ascii_lowercase

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.arithmetic import combined
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import (
    Value,
    arranged,
    deeper,
    laid_out,
    natural_order,
    transposed,
    with_shape,
)
from unspool.support._tensorflow import keras

_MOST = 2**24
"""Entries of a block-diagonal kernel: no NPU has room for one of more."""


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
        return _stacked(value, matrix, isinstance(left, Value), node.name)
    value = deeper(value, max(len(value.axes), matrix.ndim))
    flat, rank = matrix.reshape(matrix.shape[-2:]), len(value.axes)
    if isinstance(left, Value):
        return dense(value, rank - 1, flat, None, node.name)
    return dense(value, rank - 2, flat.T, None, node.name)


def multiplied(value: Value, kernel: np.ndarray, terms: tuple[str, str, str], name: str) -> Value:
    """A value by a constant, summed over the axes that the result has not.

    The axes that both have and the result keeps are groups, each with a matrix of its own: these
    stand on the diagonal of one matrix, whose zeros cost the compiled file next to nothing.

    Args:
        value: what is computed.
        kernel: the constant.
        terms: a letter for each axis of the value, of the kernel and of the result.
        name: of the layer.

    Raises:
        UnspoolError: the sizes misfit, or it is no such product.
    """
    left, right, result = terms
    sizes = dict(zip(left + right, (*value.shape, *kernel.shape), strict=False))
    fits = len(left) == len(value.axes) and len(right) == kernel.ndim
    if not fits or [sizes[c] for c in left] != list(value.shape):
        raise UnspoolError(
            f"multiplies {value.shape} by {kernel.shape} as {left},{right}: a misfit"
        )
    groups = [c for c in left if c in right and c in result]
    summed = [c for c in left if c in right and c not in result]
    rest = [c for c in left if c not in right]
    new = [c for c in right if c not in left]
    if sorted(result) != sorted([*groups, *rest, *new]) or not summed:
        raise UnspoolError(
            f"makes {result} of {left} and {right}; expected a sum over axes of both alone"
        )
    order = [left.index(c) for c in (*rest, *groups, *summed)]
    shapes = [[sizes[c] for c in letters] for letters in (rest, groups, summed, new)]
    count, inner, outer = map(prod, shapes[1:])
    blocks = kernel.transpose([right.index(c) for c in (*groups, *summed, *new)])
    matrix = diagonal(blocks.reshape(count, inner, outer))
    flat = with_shape(transposed(value, order), [*shapes[0], count * inner])
    product = dense(flat, len(rest), matrix, None, name)
    apart = with_shape(product, [*shapes[0], *shapes[1], *shapes[3]])
    product_axes = [*rest, *groups, *new]
    return transposed(apart, [product_axes.index(c) for c in result])


def diagonal(blocks: np.ndarray) -> np.ndarray:
    """One kernel, (groups rows, groups columns, ...), of those of groups; zero outside of them.

    Raises:
        UnspoolError: it would be too large.
    """
    groups, rows, columns, *rest = blocks.shape
    if groups * blocks.size > _MOST:
        raise UnspoolError(
            f"has {groups} kernels of {blocks[0].size} entries, of which one kernel would have "
            f"{groups * blocks.size:,}; expected at most {_MOST:,}"
        )
    whole = np.zeros((groups, rows, groups, columns, *rest), np.float32)
    whole[range(groups), :, range(groups)] = blocks
    return whole.reshape(groups * rows, groups * columns, *rest)


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


def _stacked(value: Value, matrices: np.ndarray, is_left: bool, name: str) -> Value:
    """A value by matrices of their own for entries of the axes in front, with broadcasting."""
    rank = max(len(value.axes), matrices.ndim)
    value = deeper(value, rank)
    whole = matrices.reshape((1,) * (rank - matrices.ndim) + matrices.shape)
    leading = ascii_lowercase[: rank - 2]
    sizes = list(zip(leading, value.shape, whole.shape, strict=False))
    ours = "".join(c for c, own, other in sizes if own > 1 or other == 1)
    theirs = "".join(c for c, _, other in sizes if other > 1)
    squeezed = with_shape(
        value, [value.shape[leading.index(c)] for c in ours] + [*value.shape[-2:]]
    )
    kernel = whole.reshape([whole.shape[leading.index(c)] for c in theirs] + [*whole.shape[-2:]])
    first, second = ("RS", "SC") if is_left else ("SC", "RS")  # rows, what is summed, columns
    return multiplied(squeezed, kernel, (ours + first, theirs + second, f"{leading}RC"), name)


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
