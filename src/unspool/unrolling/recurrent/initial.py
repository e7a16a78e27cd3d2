"""Initial states that a cell gives itself: learned ones, which are constants at deploy time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.support._tensorflow import keras, tf


def initial_values(layer: Any) -> list[np.ndarray]:
    """What a Keras recurrent layer starts with, (1, ...) for each state; empty for zeros."""
    stack = getattr(layer.cell, "cells", [layer.cell])
    makers = [getattr(type(cell), "get_initial_state", None) for cell in stack]
    if all(maker is None or maker.__module__.startswith("keras.") for maker in makers):
        return []
    values = [np.asarray(v, np.float32) for v in keras.tree.flatten(layer.get_initial_state(1))]
    return values if any(value.any() for value in values) else []


class Constants(keras.layers.Layer):  # type: ignore[misc]
    """Constant tensors, as many as there are sequences in what it is called on."""

    def __init__(self, values: Sequence[np.ndarray], **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.values = tuple(values)

    def call(self, sequences: Any) -> list[Any]:
        """The values, (sequences, ...) each."""
        return [tf.constant(np.repeat(value, sequences.shape[0], 0)) for value in self.values]

    def compute_output_shape(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Shapes of the values."""
        return [(shape[0], *value.shape[1:]) for value in self.values]
