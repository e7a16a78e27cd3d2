"""`unspool check` and `unspool diff`: for reports that have been written already."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from unspool.cli.console import BROKEN, console
from unspool.cli.options import (
    MaxAccuracyDrop,
    MaxFlash,
    MaxMs,
    MaxOutputError,
    MaxSram,
    NoCpu,
    chosen_budget,
)
from unspool.compilation import budgets
from unspool.errors import UnspoolError
from unspool.report import comparison, document
from unspool.report.terminal.comparison import as_comparison_table

Report = Annotated[
    Path, typer.Argument(help="A report.json, or the folder that it is in.", metavar="REPORT")
]


def check_command(
    report: Report,
    max_ms: MaxMs = None,
    max_sram_kib: MaxSram = None,
    max_flash_kib: MaxFlash = None,
    max_accuracy_drop: MaxAccuracyDrop = None,
    max_output_error: MaxOutputError = None,
    no_cpu: NoCpu = False,
) -> None:
    """Hold a report.json against a budget; the exit status is 1 where it is broken."""
    budget = chosen_budget(
        max_ms, max_sram_kib, max_flash_kib, max_accuracy_drop, no_cpu, max_output_error
    )
    if budget is None:
        raise UnspoolError(
            "check: no budget was given; expected one or more of --max-ms, --max-sram-kib, "
            "--max-flash-kib, --max-accuracy-drop, --max-output-error, --no-cpu"
        )
    read = document.read(report)
    try:
        items = budgets.weigh(read.values, budget)
    except UnspoolError as error:
        raise UnspoolError(f"{read.path}: {error}") from None
    screen = console()
    screen.print(f"{read.path}: {read.model} on {_target(read)}")
    table = Table(box=None)
    for column in ("Figure", "Value", "Limit", "Unit", "Verdict", "Origin", "From"):
        table.add_column(column, justify="right" if column in ("Value", "Limit") else "left")
    for item in items:
        over = f"{budgets.as_text(item.over)} {item.unit}".strip()
        count = item.limit == "no_cpu"
        numbers = [f"{n:.0f}" if count else budgets.as_text(n) for n in (item.value, item.allowed)]
        bad = item.over > 0
        verdict = Text(f"{item.over:.0f} too many" if count else f"{over} over") if bad else "kept"
        origins = dict.fromkeys(read.figures[key].origin for key in item.figures)
        came = ", ".join(origins), ", ".join(item.figures)
        table.add_row(item.label, *numbers, item.unit, verdict, *came)
    screen.print(table)
    if any(item.over > 0 for item in items):
        raise typer.Exit(BROKEN)


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
