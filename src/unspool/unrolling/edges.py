"""The edges of images, by operators that Vela compiles to what they compute."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.movements import Form, mirrored

_DOWN = np.outer([-1, 0, 1], [1, 2, 1])
_KERNEL = np.stack([_DOWN, _DOWN.T], axis=-1)[:, :, np.newaxis]
"""(height, width, 1, 2): of Sobel's operator down, and to the right."""


def sobel(operation: Any) -> Form:
    """The form of `sobel_edges`: as TensorFlow computes it, without its MIRROR_PAD."""
    channels_first = (operation.data_format or keras.config.image_data_format()) == "channels_first"

    def edges(x: Any) -> Any:
        if channels_first:
            x = tf.transpose(x, (0, 2, 3, 1))
        channels = x.shape[-1]
        kernel = np.tile(_KERNEL, (1, 1, channels, 1)).astype(np.float32)
        padded = mirrored(x, ((0, 0), (1, 1), (1, 1), (0, 0)), 1)
        slopes = tf.nn.depthwise_conv2d(padded, kernel, (1, 1, 1, 1), "VALID")
        both = tf.reshape(slopes, (*x.shape, 2))
        return tf.transpose(both, (0, 3, 1, 2, 4)) if channels_first else both

    return edges
