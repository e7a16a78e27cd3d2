"""The report as one table for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unspool.calibration import Round
from unspool.drift import Drift
from unspool.report.compression import kernel_table, search_table
from unspool.report.numbers import number as number
from unspool.report.report import Report


def as_table(report: Report) -> RenderableType:
    """Render a report for a rich console."""
    table = Table(title=f"{report.model['name']} on {report.compiled.target}", box=None)
    table.title_justify = "left"
    beside = report.beside
    table.add_column("Figure")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    for name in beside:
        table.add_column(name.capitalize(), justify="right", no_wrap=True)
    table.add_column("Origin", no_wrap=True)
    table.add_column("How", style="dim", overflow="fold")
    for figure in report.figures:
        if figure.unit == "KiB" and not figure.value:
            continue  # a memory that the target does not use
        table.add_row(
            figure.label,
            Text(number(figure, figure.value), style="bold"),
            figure.unit,
            *(number(figure, getattr(figure, name)) for name in beside),
            figure.origin,
            figure.how,
        )
    drift = [drift_table(report.drift)] if report.drift else []
    parts = [
        *_compression(report),
        *_rounds(report.rounds),
        *drift,
        *_simulation(report),
        *_resident(report),
    ]
    parts += _cpu_operators(report)
    return Group(table, *parts, *_budget(report))


def _compression(report: Report) -> list[RenderableType]:
    compression = report.compression
    if compression is None:
        return []
    tables = [kernel_table(compression.kernels)]
    return [*tables, search_table(compression.search)] if compression.search else tables


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


def _simulation(report: Report) -> list[RenderableType]:
    simulation = report.simulation
    if simulation is None:
        return []
    if not simulation.samples:
        return [Text(f"Not simulated: {simulation.reason}.")]
    if simulation.equal == simulation.samples:
        return [Text("The binary, simulated, gives TFLM's bytes on every sample.")]
    return [
        Text(
            f"The binary, simulated, differs from TFLM on {simulation.samples - simulation.equal} "
            f"of {simulation.samples} samples; the first operator that differs is "
            f"{simulation.first_difference}."
        )
    ]


def _resident(report: Report) -> list[RenderableType]:
    reason = report.resident.reason if report.resident else ""
    return [Text(f"Resident weights: nothing was changed; {reason}.")] if reason else []


def _cpu_operators(report: Report) -> list[RenderableType]:
    operators = report.compiled.cpu_operators
    if not operators:
        return [Text("Every operator runs on the NPU.")]
    table = Table(
        title=f"{len(operators)} operator{'s' * (len(operators) != 1)} on the CPU", box=None
    )
    table.title_justify = "left"
    for column in ("Kind", "Name", "Vela's reason"):
        table.add_column(column, overflow="fold")
    for operator in operators:
        table.add_row(operator.kind, operator.name, operator.reason or "(none given)")
    return [table]


def _budget(report: Report) -> list[RenderableType]:
    if report.budget is None:
        return []
    if not report.breaches:
        return [Text(f"Within the budget: {report.budget}.")]
    return [Text(f"Over the budget. {breach}", style="bold") for breach in report.breaches]


def what_next(report: Report) -> RenderableType:
    """Render the advice; print it with `soft_wrap`, so that commands can be copied."""
    if not report.advice:
        return Group()
    lines = [Text("What next", style="bold")]
    for advice in report.advice:
        lines += [Text(f"- {advice.text}"), Text(f"    {advice.command}")]
    return Group(*lines)
