"""Inputs that take real units: the scaling by a network's first layers, applied when quantizing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class InputScaling:
    """The scaling of an input before it is stored: `(x - shift) * factor`, in float32.

    Attributes:
        input: the input's name.
        shift: one number for each feature along the last axis, or one for all.
        factor: the same.

    Example:
        >>> pressure = InputScaling("x", shift=(101325.0,), factor=(0.001,))
        >>> pressure.apply(np.array([[102325.0]]))
        array([[1.]], dtype=float32)
    """

    input: str
    shift: tuple[float, ...]
    factor: tuple[float, ...]

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Real values (..., features) as the network takes them."""
        shifted = values.astype(np.float32) - np.asarray(self.shift, np.float32)
        return shifted * np.asarray(self.factor, np.float32)

    def undo(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `apply`, to float32's precision."""
        return values.astype(np.float32) / np.asarray(self.factor, np.float32) + np.asarray(
            self.shift, np.float32
        )


def scaled(
    scalings: Sequence[InputScaling], names: Sequence[str], arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Scale the arrays of the inputs of these names; those without a scaling stay as they are."""
    by_name = {scaling.input: scaling for scaling in scalings}
    return [
        by_name[name].apply(array) if name in by_name else array
        for name, array in zip(names, arrays, strict=True)
    ]
