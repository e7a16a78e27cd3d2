"""Which number of steps a call takes: what is tried, and what is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool import Budget, CallCost
from unspool.compilation.call_costs import choose, worth_trying
from unspool.unrolling.taken import divisors

COSTS = [
    CallCost(1, 60, 20.0, 3.0, 1.0, 900, 9.0),
    CallCost(6, 10, 30.0, 13.0, 2.0, 500, 5.0),
    CallCost(60, 1, 120.0, 100.0, 8.0, 400, 4.0),
]

CHOSEN = {
    "no budget: the least flash in a quarter more than the least time": (None, 6),
    "a budget of other things: as without": (Budget(max_output_error=3, no_cpu=True), 6),
    "time: the least flash in time": (Budget(max_ms=5), 6),
    "time, just": (Budget(max_ms=4.0), 60),
    "flash: the fastest within": (Budget(max_flash_kib=30), 6),
    "SRAM: the fastest within": (Budget(max_sram_kib=7.9), 6),
    "flash and time": (Budget(max_flash_kib=200, max_ms=5), 6),
    "none keeps it: the least flash": (Budget(max_ms=1), 1),
    "none keeps both": (Budget(max_ms=4, max_flash_kib=50), 1),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_chosen(name: str) -> None:
    budget, steps = CHOSEN[name]
    assert choose(COSTS, budget).steps_per_call == steps


@given(st.integers(1, 20_000))
def test_what_is_tried(length: int) -> None:
    """Few numbers, each a divisor; from one step to what is near 128, if there is one."""
    possible = [steps for steps in divisors(length) if steps <= 128]
    tried = worth_trying(divisors(length))
    assert 1 <= len(tried) <= 8
    assert set(tried) <= set(possible)
    assert (tried[0], tried[-1]) == (1, possible[-1])
    assert tried == sorted(set(tried))
