"""A sweep as one table for the terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unspool.budgets import Breach, as_text
from unspool.sweeping import Cost, Sweep, Trial

COLUMNS = ("NPU", "CPU", "Cycles", "ms", "1/s", "SRAM KiB", "Flash KiB", "DRAM KiB")
"""Headings of the figures that `numbers` gives."""

WIDE = 140
"""Columns that a row with all figures takes, with Arm's names."""


def as_sweep_table(
    sweep: Sweep, trials: Sequence[Trial], name: str, width: int = WIDE
) -> RenderableType:
    """Render a sweep for a rich console.

    Args:
        sweep: what was compiled.
        trials: those of the sweep, in the order in which they are shown.
        name: of the file.
        width: columns of the console; below `WIDE` each row has two lines and fewer figures.
    """
    table = _wide(sweep, trials) if width >= WIDE else _narrow(sweep, trials)
    lines = (Text(line) for line in summary(sweep))
    return Group(Text(f"{name}, {estimate(sweep)}"), table, *lines)


def _wide(sweep: Sweep, trials: Sequence[Trial]) -> Table:
    table = Table("Accelerator", "System configuration", "Memory mode", box=None)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    if sweep.budget:
        table.add_column("Fits the budget", overflow="fold")
    for trial in trials:
        target = trial.target
        cells = numbers(trial.cost) if trial.cost else ["did not compile", *[""] * 7]
        fits = [Text(verdict(trial), style="bold" if trial.fits else "")] if sweep.budget else []
        table.add_row(target.accelerator, target.system_config, target.memory_mode, *cells, *fits)
    return table


def _narrow(sweep: Sweep, trials: Sequence[Trial]) -> Table:
    """Fits 80 columns: the rest is in the files."""
    table = Table(
        "Accelerator, memory mode\n  system configuration", box=None, padding=(0, 1, 0, 0)
    )
    shown = {"CPU": "CPU", "Cycles": "Cycles", "ms": "ms"}
    shown |= {f"{memory} KiB": f"{memory}\nKiB" for memory in ("SRAM", "Flash")}
    for heading in shown.values():
        table.add_column(heading, justify="right", no_wrap=True)
    if sweep.budget:
        table.add_column("Fits")
    for trial in trials:
        target = trial.target
        row = dict(zip(COLUMNS, numbers(trial.cost), strict=True)) if trial.cost else {}
        cells = [row.get(column, "-") for column in shown]
        fits = [Text("yes" if trial.fits else "no")] if sweep.budget else []
        names = f"{target.accelerator} {target.memory_mode}\n  {target.system_config}"
        table.add_row(names, *cells, *fits)
    return table


def numbers(cost: Cost) -> list[str]:
    """The figures of a row as people read them, under `COLUMNS`."""
    return [
        str(cost.npu_operators),
        str(cost.cpu_operators),
        f"{cost.cycles:,}",
        as_text(cost.milliseconds),
        f"{cost.inferences_per_second:,.0f}",
        *(f"{kib:,.1f}" for kib in (cost.sram_kib, cost.flash_kib, cost.dram_kib)),
    ]


def verdict(trial: Trial) -> str:
    """Whether a target fits the budget, and by how much it does not."""
    if trial.fits:
        return "yes"
    return "no: " + ("; ".join(map(_short, trial.breaches)) or "did not compile")


def estimate(sweep: Sweep) -> str:
    """Where the figures come from."""
    return f"Vela {sweep.vela_version}'s estimates"


def summary(sweep: Sweep) -> list[str]:
    """Sentences below the table: how many fit, which are the best, which did not compile."""
    count = len(sweep.trials)
    there = [trial for trial in sweep.trials if trial.cost]
    lines = [f"{count} target{'s' * (count != 1)}, {len(there)} compiled."]
    fitting = [trial for trial in there if trial.fits]
    if sweep.budget:
        lines.append(f"{len(fitting)} of them fit the budget: {sweep.budget}.")
    costs = [(trial.cost, trial) for trial in fitting if trial.cost]
    if costs:
        cost, trial = min(costs, key=lambda pair: pair[0].milliseconds)
        lines.append(f"Fastest: {trial.target}: {as_text(cost.milliseconds)} ms.")
        cost, trial = min(costs, key=lambda pair: (pair[0].sram_kib, pair[0].milliseconds))
        lines.append(f"Least SRAM: {trial.target}: {cost.sram_kib:,.1f} KiB.")
    lines += [f"Did not compile: {t.target}: {t.problem}." for t in sweep.trials if t.problem]
    return lines


def _short(breach: Breach) -> str:
    if breach.limit == "no_cpu":
        return f"{breach.value:.0f} on the CPU"
    label = "" if breach.unit == "ms" else f"{breach.label} "
    return f"{label}+{as_text(breach.over)} {breach.unit}"
