"""Sequences and images brought to another size: each axis is multiplied by a constant matrix.

That is a fully-connected operator, which takes any size; the NPU's own resizes by 2, 4 and 8 only.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.reductions import largest_over

_UNEVEN = ("crop_to_aspect_ratio", "pad_to_aspect_ratio")


def resizing(layer: Any) -> Callable[[Any], Any] | None:
    """The form of a Resizing; None for one that goes by the aspect ratio, or channels first."""
    return _resized(layer, (layer.height, layer.width))


def resize(operation: Any) -> Callable[[Any], Any] | None:
    """The form of `keras.ops.image.resize`, which has no other arguments than the layer."""
    return _resized(operation, operation.size)


def is_function(operation: Any) -> bool:
    """Whether it is `keras.ops.image.resize`."""
    return isinstance(operation, keras.src.ops.image.Resize)


def problem(_: Any, calls: Sequence[Any]) -> str:
    """Why calls of `keras.ops.image.resize` cannot be deployed; empty where they can."""
    if all(len(node.input_tensors[0].shape) == 4 for node in calls):
        return ""
    return (
        "resizes the batch: three dimensions are to Keras one image, (rows, columns, channels); "
        "give it four, with keras.ops.expand_dims"
    )


def _resized(operation: Any, wanted: Sequence[int]) -> Callable[[Any], Any] | None:
    uneven = any(getattr(operation, each) for each in _UNEVEN)
    if operation.data_format != "channels_last" or uneven:
        return None

    def resized(x: Any) -> Any:
        sizes = x.shape[1:3]
        if _is_npus(sizes, wanted, operation.interpolation):
            return operation.call(x)
        for axis, (size, new) in enumerate(zip(sizes, wanted, strict=True), start=1):
            x = _multiplied(x, _resizing(size, new, operation), axis) if size != new else x
        return x

    return resized


def _is_npus(sizes: Sequence[int], wanted: Sequence[int], interpolation: str) -> bool:
    """Whether Vela runs it as it is: all axes by one factor."""
    factors = {new / size for size, new in zip(sizes, wanted, strict=True)}
    return factors in [{2}] if interpolation == "bilinear" else factors in [{2}, {4}, {8}]


def _resizing(size: int, new: int, operation: Any) -> np.ndarray:
    """What Keras makes of each unit vector of an axis, (new size, size)."""
    units = np.eye(size, dtype=np.float32)[None, :, None, :]
    with tf.init_scope():  # its values, while a graph is traced
        matrix = keras.ops.image.resize(
            units,
            (new, 1),
            interpolation=operation.interpolation,
            antialias=operation.antialias,
            data_format="channels_last",
        )
    return np.asarray(matrix)[0, :, 0]


def adaptive_average(operation: Any) -> Callable[[Any], Any] | None:
    """The form of an adaptive average pooling, layer or function; None for channels first."""

    def averaged(x: Any, windows: Sequence[tuple[int, int]], axis: int) -> Any:
        matrix = np.zeros((len(windows), x.shape[axis]), np.float32)
        for row, (start, end) in zip(matrix, windows, strict=True):
            row[start:end] = 1 / (end - start)
        return _multiplied(x, matrix, axis)

    return _adaptive(operation, averaged)


def adaptive_largest(operation: Any) -> Callable[[Any], Any] | None:
    """The form of an adaptive maximum pooling, layer or function; None for channels first."""

    def pooled(x: Any, windows: Sequence[tuple[int, int]], axis: int) -> Any:
        lead = (slice(None),) * axis
        parts = [largest_over(x[(*lead, slice(*window))], (axis,), False) for window in windows]
        return tf.stack(parts, axis)

    return _adaptive(operation, pooled)


def _adaptive(
    operation: Any, of_windows: Callable[[Any, Sequence[tuple[int, int]], int], Any]
) -> Callable[[Any], Any] | None:
    data_format = operation.data_format or keras.config.image_data_format()
    if data_format != "channels_last":
        return None

    def pooled(x: Any) -> Any:
        wanted = np.broadcast_to(operation.output_size, len(x.shape) - 2)
        for axis, count in enumerate(map(int, wanted), start=1):
            size = x.shape[axis]
            ends = [(n * size // count, -(-(n + 1) * size // count)) for n in range(count)]
            x = of_windows(x, ends, axis)
        return x

    return pooled


def _multiplied(x: Any, matrix: np.ndarray, axis: int) -> Any:
    """An axis in place of itself times a matrix (new size, size)."""
    rank = len(x.shape)
    order = [*(n for n in range(rank) if n != axis), axis]
    product = tf.tensordot(tf.transpose(x, order), tf.constant(matrix.T), 1)
    return tf.transpose(product, np.argsort(order))
