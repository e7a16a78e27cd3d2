"""What moves constants about, or computes with them, computed when it is written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unspool.frontend.onnx.graph import check_entries


def _slice(value: np.ndarray, attributes: Mapping[str, Any], *bounds: np.ndarray) -> np.ndarray:
    start, stop, axis, step = (int(bound[0]) for bound in (*bounds, np.array([1]))[:4])
    return value[(slice(None),) * (axis % value.ndim) + (slice(start, stop, step),)]


def _squeeze(value: np.ndarray, attributes: Mapping[str, Any], *axes: np.ndarray) -> np.ndarray:
    return np.squeeze(value, tuple(map(int, axes[0])) if axes else None)


def _reshape(value: np.ndarray, attributes: Mapping[str, Any], shape: np.ndarray) -> np.ndarray:
    return value.reshape([size or value.shape[n] for n, size in enumerate(shape.tolist())])


MOVED: Mapping[str, Callable[..., np.ndarray]] = {
    "Concat": lambda *v: np.concatenate([v[0], *v[2:]], v[1]["axis"]),
    "Gather": lambda value, at, index: np.take(value, index, at.get("axis", 0)),
    "Identity": lambda value, at: value,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": lambda value, at: value.transpose(at["perm"]),
    "Unsqueeze": lambda value, at, axes: np.expand_dims(value, tuple(map(int, axes))),
}
"""Operators -> what they make of a value, of attributes, and of further inputs."""


def _gemm(attributes: Mapping[str, Any], *values: np.ndarray) -> np.ndarray:
    rows, kernel, *bias = values
    kernel = kernel.T if attributes.get("transB") else kernel
    product = attributes.get("alpha", 1) * _product(rows, kernel)
    return np.asarray(sum((attributes.get("beta", 1) * each for each in bias), product))


def _product(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    check_entries("multiplies constants", [*rows.shape[:-1], *kernel.shape[-1:]])
    return np.asarray(rows @ kernel)


def _of_two(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def computed(attributes: Mapping[str, Any], left: Any, right: Any) -> np.ndarray:
        check_entries("computes constants", np.broadcast_shapes(left.shape, right.shape))
        return np.asarray(function(left, right))

    return computed


def _over(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Over the axes that an attribute or a further input names, or all."""

    def computed(attributes: Mapping[str, Any], value: np.ndarray, *axes: np.ndarray) -> np.ndarray:
        named = axes[0].tolist() if axes else attributes.get("axes")
        keeps_axes = bool(attributes.get("keepdims", 1))
        return np.asarray(function(value, tuple(named) if named else None, keepdims=keeps_axes))

    return computed


COMPUTED: Mapping[str, Callable[..., np.ndarray]] = {
    "Abs": lambda at, value: np.abs(value),
    "Add": _of_two(np.add),
    "Div": _of_two(np.divide),
    "Exp": lambda at, value: np.exp(value),
    "Gemm": _gemm,
    "MatMul": lambda at, left, right: _product(left, right),
    "Mul": _of_two(np.multiply),
    "Neg": lambda at, value: np.negative(value),
    "Pow": _of_two(np.power),
    "ReduceMean": _over(np.mean),
    "ReduceSum": _over(np.sum),
    "Reciprocal": lambda at, value: 1 / value,
    "Relu": lambda at, value: np.maximum(value, 0),
    "Sigmoid": lambda at, value: 1 / (1 + np.exp(-value)),
    "Sqrt": lambda at, value: np.sqrt(value),
    "Sub": _of_two(np.subtract),
    "Tanh": lambda at, value: np.tanh(value),
}
"""Operators of a cell that is written by hand, whose first state is constant, and of weights that
are computed: normalised, or scaled as a batch normalization behind them would do it."""


def computed(op: str, values: Sequence[np.ndarray], attributes: Mapping[str, Any]) -> np.ndarray:
    """What an operator makes of constants.

    Raises:
        UnspoolError: it would be too large.
    """
    if op in COMPUTED:
        return np.asarray(COMPUTED[op](attributes, *values))
    if op == "Concat":
        check_entries("joins constants", [sum(value.size for value in values)])
    if op == "Gather":
        whole, axis = values[0], attributes.get("axis", 0)
        check_entries("looks up", [whole.size // max(whole.shape[axis], 1) * values[1].size])
    return np.asarray(MOVED[op](values[0], attributes, *values[1:]))
