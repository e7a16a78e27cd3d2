"""Ranges, and how they are chosen from the values that tensors took."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEVELS = {"int8": 255, "int16": 65534}
"""Type of the activations -> steps between its smallest and its largest value."""

SMALLEST_WIDTH = 1e-9
"""Of a range: litert-quantizer does not go below it."""

_BINS = 2048
_SHARES = np.linspace(0.3, 1.0, 36)[:, None]
_PERCENTILE = 99.99


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value of a tensor."""

    minimum: float
    maximum: float

    def __or__(self, other: "Range") -> "Range":
        """The smallest range that holds both."""
        return Range(min(self.minimum, other.minimum), max(self.maximum, other.maximum))

    def within(self, end: float) -> "Range":
        """The part of the range that lies from -end to end."""
        return Range(max(-end, min(self.minimum, end)), min(end, max(self.maximum, -end)))

    @property
    def width(self) -> float:
        """From the smallest to the largest value."""
        return self.maximum - self.minimum


ZERO = Range(0.0, 0.0)
UNIT = Range(-1.0, 1.0)


def minmax(values: np.ndarray, whole: Range, levels: int) -> Range:
    """All values."""
    return whole


def percentile(values: np.ndarray, whole: Range, levels: int) -> Range:
    """All but the outermost 0.01 % of the values on each side."""
    low, high = np.percentile(values, [100 - _PERCENTILE, _PERCENTILE])
    return Range(
        max(whole.minimum, min(0.0, float(low))), min(whole.maximum, max(0.0, float(high)))
    )


def mse(values: np.ndarray, whole: Range, levels: int) -> Range:
    """The share of the whole range in which the values are stored with the least squared error.

    A narrower range has finer levels and clips its outliers; the sum of both errors has a minimum
    (Banner et al. 2019, "Post training 4-bit quantization", section 3). Values are binned: the
    search costs the same for any number of them.
    """
    counts, edges = np.histogram(values, _BINS, (whole.minimum, whole.maximum))
    filled = counts > 0  # few, of a tensor of one step
    counts, centres = counts[filled], ((edges[:-1] + edges[1:]) / 2)[filled]
    low, high = _SHARES * whole.minimum, _SHARES * whole.maximum
    scale = (high - low) / levels
    zero = np.rint(-low / scale)
    stored = (np.clip(np.rint(centres / scale) + zero, 0, levels) - zero) * scale
    best = int(np.argmin((stored - centres) ** 2 @ counts))
    return Range(float(low[best, 0]), float(high[best, 0]))


METHODS: dict[str, Callable[[np.ndarray, Range, int], Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
}
"""How a range is chosen: a function of some of the values that tied tensors took, of the range that
holds all of them, and of the number of steps that it is divided into."""
