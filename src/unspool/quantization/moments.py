"""What kernels are multiplied by in the calibration data: the moments that `rounding` rounds with.

A layer's error, squared and summed over the data, is `e M e` for each of its outputs: e is what
rounding changes in the output's weights, and M has the mean product of each two of its inputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.quantization.multipliers import Floats
from unspool.tflite import flatbuffer

Moments: TypeAlias = Mapping[str, Floats]
"""Kernel -> the mean product of each two inputs of an output, (inputs, inputs)."""

_MOST_INPUTS = 2048  # of an output: a matrix of 32 MiB
_ROWS_PER_INPUT = 4  # fewer say too little of how inputs go together
_AT_ONCE = 1024  # rows that are kept before their products are added up

_Rows: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass
class _Sum:
    """Products of the inputs of one kernel so far, and rows that are not added up yet."""

    products: Floats
    rows: int
    waiting: list[np.ndarray]

    def add(self, rows: np.ndarray) -> None:
        self.waiting.append(rows.copy())
        if sum(map(len, self.waiting)) >= _AT_ONCE:
            self.finish()

    def finish(self) -> None:
        if self.waiting:
            rows = np.concatenate(self.waiting).astype(np.float64)
            self.products += rows.T @ rows
            self.rows += len(rows)
            self.waiting.clear()


class MomentsObserver:
    """Adds up products of what fully-connected operators and convolutions read."""

    def __init__(self, model: flatbuffer.Model) -> None:
        """Find the kernels of a float model."""
        self._reads: list[tuple[str, int, _Rows]] = []
        self._sums: dict[str, _Sum] = {}
        for op, named in zip(
            model.subgraphs[0].operators, flatbuffer.graph_operators(model), strict=True
        ):
            rows = _rows(model, op, named)
            if rows is None:
                continue
            kernel = flatbuffer.constant(model, named.indices[1])
            inputs = int(np.prod(kernel.shape[1:]))
            if 0 < inputs <= _MOST_INPUTS:
                self._reads.append((named.inputs[1], named.indices[0], rows))
                self._sums[named.inputs[1]] = _Sum(np.zeros((inputs, inputs)), 0, [])

    def feed(self, tensor: Callable[[int], np.ndarray]) -> None:
        """Take what one inference computed, from a function of a tensor's index."""
        for name, index, rows in self._reads:
            self._sums[name].add(rows(tensor(index)))

    def moments(self) -> Moments:
        """The moments of all kernels that met enough data."""
        for total in self._sums.values():
            total.finish()
        return {
            name: total.products / total.rows
            for name, total in self._sums.items()
            if total.rows >= _ROWS_PER_INPUT * len(total.products)
        }


def _rows(model: flatbuffer.Model, op: Any, named: flatbuffer.Operator) -> _Rows | None:
    """Tensor that an operator reads -> a row of inputs for each value of an output channel."""
    if named.kind not in ("FULLY_CONNECTED", "CONV_2D"):
        return None
    shape = flatbuffer.constant(model, named.indices[1]).shape
    if len(shape) == 2:
        return lambda values: values.reshape(-1, shape[1])
    read = model.subgraphs[0].tensors[named.indices[0]].shape
    if len(shape) != 4 or read[-1] != shape[-1]:  # groups
        return None
    return partial(_patches, window=shape[1:3], options=op.builtinOptions)


def _patches(values: np.ndarray, window: tuple[int, int], options: Any) -> np.ndarray:
    """What a convolution's kernel meets at each place, (places, inputs)."""
    axes = (
        (window[0], options.strideH, options.dilationHFactor),
        (window[1], options.strideW, options.dilationWFactor),
    )
    for axis, (width, stride, dilation) in enumerate(axes, 1):
        reach = (width - 1) * dilation + 1
        if options.padding == schema.Padding.SAME:
            size = values.shape[axis]
            missing = max((-(-size // stride) - 1) * stride + reach - size, 0)
            around = [(0, 0)] * values.ndim
            around[axis] = (missing // 2, missing - missing // 2)
            values = np.pad(values, around)
        starts = np.arange(0, values.shape[axis] - reach + 1, stride)
        places = starts[:, None] + dilation * np.arange(width)
        values = np.take(values, places, axis=axis)
        values = np.moveaxis(values, axis + 1, -2)  # before the channels, behind the axis before
    return values.reshape(-1, window[0] * window[1] * values.shape[-1])
