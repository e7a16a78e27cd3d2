"""A sweep in words, for terminal and page."""

from collections.abc import Sequence

from unspool.compilation.budgets import Breach, as_text
from unspool.compilation.sweeping import Cost, Sweep, Trial

COLUMNS = ("NPU", "CPU", "Cycles", "ms", "1/s", "SRAM KiB", "Flash KiB", "DRAM KiB")
"""Headings of the figures that `numbers` gives."""


def values(cost: Cost) -> tuple[float, ...]:
    """The figures of a row, under `COLUMNS`."""
    return (
        cost.npu_operators,
        cost.cpu_operators,
        cost.cycles,
        cost.milliseconds,
        cost.inferences_per_second,
        cost.sram_kib,
        cost.flash_kib,
        cost.dram_kib,
    )


def numbers(cost: Cost) -> list[str]:
    """`values` as people read them."""
    npu, cpu, cycles, milliseconds, per_second, *sizes = values(cost)
    return [
        str(npu),
        str(cpu),
        f"{cycles:,}",
        as_text(milliseconds),
        f"{per_second:,.0f}",
        *(f"{kib:,.1f}" for kib in sizes),
    ]


def verdict(trial: Trial) -> str:
    """Whether a target fits the budget; if not, by how much it exceeds it, or what is not known."""
    if trial.fits:
        cpu_operators = trial.cost.cpu_operators if trial.cost else 0
        return f"yes, but for {cpu_operators} on the CPU" if cpu_operators else "yes"
    return "no: " + ("; ".join(map(_short, trial.breaches)) or "did not compile")


def estimate(sweep: Sweep) -> str:
    """Where the figures come from."""
    return f"Vela {sweep.vela_version}'s estimates"


def summary(sweep: Sweep) -> list[str]:
    """Sentences below the table: how many fit, which are the best, which did not compile.

    The best are those that leave nothing to the CPU, whose time is in no figure.
    """
    count = len(sweep.trials)
    there = [trial for trial in sweep.trials if trial.cost]
    lines = [f"{count} target{'s' * (count != 1)}, {len(there)} compiled."]
    fitting = [trial for trial in there if trial.fits]
    if sweep.budget:
        lines.append(f"{len(fitting)} of them fit the budget: {sweep.budget}.")
    costs = [(t.cost, t) for t in fitting if t.cost and not t.cost.cpu_operators]
    lines += _left_to_cpu([trial.cost for trial in there if trial.cost])
    if costs:
        cost, trial = min(costs, key=lambda pair: pair[0].milliseconds)
        lines.append(f"Fastest: {trial.target}: {as_text(cost.milliseconds)} ms.")
        cost, trial = min(costs, key=lambda pair: (pair[0].sram_kib, pair[0].milliseconds))
        lines.append(f"Least SRAM: {trial.target}: {cost.sram_kib:,.1f} KiB.")
    lines += [f"Did not compile: {t.target}: {t.problem}." for t in sweep.trials if t.problem]
    return lines


def _left_to_cpu(costs: Sequence[Cost]) -> list[str]:
    """How many targets leave operators to the CPU, and how many operators."""
    counts = sorted(cost.cpu_operators for cost in costs if cost.cpu_operators)
    if not counts:
        return []
    least, most = counts[0], counts[-1]
    many = f"{most}" if least == most else f"{least} to {most}"
    on_cpu = f"{many} {'are' if most > 1 else 'is'} left to the CPU"
    who = "None of them runs" if len(counts) == len(costs) else f"{len(counts)} of them do not run"
    return [
        f"{who} all operators on the NPU: {on_cpu}, and the time that takes is in none of these "
        "figures."
    ]


def _short(breach: Breach) -> str:
    if breach.limit == "no_cpu":
        return f"{breach.value:.0f} on the CPU"
    if not breach.is_known:
        return f"{breach.unit} not known: {breach.on_cpu} on the CPU"
    label = "" if breach.unit == "ms" else f"{breach.label} "
    return f"{label}+{as_text(breach.over)} {breach.unit}"
