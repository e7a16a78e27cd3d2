"""Samples that exceed what an input can hold."""

from dataclasses import dataclass

import numpy as np

from unspool.tflite.ends import Tensor
from unspool.tflite.input_scaling import InputScaling


@dataclass(frozen=True)
class Outside:
    """Samples that lie outside of what an input can hold; their values are cut to its range.

    Attributes:
        input: the input's name.
        samples: how many have such a value.
        of: how many there are.
        farthest: the value that is farthest outside.
        minimum: the smallest value that the input can hold.
        maximum: the largest.
    """

    input: str
    samples: int
    of: int
    farthest: float
    minimum: float
    maximum: float


def outside(tensor: Tensor, array: np.ndarray, scaling: InputScaling | None) -> Outside | None:
    """Samples of an input whose range some of them exceed; None where none does.

    Args:
        tensor: the input.
        array: its samples, (samples, ...).
        scaling: of the input, before it is stored.
    """
    if not tensor.scale:
        return None
    values = scaling.apply(array) if scaling else array
    limits = np.iinfo(tensor.dtype)
    ends = tensor.dequantize(np.array([limits.min, limits.max], tensor.dtype))
    beyond = np.maximum(ends[0] - values, values - ends[1])
    rows = beyond.reshape(len(values), -1).max(axis=1) > tensor.scale / 2  # else it is rounded
    if not rows.any():
        return None
    farthest = int(np.argmax(beyond))
    features = array.shape[-1]
    if scaling:  # the ends of the feature that is farthest outside
        whole = [scaling.undo(np.full(features, end)) for end in ends]
        ends = np.stack(whole)[:, farthest % features]
    low, high = sorted(map(float, ends))
    worst = float(array.ravel()[farthest])
    return Outside(tensor.name, int(rows.sum()), len(values), worst, low, high)
