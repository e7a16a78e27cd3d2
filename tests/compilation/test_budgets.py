"""Budgets: which figure counts for a limit, what is broken, by how much, and what is no limit."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.compilation.budgets import Budget, check, weigh
from unspool.errors import UnspoolError

PLAIN = {"milliseconds": 9.5, "sram": 23.0, "flash": 198.5, "cpu_operators": 0}
TESTED = {**PLAIN, "accuracy_keras": 98.37, "accuracy_tflm": 98.34}
HEADS = {  # outputs "voice" and "word"
    **PLAIN,
    **{"accuracy_keras_voice": 90.0, "accuracy_tflm_voice": 90.5},
    **{"accuracy_keras_word": 99.0, "accuracy_tflm_word": 97.0},
}
RESIDENT = {**PLAIN, "resident_milliseconds": 2.0, "resident_sram": 188.0}

# figures, budget -> (figure, by how much it is over); by hand
CASES = {
    "no limit": (PLAIN, Budget(), []),
    "time": (PLAIN, Budget(max_ms=5), [("milliseconds", 4.5)]),
    "equal is within": (PLAIN, Budget(max_ms=9.5, max_sram_kib=23, max_flash_kib=198.5), []),
    "a limit of 0": (PLAIN, Budget(max_flash_kib=0), [("flash", 198.5)]),
    "all": (
        {**PLAIN, "cpu_operators": 3},
        Budget(max_ms=9, max_sram_kib=20, max_flash_kib=190, no_cpu=True),
        [("milliseconds", 0.5), ("sram", 3.0), ("flash", 8.5), ("cpu_operators", 3)],
    ),
    "resident weights": (
        RESIDENT,
        Budget(max_ms=5, max_sram_kib=100, max_flash_kib=200),
        [("resident_sram", 88.0)],
    ),
    "weights in SRAM": (
        {**PLAIN, "sram_with_weights": 221.5},
        Budget(max_sram_kib=200),
        [("sram_with_weights", 21.5)],
    ),
    # 98.37 - 98.34 is 0.0300000000000011 in binary
    "accuracy, just within": (TESTED, Budget(max_accuracy_drop=0.03), []),
    "accuracy": (TESTED, Budget(max_accuracy_drop=0.01), [("accuracy_tflm", 0.02)]),
    "accuracy that rose": (
        {**TESTED, "accuracy_tflm": 99.0},
        Budget(max_accuracy_drop=0),
        [],
    ),
    "the output that loses most": (
        HEADS,
        Budget(max_accuracy_drop=0.5),
        [("accuracy_tflm_word", 1.5)],
    ),
    "no output loses as much": (HEADS, Budget(max_accuracy_drop=2), []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_broken_and_by_how_much(case: str) -> None:
    figures, budget, expected = CASES[case]
    breaches = [(breach.figures[-1], breach.over) for breach in check(figures, budget)]
    assert breaches == expected


def test_a_breach_says_what_was_given_and_what_is() -> None:
    (time,) = check(PLAIN, Budget(max_ms=5))
    assert str(time) == "Time of an inference: 9.50 ms, 4.50 ms over the budget's 5"
    (cpu,) = check({"cpu_operators": 2}, Budget(no_cpu=True))
    assert str(cpu) == "Operators on the CPU: 2, but the budget allows none"
    (word,) = check(HEADS, Budget(max_accuracy_drop=0.5))
    assert str(word) == (
        "Accuracy below the trained model's, output 'word': 2.00 points, 1.50 points over the "
        "budget's 0.5"
    )
    (little,) = check({"milliseconds": 5.0004}, Budget(max_ms=5))
    assert "0.0004 ms over" in str(little), "not 0.00 over"


def test_a_time_is_not_known_where_operators_run_on_the_cpu() -> None:
    """Vela's cycles are the NPU's."""
    (time,) = check({**PLAIN, "cpu_operators": 1}, Budget(max_ms=10, max_flash_kib=200))
    assert str(time) == (
        "Time of an inference: not known, as 1 operator runs on the CPU, whose time Vela does not "
        "estimate; the NPU alone takes 9.50 ms of the budget's 10"
    )
    assert time.document["over"] is None and time.document["on_cpu"] == 1
    (time,) = check({**RESIDENT, "cpu_operators": 2}, Budget(max_ms=10))
    assert "as 2 operators run on the CPU" in str(time) and "alone takes 2.00 ms" in str(time)
    (item,) = weigh({**PLAIN, "cpu_operators": 1}, Budget(max_ms=10))
    assert not item.is_kept and not item.is_known
    (broken,) = check({**PLAIN, "cpu_operators": 1}, Budget(max_ms=5))
    assert str(broken) == "Time of an inference: 9.50 ms, 4.50 ms over the budget's 5"


def test_every_limit_is_weighed_kept_or_broken() -> None:
    items = weigh(PLAIN, Budget(max_ms=5, max_flash_kib=200, no_cpu=True))
    assert [(item.limit, item.value, item.allowed) for item in items] == [
        ("max_ms", 9.5, 5),
        ("max_flash_kib", 198.5, 200),
        ("no_cpu", 0, 0),
    ]


@pytest.mark.parametrize(
    ("figures", "budget", "message"),
    [
        (PLAIN, Budget(max_accuracy_drop=1), "`max_accuracy_drop` 1: needs accuracy_keras and"),
        ({**PLAIN, "accuracy_tflm": 90}, Budget(max_accuracy_drop=1), "with test samples"),
        ({}, Budget(max_ms=1), "`max_ms` 1: needs milliseconds"),
        ({}, Budget(max_sram_kib=1), "`max_sram_kib` 1: needs sram"),
        ({}, Budget(no_cpu=True), "`no_cpu`: needs cpu_operators"),
    ],
)
def test_a_limit_without_its_figure_is_a_mistake(
    figures: dict[str, float], budget: Budget, message: str
) -> None:
    with pytest.raises(UnspoolError, match=message):
        check(figures, budget)


LIMITS = ("max_ms", "max_sram_kib", "max_flash_kib", "max_accuracy_drop")


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("limit", [math.nan, math.inf, -math.inf, -1, -1e-9, True, "5"])
def test_what_is_no_limit_is_refused(name: str, limit: Any) -> None:
    with pytest.raises(UnspoolError, match=rf"^`{name}` .*: expected a finite"):
        Budget(**{name: limit})


costs = st.floats(0, 1e9)


@given(value=costs, limit=costs)
def test_a_limit_is_broken_exactly_where_the_value_is_above_it(value: float, limit: float) -> None:
    broken = check({"milliseconds": value}, Budget(max_ms=limit))
    if abs(value - limit) > 1e-6:  # below that is rounding
        assert bool(broken) == (value > limit)
    for breach in broken:
        assert breach.over == pytest.approx(value - limit, abs=1e-8)


@given(costs, st.lists(costs, min_size=2, max_size=2))
def test_a_wider_limit_never_breaks_what_a_narrower_keeps(
    value: float, limits: list[float]
) -> None:
    narrow, wide = (check({"flash": value}, Budget(max_flash_kib=m)) for m in sorted(limits))
    assert len(wide) <= len(narrow)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 1_000))
def test_a_drop_of_so_many_samples_of_10_000_is_exact(right: int, fewer: int, allowed: int) -> None:
    """Accuracies are quotients: whether the drop is within the limit is decided in samples."""
    figures = {"accuracy_keras": 100 * right / 10_000, "accuracy_tflm": 100 * fewer / 10_000}
    broken = check(figures, Budget(max_accuracy_drop=allowed / 100))
    assert bool(broken) == (right - fewer > allowed)
