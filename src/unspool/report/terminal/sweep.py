"""A sweep as one table for the terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unspool.compilation.sweeping import Sweep, Trial
from unspool.report.sweep_words import COLUMNS, estimate, numbers, summary, verdict

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
