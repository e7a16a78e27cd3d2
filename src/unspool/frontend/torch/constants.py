"""What moves constants about, computed when it is written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unspool.frontend.onnx.graph import check_entries


def _slice(value: np.ndarray, attributes: Mapping[str, Any], *bounds: np.ndarray) -> np.ndarray:
    start, stop, axis, step = (int(bound[0]) for bound in (*bounds, np.array([1]))[:4])
    return value[(slice(None),) * (axis % value.ndim) + (slice(start, stop, step),)]


def _squeeze(value: np.ndarray, attributes: Mapping[str, Any], *axes: np.ndarray) -> np.ndarray:
    return np.squeeze(value, tuple(map(int, axes[0])) if axes else None)


MOVED: Mapping[str, Callable[..., np.ndarray]] = {
    "Concat": lambda *v: np.concatenate([v[0], *v[2:]], v[1]["axis"]),
    "Gather": lambda value, at, index: np.take(value, index, at.get("axis", 0)),
    "Identity": lambda value, at: value,
    "Reshape": lambda value, at, shape: value.reshape(shape),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": lambda value, at: value.transpose(at["perm"]),
    "Unsqueeze": lambda value, at, axes: np.expand_dims(value, tuple(map(int, axes))),
}
"""Operators -> what they make of a value, of attributes, and of further inputs."""


def moved(op: str, values: Sequence[np.ndarray], attributes: Mapping[str, Any]) -> np.ndarray:
    """What an operator that computes nothing makes of constants.

    Raises:
        UnspoolError: it would be too large.
    """
    if op == "Concat":
        check_entries("joins constants", [sum(value.size for value in values)])
    if op == "Gather":
        whole, axis = values[0], attributes.get("axis", 0)
        check_entries("looks up", [whole.size // max(whole.shape[axis], 1) * values[1].size])
    return np.asarray(MOVED[op](values[0], attributes, *values[1:]))
