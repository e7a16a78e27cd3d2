"""A constant where a node takes what depends on a sample: it is the same for every sample."""

from typing import Any

import numpy as np

from unspool.frontend.onnx.graph import check_entries
from unspool.frontend.onnx.values import Value, laid_out, reshaped
from unspool.support._tensorflow import keras

_MOST = 2**14


def as_sample(array: np.ndarray, like: Any, name: str | None = None) -> Value:
    """The value, by a Dense layer: a bias, behind a kernel of zeros.

    Args:
        array: the constant, of a batch of one.
        like: any tensor of the network's, (None, ..., features).
        name: of the layer.

    Raises:
        UnspoolError: it is too large.
    """
    check_entries("takes a constant for a sample", array.shape, _MOST)
    read = like
    while len(read.shape) > 2:
        read = read[:, -1]
    layer = keras.layers.Dense(array.size, kernel_initializer="zeros", name=name)
    tensor = layer(read)
    layer.set_weights([np.zeros((read.shape[-1], array.size), np.float32), array.ravel()])
    order = [axis for axis, size in enumerate(array.shape) if size != 1]
    if not order:
        return laid_out(tensor, [array.ndim - 1], array.ndim)
    return laid_out(reshaped(tensor, tuple(array.shape[axis] for axis in order)), order, array.ndim)
