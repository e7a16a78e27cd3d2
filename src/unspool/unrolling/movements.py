"""Functions of `keras.ops` that only move values, by stacks, slices and concatenations.

TILE, REVERSE_V2, BROADCAST_TO and UNPACK of a part have no int8 form.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from unspool.support._tensorflow import tf

Form: TypeAlias = Callable[..., Any]


def reverse(axes: Sequence[int]) -> Form:
    """Reverses a tensor along some axes."""

    def flipped(x: Any) -> Any:
        for axis in axes:
            x = tf.stack(tf.unstack(x, axis=axis)[::-1], axis=axis)
        return x

    return flipped


def flip(operation: Any) -> Form:
    """The form of `flip`."""

    def flipped(x: Any) -> Any:
        axes = range(len(x.shape)) if operation.axis is None else np.ravel(operation.axis)
        return reverse(tuple(map(int, axes)))(x)

    return flipped


def pad(operation: Any) -> Form | None:
    """The form of `pad` where it mirrors; None where its own operator will do.

    Vela 5.2 compiles a MIRROR_PAD that a convolution reads to other bytes than TFLM's.
    """
    if operation.mode == "constant":
        return None
    edges = 1 if operation.mode == "reflect" else 0
    widths = operation.pad_width
    return lambda x, *_: mirrored(x, widths if len(widths) > 1 else widths * len(x.shape), edges)


def mirrored(x: Any, widths: Sequence[tuple[int, int]], edges: int) -> Any:
    """A tensor with so many of its entries, turned round, before and behind it along each axis.

    Args:
        x: of any rank.
        widths: of each axis: how many entries before, and behind.
        edges: how many entries at each end are not repeated: 1 to reflect, 0 for symmetric.
    """
    for axis, (before, behind) in enumerate(widths):
        size, around, turned = x.shape[axis], (slice(None),) * axis, reverse((axis,))
        parts = [x]
        if before:
            parts.insert(0, turned(x[(*around, slice(edges, edges + before))]))
        if behind:
            parts.append(turned(x[(*around, slice(size - edges - behind, size - edges))]))
        x = tf.concat(parts, axis=axis) if len(parts) > 1 else x
    return x


def _side_by_side(x: Any, count: int, axis: int) -> Any:
    """`count` copies of a tensor one after the other."""
    return x if count == 1 else _joined(tf.stack([x] * count, axis=axis), axis)


def each_repeated(x: Any, count: int, axis: int) -> Any:
    """A tensor in which each slice along an axis stands `count` times."""
    return _joined(tf.stack([x] * count, axis=axis + 1), axis)


def _joined(x: Any, axis: int) -> Any:
    """An axis and the next one as one."""
    return tf.reshape(x, (*x.shape[:axis], -1, *x.shape[axis + 2 :]))


def tile(operation: Any) -> Form:
    """The form of `tile`."""

    def tiled(x: Any) -> Any:
        counts = np.ravel(operation.repeats).tolist()
        rank = max(len(counts), len(x.shape))
        x = tf.reshape(x, (*[1] * (rank - len(x.shape)), *x.shape))
        for axis, count in enumerate([1] * (rank - len(counts)) + counts):
            x = _side_by_side(x, count, axis)
        return x

    return tiled


def broadcast(operation: Any) -> Form:
    """The form of `broadcast_to`."""

    def broadcast(x: Any) -> Any:
        x = tf.reshape(x, (*[1] * (len(operation.shape) - len(x.shape)), *x.shape))
        for axis, size in enumerate(operation.shape):
            if size is not None and x.shape[axis] == 1:
                x = _side_by_side(x, size, axis)
        return x

    return broadcast


def repeat(operation: Any) -> Form:
    """The form of `repeat`."""

    def repeated(x: Any) -> Any:
        x, axis = (tf.reshape(x, (-1,)), 0) if operation.axis is None else (x, operation.axis)
        parts = tf.unstack(x, axis=axis)
        counts = np.broadcast_to(operation.repeats, len(parts))
        each = zip(parts, counts, strict=True)
        return tf.stack([part for part, count in each for _ in range(count)], axis=axis)

    return repeated


def take(operation: Any) -> Form:
    """The form of `take`: of a tensor by constants, or of a constant by ids."""

    def gathered(x: Any, indices: Any) -> Any:
        if tf.is_tensor(indices) or not tf.is_tensor(x):
            return tf.gather(x, indices, axis=operation.axis)
        x, axis = (tf.reshape(x, (-1,)), 0) if operation.axis is None else (x, operation.axis)
        parts, wanted = tf.split(x, x.shape[axis], axis=axis), np.asarray(indices)
        together = tf.concat([parts[number] for number in wanted.ravel().tolist()], axis=axis)
        shape, at = list(together.shape), axis % len(together.shape)
        return tf.reshape(together, (*shape[:at], *wanted.shape, *shape[at + 1 :]))

    return gathered
