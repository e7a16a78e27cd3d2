"""`unspool check` and `unspool diff`: for reports that have been written already."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from unspool.cli.budget_options import BudgetOptions
from unspool.cli.console import BROKEN, console
from unspool.cli.grouping import grouped
from unspool.compilation import budgets
from unspool.errors import UnspoolError
from unspool.report import comparison, document
from unspool.report.terminal.comparison import as_comparison_table

Report = Annotated[
    Path, typer.Argument(help="A report.json, or the folder that it is in.", metavar="REPORT")
]


@grouped
def check_command(*, report: Report, budget: BudgetOptions) -> None:
    """Hold a report.json against a budget.

    The exit status is 1 where it is broken, or not known to be kept.
    """
    limits = budget.chosen()
    if limits is None:
        raise UnspoolError(
            "check: no budget was given; expected one or more of --max-ms, --max-sram-kib, "
            "--max-flash-kib, --max-accuracy-drop, --max-output-error, --no-cpu"
        )
    read = document.read(report)
    try:
        items = budgets.weigh(read.values, limits)
    except UnspoolError as error:
        raise UnspoolError(f"{read.path}: {error}") from None
    screen = console()
    screen.print(f"{read.path}: {read.model} on {_target(read)}")
    screen.print(_table(items, read))
    for item in items:
        if item.doubt:
            screen.print(f"{item.doubt}.")
    if not all(item.is_kept for item in items):
        raise typer.Exit(BROKEN)


def _table(items: Sequence[budgets.Item], read: document.Document) -> Table:
    table = Table(box=None)
    for column in ("Figure", "Value", "Limit", "Unit", "Verdict", "Origin", "From"):
        table.add_column(column, justify="right" if column in ("Value", "Limit") else "left")
    for item in items:
        count = item.limit == "no_cpu"
        numbers = [f"{n:.0f}" if count else budgets.as_text(n) for n in (item.value, item.allowed)]
        origins = dict.fromkeys(read.figures[key].origin for key in item.figures)
        came = ", ".join(origins), ", ".join(item.figures)
        table.add_row(item.label, *numbers, item.unit, _verdict(item), *came)
    return table


def _verdict(item: budgets.Item) -> str:
    if item.is_kept:
        return "kept"
    if not item.is_known:
        return "not known"
    if item.limit == "no_cpu":
        return f"{item.over:.0f} too many"
    return f"{budgets.as_text(item.over)} {item.unit} over"


def diff_command(
    before: Report,
    after: Report,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what changed from one report.json to another."""
    difference = comparison.compare(document.read(before), document.read(after))
    if as_json:
        print(json.dumps(comparison.to_dictionary(difference), indent=1, allow_nan=False))
    else:
        console().print(as_comparison_table(difference))


def _target(read: document.Document) -> str:
    keys = ("accelerator", "system_config", "memory_mode")
    return ", ".join(read.target[key] for key in keys if key in read.target)
