"""Scales whose multipliers Vela and TFLM agree on.

A fully-connected operator or a convolution scales its sums by `s_in * s_kernel / s_out`, a
multiplication by `s_a * s_b / s_out`. Both are turned into 31-bit multipliers; TFLM computes in
float64, Vela rounds products and the quotient of a multiplication to float32. Where that differs,
one output byte in a million does.

- Activations have scales of 12 significant bits and kernels of 10, so that their product fits the
  24 of float32. It costs a range that is wider by at most 2^-11, and kernels by 2^-9.
- The scale of a multiplication's output is the next one, upwards from the wanted one, with which
  both quotients give the same multiplier: one of 128 does.
- A scale with which a tensor is read by tanh or sigmoid puts no entry of their tables so near to
  the middle between two levels that TFLM's fixed-point arithmetic rounds it another way than Vela's
  float64: one scale in fifty does, powers of two below 2^-7 among them.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

BITS = 12
KERNEL_BITS = 10
_PRODUCT_BITS = 14
_FREE_BITS = 24  # of float32, where no kernel is read with this scale
_WIDEST = 2.0  # times the wanted scale: a power of two times the product always fits
_TRIALS = 1 << 14
_STEPS = np.arange(1.0, 256.0)  # an int8 input less its zero point, without sign
_UNCLEAR = 3e-5  # levels; of 3,000 tables aimed at halves, TFLM's erred by 1.25e-5 at most

May: TypeAlias = Callable[[float], bool]
"""Whether a scale may be that of a tensor."""

Floats = npt.NDArray[np.float64]


def rounded_up(scale: float, bits: int = BITS) -> float:
    """The next scale that has this many significant bits."""
    fraction, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(fraction * (1 << bits)) / (1 << bits), exponent)


def free(wanted: float, may: May) -> float:
    """The next scale of 12 bits that may be one."""
    scale = rounded_up(wanted)
    while not may(scale):
        scale = rounded_up(math.nextafter(scale, math.inf))
    return scale


def product(wanted: float, operands: set[tuple[float, ...]], *, all_bits: bool, may: May) -> float:
    """The next scale with which Vela and TFLM multiply alike.

    Args:
        wanted: the smallest scale.
        operands: scales of the operands, of every multiplication with this output; one scale of
            what is only rescaled.
        all_bits: no kernel is read with this scale, so that it may have all bits of float32.
        may: whether a scale may be this one.
    """
    trials = [(_PRODUCT_BITS, 1.1), (_PRODUCT_BITS, _WIDEST)]
    if all_bits:
        trials.insert(1, (_FREE_BITS, 1 + _TRIALS * 2.0**-_FREE_BITS))
    for bits, widest in trials:
        fraction, exponent = math.frexp(wanted)
        first = math.ceil(fraction * (1 << bits))
        steps = np.arange(first, int(first * widest) + 1, dtype=np.float64)
        candidates = np.ldexp(steps, exponent - bits)
        fits = np.ones(len(candidates), bool)
        for scales in operands:
            fits &= alike(*scales, out=candidates)
        for scale in map(float, candidates[fits]):
            if may(scale):
                return scale
    return free(wanted, may)  # the simulator will say so where it matters


def rounds_clearly(scale: float) -> bool:
    """Whether no entry of an int8 tanh's or sigmoid's table is near the middle of two levels.

    TFLM: `tanh` and `logistic` of gemmlowp's `fixedpoint.h`. Vela: Python's `math`, in float64.
    """
    inputs = _STEPS * scale  # symmetric: the table of -x has the same distances
    levels = np.concatenate([128 * np.tanh(inputs), 256 / (1 + np.exp(-inputs))])
    return bool(np.abs(levels - np.floor(levels) - 0.5).min() > _UNCLEAR)


def has_no_halves(scale: float, out: float) -> bool:
    """Whether no entry of an ELU's int8 table is near the middle of two levels.

    Vela rounds a half away from 0, in float64; TFLM before it adds the zero point, in float32.
    """
    inputs = _STEPS * scale
    levels = np.concatenate([inputs, np.expm1(-inputs)]) / out
    return bool(np.abs(levels - np.floor(levels) - 0.5).min() > _UNCLEAR)


def is_no_power_of_two(scale: float) -> bool:
    """Whether a scale is none to LiteRT, which does not add int16 values if all three are.

    `CheckedLog2` in its `kernels/internal/quantization_util.cc` decides, to a thousandth.
    """
    exponent = math.log2(scale)
    return abs(exponent - round(exponent)) > 1.1e-3


def alike(a: float, b: float = 1.0, *, out: Floats) -> npt.NDArray[np.bool_]:
    """Whether Vela and TFLM derive the same multiplier for `s_a * s_b / s_out`, per output scale.

    TFLM: `kernels/mul_common.cc`, float64. Vela: float32 throughout.
    """
    exact = a * b / out
    rounded = np.float32(np.float32(a) * np.float32(b)) / out.astype(np.float32)
    same: npt.NDArray[np.bool_] = _multiplier(exact) == _multiplier(rounded.astype(np.float64))
    both: npt.NDArray[np.bool_] = np.logical_and(same[0], same[1])
    return both


def _multiplier(real: Floats) -> Floats:
    """(31-bit multiplier, exponent), as `QuantizeMultiplier` has them; shape (2, count)."""
    fraction, exponent = np.frexp(real)
    return np.stack([np.rint(fraction * (1 << 31)), exponent.astype(np.float64)])
