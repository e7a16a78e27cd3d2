"""Scaling and rounding, one function per rule, on int64 arrays.

A scale is a 32-bit unsigned multiplier and a shift: value * multiplier / 2**shift. The NPU has
two ways to round it. `tfl_scale` rounds twice for shifts above 31, as TensorFlow Lite's
`MultiplyByQuantizedMultiplier` does, and `natural_scale` once, halves towards plus infinity.
"""

from enum import Enum

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError

Ints = npt.NDArray[np.int64]

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
_SAFE = 1 << 62  # products up to here leave room for the rounding constant


class Rounding(Enum):
    """The field of OFM_PRECISION and IFM_PRECISION that chooses the rule."""

    TFL = 0
    TRUNCATE = 1
    NATURAL = 2


def round_up_shift(value: Ints, shift: Ints | int) -> Ints:
    """value / 2**shift, halves towards plus infinity."""
    return (value + _half(shift)) >> shift


def rounding_divide_by_pot(value: Ints, exponent: Ints | int) -> Ints:
    """value / 2**exponent, halves away from zero (gemmlowp's RoundingDivideByPOT)."""
    # Halves go up, except below zero: there, one less sends them down. With exponent 0 there
    # are no halves, and nothing to correct.
    result = value + _half(exponent)
    result += (value >> 63) & -_positive(exponent)
    result >>= exponent
    return result


def doubling_high(product: Ints) -> Ints:
    """product / 2**31, halves up: the high half of gemmlowp's doubling multiplication."""
    result = product + (1 << 30)
    result >>= 31
    return result


def tfl_scale(value: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """value * multiplier / 2**shift, rounded as TensorFlow Lite's kernels do.

    Shifts above 31 round twice: first the doubling high multiplication, then a rounding
    division by what is left of the shift. `multiplier` and `shift` broadcast against `value`.
    """
    product = value * multiplier
    shifts = np.asarray(shift, np.int64)
    if (shifts <= 31).all():
        return round_up_shift(product, shift)
    twice = rounding_divide_by_pot(doubling_high(product), np.maximum(shifts - 31, 0))
    if (shifts > 31).all():
        return twice
    return np.where(shifts > 31, twice, round_up_shift(product, np.minimum(shifts, 31)))


def _half(exponent: Ints | int) -> Ints:
    """Half of 2**exponent, up to 2**62; 0 for the exponent 0."""
    below = np.maximum(np.asarray(exponent, np.int64) - 1, 0)
    return (np.int64(1) << below) * _positive(exponent)


def _positive(exponent: Ints | int) -> Ints:
    return (np.asarray(exponent) > 0).astype(np.int64)


def operand_scale(value: Ints, multiplier: int, shift: int, left_shift: int) -> Ints:
    """Scale one operand of ADD or SUB as TensorFlow Lite does: after a left shift, twice rounded.

    The kernels shift the operand left (20 bits for int8) before their doubling high
    multiplication. The NPU's shift has that taken off already, so its first rounding is at bit
    31 - left_shift.
    """
    first = 31 - left_shift
    product = value * multiplier
    if shift <= first:
        return round_up_shift(product, shift)
    return rounding_divide_by_pot(round_up_shift(product, first), shift - first)


def natural_scale(value: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """value * multiplier / 2**shift, rounded once, halves towards plus infinity."""
    return round_up_shift(value * multiplier, shift)


def scale(value: Ints, multiplier: Ints | int, shift: Ints | int, rounding: Rounding) -> Ints:
    """Apply a scale with the rounding that a PRECISION register names.

    Raises:
        UnspoolError: the mode is TRUNCATE, whose rule nothing here establishes, or a product may
            not fit 64 bits.
    """
    check_product(value, multiplier)
    if rounding is Rounding.TFL:
        return tfl_scale(value, multiplier, shift)
    if rounding is Rounding.NATURAL:
        return natural_scale(value, multiplier, shift)
    raise UnspoolError("the rounding mode TRUNCATE is not simulated")


def check_product(a: Ints, b: Ints | int) -> None:
    """Check that a * b fits 64 bits.

    Raises:
        UnspoolError: it may not.
    """
    if largest(a) * largest(b) >= _SAFE:
        raise UnspoolError("a product exceeds 62 bits: not simulated")


def largest(value: Ints | int) -> int:
    """The largest magnitude in an array, 0 for an empty one."""
    if isinstance(value, int):
        return abs(value)
    return max(-int(np.min(value)), int(np.max(value))) if value.size else 0


def saturate(value: Ints, low: int, high: int) -> Ints:
    """Clamp into [low, high]."""
    return np.clip(value, low, high)


def count_leading_zeros(value: Ints) -> Ints:
    """Leading zeros of 32-bit numbers; 32 for 0, 0 for negative ones."""
    unsigned = value & 0xFFFFFFFF
    # float64 holds 32 bits exactly, so its exponent is the bit length.
    return 32 - np.frexp(unsigned.astype(np.float64))[1].astype(np.int64)
