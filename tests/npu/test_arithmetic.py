"""Rounding rules, with values derived by hand and from the definitions in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from unspool.errors import UnspoolError
from unspool.npu import arithmetic
from unspool.npu.arithmetic import Rounding
from unspool.npu.pooling import reciprocal


def _array(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_halves_go_up() -> None:
    values = _array(-6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6)  # quarters
    assert arithmetic.round_up_shift(values, 2).tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2]
    assert arithmetic.round_up_shift(values, 0).tolist() == values.tolist()


def test_halves_leave_zero() -> None:
    values = _array(-6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6)  # quarters
    expected = [-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2]
    assert arithmetic.rounding_divide_by_pot(values, 2).tolist() == expected
    assert arithmetic.rounding_divide_by_pot(values, 0).tolist() == values.tolist()


def _up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def _away(value: Fraction) -> int:
    return _up(value) if value > 0 else -_up(-value)


@pytest.mark.parametrize("shift", [0, 1, 14, 30, 31, 32, 33, 40, 55, 62, 63])
def test_scales_in_exact_arithmetic(shift: int) -> None:
    rng = np.random.default_rng(shift)
    values = rng.integers(-(1 << 20), 1 << 20, 400)
    multiplier = int(rng.integers(1 << 30, 1 << 31))
    tfl = [
        _up(Fraction(int(v) * multiplier, 1 << shift))
        if shift <= 31
        else _away(Fraction(_up(Fraction(int(v) * multiplier, 1 << 31)), 1 << shift - 31))
        for v in values
    ]
    natural = [_up(Fraction(int(v) * multiplier, 1 << shift)) for v in values]
    assert arithmetic.scale(values, multiplier, shift, Rounding.TFL).tolist() == tfl
    assert arithmetic.scale(values, multiplier, shift, Rounding.NATURAL).tolist() == natural
    shifts = np.full(400, shift)
    assert arithmetic.tfl_scale(values, np.full(400, multiplier), shifts).tolist() == tfl


def test_shifts_of_both_kinds_together() -> None:
    both = arithmetic.tfl_scale(_array(-3, -3), _array(1 << 30, 1 << 30), _array(31, 32))
    # -1.5 goes up to -1; twice rounded, -1.5 becomes -1 and then -0.5 becomes -1
    assert both.tolist() == [-1, -1]


def test_the_scale_of_an_operand() -> None:
    """As gemmlowp has it: shift left 20, doubling high multiplication, rounding shift."""
    rng = np.random.default_rng(0)
    multiplier, right = 1622386357, 3
    values = rng.integers(-255, 256, 400)
    expected = [
        _away(Fraction(_up(Fraction((int(v) << 20) * multiplier, 1 << 31)), 1 << right))
        for v in values
    ]
    shift = 31 + right - 20
    assert arithmetic.operand_scale(values, multiplier, shift, 20).tolist() == expected


def test_not_simulated() -> None:
    with pytest.raises(UnspoolError, match="TRUNCATE"):
        arithmetic.scale(_array(1), 1, 1, Rounding.TRUNCATE)
    with pytest.raises(UnspoolError, match="62 bits"):
        arithmetic.scale(_array(1 << 40), 1 << 31, 31, Rounding.TFL)


def test_leading_zeros() -> None:
    values = _array(0, 1, 2, 255, 256, (1 << 31) - 1, -1, -(1 << 31))
    assert arithmetic.count_leading_zeros(values).tolist() == [32, 31, 30, 24, 23, 1, 0, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 25, 49, 64, 256])
def test_division_by_the_number_of_taps(count: int) -> None:
    """The reciprocal makes halves leave zero, as TensorFlow Lite's average pooling has them."""
    totals = np.arange(-128 * count, 127 * count + 1)
    multiplier, shift = reciprocal(np.array([count]))
    expected = [_away(Fraction(int(t), count)) for t in totals]
    assert arithmetic.natural_scale(totals, multiplier, shift).tolist() == expected
