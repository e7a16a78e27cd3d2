"""Sweep: compile one network for many targets, and see which fit a budget."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue

import joblib

from unspool.compilation import budgets, vela
from unspool.compilation.budgets import Breach, Budget
from unspool.compilation.compiled import Compiled
from unspool.compilation.kinds import CPU_OPERATORS, FLASH, MILLISECONDS, SRAM_WITH_WEIGHTS
from unspool.compilation.target_selection import all_targets
from unspool.compilation.targets import Target
from unspool.compilation.vela_host import Host
from unspool.errors import UnspoolError
from unspool.support.progress import Watch, unwatched

STAGE = "compile with Vela"


@dataclass(frozen=True)
class Cost:
    """What a network costs on a target; all but the operators is Vela's estimate.

    Attributes:
        npu_operators: how many operators run on the NPU.
        cpu_operators: how many fall back to the CPU.
        cycles: NPU cycles of one inference; Vela does not estimate what the CPU takes.
        milliseconds: of these cycles, at the system configuration's clock.
        sram_kib: KiB of SRAM, with the weights where the memory mode puts them there.
        flash_kib: KiB of flash: of the compiled file, measured.
        dram_kib: KiB of DRAM, with the weights where they lie there.
    """

    npu_operators: int
    cpu_operators: int
    cycles: int
    milliseconds: float
    sram_kib: float
    flash_kib: float
    dram_kib: float

    @property
    def inferences_per_second(self) -> float:
        """Inferences per second when one follows the other without a pause."""
        return 1000 / self.milliseconds if self.milliseconds else 0.0


@dataclass(frozen=True)
class Trial:
    """A network on one target.

    Attributes:
        target: what it was compiled for.
        cost: None where it did not compile.
        breaches: the limits of the budget that it breaks, or is not known to keep.
        problem: why it did not compile; empty where it did.
    """

    target: Target
    cost: Cost | None
    breaches: tuple[Breach, ...] = ()
    problem: str = ""

    @property
    def fits(self) -> bool:
        """Whether it compiled, and is known to be within the budget."""
        return self.cost is not None and not self.breaches


@dataclass(frozen=True)
class Sweep:
    """A network on many targets.

    Attributes:
        trials: one per target, in the order in which the targets were given.
        budget: the limits that they were compared with; None where there were none.
        vela_version: of the compiler.
    """

    trials: tuple[Trial, ...]
    budget: Budget | None
    vela_version: str


_KEYS: dict[str, Callable[[Cost], float]] = {
    "cycles": lambda cost: cost.cycles,
    "ms": lambda cost: cost.milliseconds,
    "sram": lambda cost: cost.sram_kib,
    "flash": lambda cost: cost.flash_kib,
    "dram": lambda cost: cost.dram_kib,
    "cpu": lambda cost: cost.cpu_operators,
}

_TIMES = ("cycles", "ms")

SORTS = ("target", *_KEYS)
"""What trials can be sorted by."""


def sweep(
    tflite: bytes,
    targets: Sequence[Target] | None = None,
    budget: Budget | None = None,
    watch: Watch | None = None,
) -> Sweep:
    """Compile a quantized .tflite file for each target, as many at a time as there are cores.

    A target that Vela refuses does not stop the others; its trial says why.

    Args:
        tflite: the bytes of an int8 or int16 .tflite file.
        targets: what to compile for; `all_targets()` where None.
        budget: what the network may cost; it cannot limit the accuracy, which Vela does not know.
        watch: is called with the progress.

    Raises:
        UnspoolError: not a .tflite file, or one that is compiled already; no target; a limit on
            the accuracy; or Vela refuses the file for every target.

    Example:
        >>> budget = unspool.Budget(max_sram_kib=64, no_cpu=True)
        >>> swept = unspool.sweep(int8_tflite, [unspool.target("ethos-u55-128")], budget)
        >>> [trial.fits for trial in swept.trials]
        [True]
    """
    if budget is not None and budget.max_accuracy_drop is not None:
        raise UnspoolError(
            f"`max_accuracy_drop` {budget.max_accuracy_drop:g}: a sweep measures no accuracy, "
            "which is the same on every target; deploy the model with this budget"
        )
    vela.check_source(tflite)
    chosen = all_targets() if targets is None else tuple(targets)
    if not chosen:
        raise UnspoolError("sweep: no target was given; expected one or more")
    watch = watch or unwatched
    watch(STAGE, 0, len(chosen))
    cores = min(joblib.cpu_count(), len(chosen))
    idle: SimpleQueue[Host] = SimpleQueue()
    trials: list[Trial] = []
    # Threads: each waits for a process of Vela. Those end before them where this is interrupted, so
    # that none is still at work in a temporary folder.
    with ThreadPoolExecutor(cores) as pool, ExitStack() as stack:
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        for _ in range(cores):
            idle.put(stack.enter_context(Host()))
        jobs = [pool.submit(_try, idle, tflite, target, budget) for target in chosen]
        for job in jobs:
            trials.append(job.result())
            watch(STAGE, len(trials), len(chosen))
    if all(trial.cost is None for trial in trials):
        raise UnspoolError(f"none of {len(trials)} targets compiled: {trials[0].problem}")
    return Sweep(tuple(trials), budget, vela.installed_version())


def order(trials: Sequence[Trial], by: str) -> tuple[Trial, ...]:
    """Sort trials by one of `SORTS`, the smallest first; those that did not compile come last.

    By time, targets that leave operators to the CPU come behind all others: what these take is not
    known.

    Raises:
        UnspoolError: `by` is something else.
    """
    if by not in SORTS:
        raise UnspoolError(f"`sort` {by}: expected one of {', '.join(SORTS)}")
    if by == "target":
        return tuple(trials)

    def key(trial: Trial) -> tuple[bool, float]:
        if trial.cost is None:
            return True, math.inf
        return by in _TIMES and trial.cost.cpu_operators > 0, _KEYS[by](trial.cost)

    return tuple(sorted(trials, key=key))


def _try(idle: "SimpleQueue[Host]", tflite: bytes, target: Target, budget: Budget | None) -> Trial:
    host = idle.get()
    try:
        compiled = vela.compile_with(host.run, tflite, target)
    except UnspoolError as error:
        return Trial(target, None, problem=" ".join(str(error).split()))
    finally:
        idle.put(host)
    cost = _cost(compiled)
    figures = {
        MILLISECONDS.id: cost.milliseconds,
        SRAM_WITH_WEIGHTS.id: cost.sram_kib,
        FLASH.id: cost.flash_kib,
        CPU_OPERATORS.id: cost.cpu_operators,
    }
    return Trial(target, cost, budgets.check(figures, budget) if budget else ())


def _cost(compiled: Compiled) -> Cost:
    return Cost(
        npu_operators=compiled.npu_operators,
        cpu_operators=len(compiled.cpu_operators),
        cycles=compiled.cycles,
        milliseconds=compiled.milliseconds,
        sram_kib=compiled.sram_with_weights_kib,
        flash_kib=compiled.flash_kib,
        dram_kib=compiled.dram_kib,
    )
