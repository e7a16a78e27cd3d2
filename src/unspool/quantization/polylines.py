"""A function of one value as a polyline, which two convolutions compute.

The polyline is `step * (offset + a_0 relu(x - x_0) + a_1 relu(x - x_1) + ...)`: at each knot x_k
its slope changes by a_k steps. Changes are int8 kernels, so that all slopes are multiples of one
step; a change that is larger than int8 takes several knots at one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unspool.quantization.multipliers import Floats

_ERRORS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # levels of the output; rounding adds half a level
_KNOTS = (8, 16)  # an NPU computes channels by eights
_LARGEST = 127


@dataclass(frozen=True)
class Polyline:
    """Where a function's slope changes, and by how much.

    Attributes:
        knots: among the values that the function is given at, by number.
        changes: of the slope at each knot, in steps; from -127 to 127.
        step: of the slope, in levels of the output from one value to the next.
        offset: what the polyline is at the first value, in steps.
    """

    knots: tuple[int, ...]
    changes: tuple[int, ...]
    step: float
    offset: int


def fit(levels: Floats, steps: Sequence[float]) -> Polyline:
    """A polyline that is half a level off at most, and less where that costs no more channels.

    Args:
        levels: what the function is, in levels of the output, at values that lie evenly.
        steps: that slopes may have, in levels from one value to the next; one of 0.2 or less.
    """
    polylines = [_shortest(levels, [step for step in steps if step <= 2 * e], e) for e in _ERRORS]
    for most in _KNOTS:
        for polyline in polylines:
            if len(polyline.knots) <= most:
                return polyline
    return polylines[-1]


def _shortest(levels: Floats, steps: Sequence[float], error: float) -> Polyline:
    """The polyline with the fewest knots that is as much off as the error, at most."""
    polylines = [_fitted(levels, step, error) for step in steps]
    return min(polylines, key=lambda polyline: len(polyline.knots))


def _fitted(levels: Floats, step: float, error: float) -> Polyline:
    """Each piece as long as a slope of whole steps stays within the error."""
    offset = round(levels[0] / step)
    height = step * offset
    knots: list[int] = []
    changes: list[int] = []
    start = slope = 0
    while start < len(levels) - 1:
        chosen, length = _longest(levels[start:], height, step, error)
        for change in _parts(chosen - slope):
            knots.append(start)
            changes.append(change)
        height += step * chosen * length
        start, slope = start + length, chosen
    return Polyline(tuple(knots) or (0,), tuple(changes) or (0,), step, offset)


def _longest(levels: Floats, height: float, step: float, error: float) -> tuple[int, int]:
    """(slope in steps, values that it goes on for) of the longest piece from a height."""
    ahead = np.arange(1, len(levels))
    reach = error + 1e-9  # a height that is half a step off may use up the whole error
    low = np.maximum.accumulate(np.ceil((levels[1:] - reach - height) / (step * ahead)))
    high = np.minimum.accumulate(np.floor((levels[1:] + reach - height) / (step * ahead)))
    length = max(1, int(np.count_nonzero(low <= high)))
    middle = (levels[length] - height) / (step * length)
    return int(np.clip(np.rint(middle), low[length - 1], high[length - 1])), length


def _parts(change: int) -> list[int]:
    """A change as a sum of int8 values."""
    count = -(-abs(change) // _LARGEST)
    return [change * (k + 1) // count - change * k // count for k in range(count)]
