"""What calibration data lets one expect, before any work: too few samples, outliers, coarse inputs.

An input has one scale, and 256 levels in int8: what is small beside the rest of it is lost.
"""

from collections.abc import Sequence

import numpy as np

from unspool.support.samples import HasShape

FEWEST_SAMPLES = 20
FEWEST_LEVELS = 16
_LEVELS = 255
_OUTLYING = 10.0  # times what nearly all other samples reach
_NAMED = 6  # features


def concerns(arrays: Sequence[np.ndarray], inputs: Sequence[HasShape]) -> tuple[str, ...]:
    """Say what is likely to go wrong with calibration samples, a line each.

    Args:
        arrays: one array (samples, ...) per input, as `samples.check` returns them.
        inputs: the model's inputs.
    """
    found = []
    count = len(arrays[0])
    if count < FEWEST_SAMPLES:
        found.append(
            f"calibration data: {count} sample{'s' * (count != 1)}; ranges are taken from what "
            f"they show: give 50 to a few hundred, at least {FEWEST_SAMPLES}"
        )
    for array, tensor in zip(arrays, inputs, strict=True):
        if array.dtype.kind == "f":
            found += _of_input(array, tensor.name)
    return tuple(found)


def _of_input(array: np.ndarray, name: str) -> list[str]:
    low, high = float(array.min()), float(array.max())
    if low == high:
        return [
            f"calibration data: input {name!r} is {low:g} in all samples, which shows no range: "
            "give samples as the model will meet them"
        ]
    return [*_outliers(array, name), *_features(array, name)]


def _outliers(array: np.ndarray, name: str) -> list[str]:
    """A sample that reaches far beyond all others makes levels too coarse for them."""
    if len(array) < 3:
        return []
    reach = np.abs(array.reshape(len(array), -1)).max(axis=1)
    farthest = int(np.argmax(reach))
    usual = float(np.quantile(np.delete(reach, farthest), 0.95))
    if not reach[farthest] > _OUTLYING * usual:
        return []
    times = f", {reach[farthest] / usual:,.0f} times what the others do" if usual else ""
    return [
        f"calibration data: sample {farthest} of input {name!r} reaches {reach[farthest]:g}{times} "
        f"(95 % of them stay within {usual:g}): its range leaves few levels for the others; leave "
        "it out if it is a bad reading"
    ]


def feature_shares(array: np.ndarray) -> np.ndarray:
    """How much of an input's range, which holds 0, each feature along the last axis takes."""
    rows = array.reshape(-1, array.shape[-1])
    low, high = rows.min(axis=0), rows.max(axis=0)
    whole = max(float(high.max()), 0.0) - min(float(low.min()), 0.0)
    shares: np.ndarray = (high - low).astype(np.float64) / (whole or 1.0)
    return shares


def _features(array: np.ndarray, name: str) -> list[str]:
    """Features, along the last axis, that have too few of the input's levels, or do not vary."""
    if array.ndim < 2:
        return []
    levels = _LEVELS * feature_shares(array)
    fixed = np.flatnonzero(levels == 0)
    coarse = np.flatnonzero((levels > 0) & (levels < FEWEST_LEVELS))
    found = []
    if fixed.size:
        values = sorted({f"{value:g}" for value in array.reshape(-1, array.shape[-1])[0, fixed]})
        does = "does" if fixed.size == 1 else "do"
        found.append(
            f"calibration data: {_named(fixed)} of input {name!r} {does} not vary "
            f"({', '.join(values[:_NAMED])} in all samples)"
        )
    if coarse.size:
        fewest = levels[coarse].min()
        has = "has" if coarse.size == 1 else "have"
        found.append(
            f"calibration data: {_named(coarse)} of input {name!r} {has} fewer than "
            f"{FEWEST_LEVELS} of its {_LEVELS + 1} levels (the least {fewest:.2g}), as others are "
            "larger or farther from 0: put a Normalization layer in front of the model and train, "
            "or give each feature a scale of its own (`feature_scales`)"
        )
    return found


def _named(features: np.ndarray) -> str:
    numbers = ", ".join(str(number) for number in features[:_NAMED])
    more = f" and {features.size - _NAMED} more" if features.size > _NAMED else ""
    return f"feature{'s' * (features.size != 1)} {numbers}{more}"
