"""The report as one table for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unspool.quantization.calibration import Round
from unspool.report.compression import SearchTable, kernel_table, units_table
from unspool.report.numbers import (
    CALL_COLUMNS,
    COLUMNS,
    PART_COLUMNS,
    call_numbers,
    column_numbers,
    number,
    part_numbers,
)
from unspool.report.report import Report
from unspool.runtime.drift import Drift
from unspool.runtime.quality import Quality
from unspool.support.text import printable

_COLUMNS = 8  # of outputs that are shown


def as_table(report: Report) -> RenderableType:
    """Render a report for a rich console: figures, tables of parts, the verdict."""
    name = printable(report.model["name"])
    table = Table(title=f"{name} on {report.compiled.target}", box=None)
    table.title_justify = "left"
    beside = report.beside
    table.add_column("Figure")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    for column in beside:
        table.add_column(column.capitalize(), justify="right", no_wrap=True)
    table.add_column("Origin", no_wrap=True)
    table.add_column("How", style="dim", overflow="fold")
    for figure in report.figures:
        if figure.unit == "KiB" and not figure.value:
            continue  # a memory that the target does not use
        table.add_row(
            printable(figure.label),
            Text(number(figure, figure.value), style="bold"),
            figure.unit,
            *(number(figure, getattr(figure, column)) for column in beside),
            figure.origin,
            printable(figure.how),
        )
    parts = [
        *_outputs(report),
        *_remedies(report),
        *_compression(report),
        *_parts(report),
        *_calls(report),
        *_rounds(report.rounds),
        *([drift_table(report.drift)] if report.drift else []),
        *_resident(report),
        *_cpu_operators(report),
    ]
    verdict = [Text(printable(f"{check.word}: {check.text}")) for check in report.verdict]
    return Group(table, *parts, *verdict, *_budget(report))


def _outputs(report: Report) -> list[RenderableType]:
    """What quantization costs each column of an output of values."""
    quality = report.measured.quality if report.measured else None
    if quality is None or not quality.values:
        return []
    columns = sorted(quality.values, key=lambda column: -column.mean)
    more = f", the {_COLUMNS} worst of {len(columns)}" * (len(columns) > _COLUMNS)
    title = f"Quantized outputs beside the trained model's, % of a column's range{more}"
    table = Table("Output", title=title, box=None)
    table.title_justify = "left"
    for heading in ("Column", *COLUMNS):
        table.add_column(heading, justify="right", no_wrap=True)
    for column in columns[:_COLUMNS]:
        table.add_row(printable(column.output), str(column.column), *column_numbers(column))
    return [table]


def _remedies(report: Report) -> list[RenderableType]:
    """What was tried against too large an error."""
    quality = report.measured.quality if report.measured else None
    if not report.remedies or quality is None:
        return []
    headings = ("Mean error, %", "Same answer, %", "Cycles", "SRAM, KiB")
    table = Table("Tried on the calibration samples", box=None)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    compiled = report.compiled
    costs = (f"{compiled.cycles:,}", f"{compiled.sram_kib:.1f}")
    table.add_row("(as it is)", *_errors(quality), *costs, "")
    for remedy in report.remedies:
        if remedy.quality is None:
            table.add_row(remedy.name, "", "", "", "", f"not tried: {printable(remedy.reason)}")
            continue
        cycles, sram = remedy.cycles or compiled.cycles, remedy.sram_kib or compiled.sram_kib
        table.add_row(remedy.name, *_errors(remedy.quality), f"{cycles:,}", f"{sram:.1f}", "")
    return [table]


def _errors(quality: Quality) -> tuple[str, str]:
    worst = quality.worst
    same = min((entry.percent for entry in quality.agreements), default=None)
    return (f"{worst.mean:.2f}" if worst else "", "" if same is None else f"{same:.1f}")


def _compression(report: Report) -> list[RenderableType]:
    compression = report.compression
    if compression is None:
        return []
    tables = [units_table(compression.units)] if compression.units else []
    tables.append(kernel_table(compression.kernels))
    return [*tables, SearchTable(compression.search)] if compression.search else tables


def drift_table(drift: Drift) -> RenderableType:
    """Render how a stream strays."""
    steps = drift.calls * drift.time_steps
    table = Table(
        title=f"Error over a stream of {steps:,} steps, {drift.runtime} against float", box=None
    )
    table.title_justify = "left"
    for column in ("State or output", "Mean", "99th percentile", "Largest", "Over time"):
        table.add_column(column, justify="left" if column[0] in "SO" else "right")
    for curve in drift.curves:
        figures = (f"{value:.5f}" for value in (curve.mean, curve.p99, curve.largest))
        table.add_row(curve.name, *figures, "grows" if curve.grows else "settles")
    return table


def _parts(report: Report) -> list[RenderableType]:
    """What each part of a network takes and costs."""
    if not report.parts:
        return []
    table = Table(title="Parts, run one after the other", box=None)
    table.title_justify = "left"
    for heading in PART_COLUMNS:
        takes = heading == "Takes"
        table.add_column(heading, justify="left" if takes else "right", no_wrap=not takes)
    for number_, part in enumerate(report.parts, 1):
        table.add_row(*map(printable, part_numbers(number_, part)))
    return [table]


def _calls(report: Report) -> list[RenderableType]:
    """What an inference costs by how many steps a call takes."""
    if not report.call_costs:
        return []
    table = Table(title="Steps per call, tried", box=None)
    table.title_justify = "left"
    for heading in CALL_COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for cost in report.call_costs:
        table.add_row(*call_numbers(cost))
    return [table]


def _rounds(rounds: tuple[Round, ...]) -> list[RenderableType]:
    if not rounds:
        return []
    states = list(rounds[0].states)
    table = Table("Round", "Sequences", *states, "Growth", title="Ranges of states", box=None)
    table.title_justify = "left"
    for index, entry in enumerate(rounds, 1):
        ranges = [f"{r.minimum:.3f} .. {r.maximum:.3f}" for r in entry.states.values()]
        growth = f"{entry.growth:.2f} %" if index > 1 else ""
        table.add_row(str(index), str(entry.sequences), *ranges, growth)
    return [table]


def _resident(report: Report) -> list[RenderableType]:
    reason = report.resident.reason if report.resident else ""
    return [Text(f"Resident weights: nothing was changed; {reason}.")] if reason else []


def _cpu_operators(report: Report) -> list[RenderableType]:
    operators = report.compiled.cpu_operators
    if not operators:
        return []
    table = Table(
        title=f"{len(operators)} operator{'s' * (len(operators) != 1)} on the CPU", box=None
    )
    table.title_justify = "left"
    for column in ("Kind", "Name", "Vela's reason"):
        table.add_column(column, overflow="fold")
    for operator in operators:
        reason = operator.reason or "(none given)"
        table.add_row(operator.kind, printable(operator.name), reason)
    return [table]


def _budget(report: Report) -> list[RenderableType]:
    if report.budget is None:
        return []
    if not report.breaches:
        return [Text(f"Within the budget: {report.budget}.")]
    return [
        Text(f"{'Over the budget' if breach.is_known else 'Budget'}. {breach}", style="bold")
        for breach in report.breaches
    ]


def what_next(report: Report) -> RenderableType:
    """Render the advice; print it without `crop`, so that commands can be copied."""
    if not report.advice:
        return Group()
    lines = [Text("What next", style="bold")]
    for advice in report.advice:
        lines.append(Text(printable(f"- {advice.text}")))
        if advice.command:
            command = printable(f"    {advice.command}")
            lines.append(Text(command, no_wrap=True, overflow="ignore"))
    return Group(*lines)
