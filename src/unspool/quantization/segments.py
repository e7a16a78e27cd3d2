"""A function of one quantized value, as two layers of int8 kernels.

The first layer has a channel for each knot of a polyline, `relu(x - knot)`, which is exact in int8.
The second adds the channels up, times the changes of the slope, and rounds once. Scales are those
with which TFLM and Vela multiply alike (`multipliers`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from unspool.quantization.multipliers import KERNEL_BITS, Floats, rounded_up
from unspool.quantization.polylines import Polyline, fit

Function: TypeAlias = Callable[[Floats], Floats]
"""Of real values, one by one."""

_ONE = 6  # power of two that the first kernel stores for 1, at most
_STEPS = 2.0 ** -np.arange(1, 9)  # of slopes, in levels of the output per level of the input


@dataclass(frozen=True)
class Stored:
    """How a tensor stores its values: `(stored - zero) * scale`."""

    scale: float
    zero: int


@dataclass(frozen=True)
class Layer:
    """A convolution of 1 by 1.

    Attributes:
        kernel: int8, (channels out, channels in).
        scales: of the kernel, one for each channel out.
        bias: int32 or int64, (channels out,), in units of the input's scale times the kernel's.
        output: how it stores its output.
        relu: nothing below 0 comes out.
    """

    kernel: npt.NDArray[np.int8]
    scales: Floats
    bias: npt.NDArray[np.signedinteger]
    output: Stored
    relu: bool


@dataclass(frozen=True)
class _Type:
    """How a polyline is laid over the values of a type.

    Attributes:
        dtype: of the values.
        apart: levels of the input from one value of the polyline to the next.
        coarse: levels of the output that are one of the polyline's.
        wide: levels of the input that are one of a channel's: it reaches twice as far in int16,
            whose zero is in the middle.
        zero: what a channel stores for 0.
        bias: the type of biases.
    """

    dtype: type[np.signedinteger]
    apart: int
    coarse: int
    wide: int
    zero: int
    bias: type[np.signedinteger]

    @property
    def values(self) -> npt.NDArray[np.int64]:
        """The stored values that the polyline is fitted at."""
        limits = np.iinfo(self.dtype)
        return np.arange(limits.min, limits.max + self.apart, self.apart)


_TYPES = {
    "int8": _Type(np.int8, 1, 1, 1, -128, np.int32),
    "int16": _Type(np.int16, 64, 16, 2, 0, np.int64),
}


@lru_cache(maxsize=256)  # of steps that share their scales
def layers(
    function: Function, source: Stored, target: Stored, activations: str, number: int
) -> tuple[Layer, Layer]:
    """The two layers that compute a function.

    In int8 they are a level off at most, of which half is the last rounding.

    Args:
        function: of real values.
        source: how the input is stored.
        target: how the output is.
        activations: "int8" or "int16".
        number: another one for each function of a file: Vela gives layers whose kernels and
            multipliers are equal one of their biases, so none are.
    """
    type_ = _TYPES[activations]
    limits = np.iinfo(type_.dtype)
    values = ((type_.values - source.zero) * source.scale).astype(np.float64)
    reached = function(values) / target.scale
    reached = np.clip(reached, limits.min - target.zero, limits.max - target.zero)
    # A step of the kernel's scale is `unit` of the polyline's levels, from one value to the next.
    unit = source.scale * type_.apart / (target.scale * type_.coarse)
    finest = (1 + number * 2.0**-9) / unit
    scales = [rounded_up(finest * step, KERNEL_BITS) for step in _STEPS]
    line = fit(reached / type_.coarse, [scale * unit for scale in scales])
    channels = Stored(source.scale * type_.wide, type_.zero)
    return (
        _distances(line, type_, source.zero, channels, number),
        _sum(line, type_, line.step / unit, target),
    )


def _distances(line: Polyline, type_: _Type, zero: int, channels: Stored, number: int) -> Layer:
    """How far the input lies beyond each knot.

    A kernel's 1 may be stored as any power of two up to 64: which, is the number's digit.
    """
    knots = type_.values[list(line.knots)]
    digits = number // 7 ** np.arange(len(knots), dtype=object) % 7
    ones = 2 ** (_ONE - digits.astype(np.int64))
    bias = (ones * (zero - knots)).astype(type_.bias)
    return Layer(ones[:, None].astype(np.int8), 1.0 / ones, bias, channels, relu=True)


def _sum(line: Polyline, type_: _Type, scale: float, target: Stored) -> Layer:
    """What the polyline is."""
    kernel = np.array([line.changes], np.int8)
    bias = np.array([line.offset * type_.apart // type_.wide], type_.bias)
    return Layer(kernel, np.array([scale]), bias, target, relu=False)
