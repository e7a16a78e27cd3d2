"""What a network costs by how many time steps a call takes, and which number to choose."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.compilation.budgets import Budget
from unspool.compilation.compiled import Compiled

_MOST_STEPS = 128  # of a call: beyond that, the command stream is nearly all of the flash
_MOST_TRIED = 8
_MOST_TIME = 1.25  # of the fastest, where nobody said how much it may be


@dataclass(frozen=True)
class CallCost:
    """What an inference costs if each call takes so many time steps.

    Attributes:
        steps_per_call: time steps of a call.
        calls: of the network, that an inference takes.
        flash_kib: KiB of the compiled file; measured.
        command_stream_kib: what of it is commands for the NPU; measured.
        sram_kib: KiB of SRAM to reserve, with the network where the memory mode has it read from
            there.
        cycles: of all calls, Vela's estimate; with resident weights, where they were asked for.
        milliseconds: of all calls, Vela's estimate, and what they cost beside that.
    """

    steps_per_call: int
    calls: int
    flash_kib: float
    command_stream_kib: float
    sram_kib: float
    cycles: int
    milliseconds: float


def of_compiled(steps_per_call: int, compiled: Compiled, cycles: int) -> CallCost:
    """The costs of a compiled network, which takes so many cycles with its resident weights."""
    return CallCost(
        steps_per_call,
        compiled.calls,
        compiled.flash_kib,
        compiled.command_stream_kib,
        compiled.sram_with_weights_kib,
        cycles,
        compiled.milliseconds_of(cycles),
    )


def worth_trying(divisors: Sequence[int]) -> list[int]:
    """Some of the numbers of steps that a call may take: few, spread evenly by their ratios.

    >>> worth_trying([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 60, 120])
    [1, 2, 4, 8, 15, 30, 60, 120]
    """
    possible = [steps for steps in divisors if steps <= _MOST_STEPS]
    if len(possible) <= _MOST_TRIED:
        return possible
    largest = possible[-1]
    wanted = [largest ** (place / (_MOST_TRIED - 1)) for place in range(_MOST_TRIED)]
    return sorted({min(possible, key=lambda steps: abs(steps / w - 1)) for w in wanted})


def choose(costs: Sequence[CallCost], budget: Budget | None) -> CallCost:
    """The one with the least flash that keeps a budget's flash, SRAM and time.

    The fastest, where the budget limits memory and not the time. Without a limit, the one with the
    least flash of those that take at most a quarter more time than the fastest. Where none keeps
    the budget, the one with the least flash of all.
    """
    limits = budget.limits if budget else {}
    bounds = {field: limits[name] for name, field in _LIMITED.items() if name in limits}
    if not bounds:
        bounds["milliseconds"] = _MOST_TIME * min(cost.milliseconds for cost in costs)
    within = [
        cost
        for cost in costs
        if all(getattr(cost, field) <= most for field, most in bounds.items())
    ]
    if within and "milliseconds" not in bounds:
        return min(within, key=lambda cost: (cost.milliseconds, cost.flash_kib))
    return min(within or costs, key=lambda cost: (cost.flash_kib, cost.milliseconds))


_LIMITED = {"max_flash_kib": "flash_kib", "max_sram_kib": "sram_kib", "max_ms": "milliseconds"}
