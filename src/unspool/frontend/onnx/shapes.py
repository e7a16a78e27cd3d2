"""What moves values about: most of it becomes no layer."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.dense import lookup
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.padding import pad
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import (
    Value,
    arranged,
    deeper,
    joined,
    laid_out,
    natural_order,
    sliced,
    transposed,
    with_shape,
)
from unspool.support._tensorflow import keras

_MOST_PIECES = 256
"""Entries that a Gather takes in an order of its own: each is a layer."""

_FLOAT, _WHOLE = (1, 10, 11, 16), (6, 7)
"""ONNX's numbers of types that a Cast may lead to."""


def _same(node: Node, scope: Scope) -> Value:
    return scope.value(node)


def _cast(node: Node, scope: Scope) -> Value:
    value, to = scope.value(node), node.attributes.get("to")
    if to not in _FLOAT + _WHOLE:
        raise UnspoolError(f"leads to type {to}; expected floats, int32 or int64")
    dtype = "float32" if to in _FLOAT else "int32"
    if value.tensor.dtype == dtype:
        return value
    return value.like(keras.ops.cast(value.tensor, dtype))


def _dropout(node: Node, scope: Scope) -> Value:
    training = scope.given(node, 2)
    if training is not None and bool(training):
        raise UnspoolError("was exported in training mode; call model.eval() before the export")
    return scope.value(node)


def _transpose(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    backwards = tuple(reversed(range(len(value.axes))))
    return transposed(value, node.attributes.get("perm", backwards))


def _axes(node: Node, scope: Scope, rank: int) -> list[int] | None:
    axes = scope.given(node, 1, "axes")
    return None if axes is None else sorted(int(axis) % rank for axis in axes.ravel())


def _squeeze(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    axes = _axes(node, scope, len(value.axes))
    if axes is None:
        axes = [axis for axis, size in enumerate(value.shape) if size == 1]
    return with_shape(value, [size for axis, size in enumerate(value.shape) if axis not in axes])


def _unsqueeze(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    count = scope.given(node, 1, "axes")
    if count is None:
        raise UnspoolError("does not say which axes it adds")
    shape = list(value.shape)
    for axis in _axes(node, scope, len(shape) + count.size) or []:
        shape.insert(axis, 1)
    return with_shape(value, shape)


_MOST_AXES = 64


def _reshape(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    sizes = scope.given(node, 1, "shape")
    if sizes is None:
        raise UnspoolError("does not say the shape")
    if sizes.size > _MOST_AXES:
        raise UnspoolError(f"makes {sizes.size} axes; expected at most {_MOST_AXES}")
    shape = [int(size) for size in sizes]
    own: list[int] = []
    if not node.attributes.get("allowzero", 0):
        own = [n for n, size in enumerate(shape) if size == 0]
        shape = [value.shape[n] if n in own else size for n, size in enumerate(shape)]
    return with_shape(value, _fitting(shape, own, prod(value.shape), scope.graph.exported))


def _fitting(
    shape: list[int], own: list[int], count: int, exported: Mapping[int, int]
) -> list[int]:
    """A shape of `count` entries; one that was written for another batch or length is adapted.

    The sizes in the places `own` are those of what is reshaped.
    """
    for old, new in exported.items():
        known = prod(size for size in shape if size != -1)
        written = [n for n, size in enumerate(shape) if size == old and n not in own]
        misfit = count % known > 0 or 0 in written if -1 in shape else known != count
        if misfit and written:
            shape[written[0]] = new
    if -1 in shape:
        known = prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = count // max(known, 1)
    return shape


def _flatten(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    axis = node.attributes.get("axis", 1)
    axis = axis + len(value.axes) if axis < 0 else axis
    return with_shape(value, (prod(value.shape[:axis]), prod(value.shape[axis:])))


def _concat(node: Node, scope: Scope) -> Value:
    values = [scope.sample(name) for name in node.inputs]
    axis = node.attributes["axis"] % len(values[0].axes)
    return joined(values, axis) if len(values) > 1 else values[0]


def _split(node: Node, scope: Scope) -> list[Value]:
    value = scope.value(node)
    axis = node.attributes.get("axis", 0) % len(value.axes)
    size, count = value.shape[axis], len(node.outputs)
    split = scope.given(node, 1, "split")
    most = -(-size // count)
    sizes = [most] * (count - 1) + [size - most * (count - 1)] if split is None else split.tolist()
    if len(sizes) != count or sum(sizes) != size:
        raise UnspoolError(f"splits {size} entries into {sizes}; expected {count} parts of them")
    stops = np.cumsum(sizes).tolist()
    return [
        sliced(value, axis, stop - length, stop) for length, stop in zip(sizes, stops, strict=True)
    ]


def _slice(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    starts, stops = (scope.given(node, n, key) for n, key in ((1, "starts"), (2, "ends")))
    if starts is None or stops is None:
        raise UnspoolError("does not say where it starts and ends")
    axes, steps = scope.given(node, 3, "axes"), scope.given(node, 4)
    for n, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        axis = (n if axes is None else int(axes[n])) % len(value.axes)
        step = 1 if steps is None else int(steps[n])
        bounds = slice(int(start), int(stop), step).indices(value.shape[axis])
        value = sliced(value, axis, *bounds)
    return value


def _gather(node: Node, scope: Scope) -> Value:
    rows = lookup(node, scope)
    if rows is not None:
        return rows
    value, indices = scope.value(node), scope.needs(node, 1)
    axis = node.attributes.get("axis", 0) % len(value.axes)
    size = value.shape[axis]
    if not indices.size or indices.min() < -size or indices.max() >= size:
        raise UnspoolError(f"takes what is not there of axis {axis} of {value.shape}")
    flat = [int(index) % size for index in indices.ravel()]
    if flat != list(range(flat[0], flat[0] + len(flat))):
        if len(flat) > _MOST_PIECES:
            raise UnspoolError(f"takes {len(flat)} entries one by one; expected a Slice")
        parts = [sliced(value, axis, index, index + 1) for index in flat]
        picked = joined(parts, axis)
    else:
        picked = sliced(value, axis, flat[0], flat[-1] + 1)
    shape = list(picked.shape)
    return with_shape(picked, [*shape[:axis], *indices.shape, *shape[axis + 1 :]])


def _expand(node: Node, scope: Scope) -> Value:
    """Broadcasting, which those who read it do themselves where an axis is of size one."""
    shape = scope.needs(node, 1)
    value = scope.value(node)
    rank = max(len(shape), len(value.axes))
    padded = deeper(value, rank)
    wanted = [1] * (rank - len(shape)) + [int(size) for size in shape]
    counts = [size if have == 1 else 1 for size, have in zip(wanted, padded.shape, strict=True)]
    return _repeated(padded, counts)


def _tile(node: Node, scope: Scope) -> Value:
    return _repeated(scope.value(node), [int(n) for n in scope.needs(node, 1)])


def _repeated(value: Value, counts: Sequence[int]) -> Value:
    for axis, count in enumerate(counts):
        if count == 1:
            continue
        order = natural_order(value)
        if value.axes[axis] is None and len(order) == 1 and value.dims:
            vector = keras.layers.RepeatVector(count)(arranged(value, order))
            value = laid_out(vector, [axis, *order], len(value.axes))
            continue
        if axis not in order:
            order = sorted([*order, axis])
        tensor = arranged(value, order)
        repeats = [count if other == axis else 1 for other in order]
        value = laid_out(keras.ops.tile(tensor, [1, *repeats]), order, len(value.axes))
    return value


FORMS: dict[str, Build] = {
    "Cast": _cast,
    "Concat": _concat,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _same,
    "Pad": pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Operators that compute nothing."""
