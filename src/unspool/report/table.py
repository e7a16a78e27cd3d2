"""The report as one table for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unspool.calibration import Round
from unspool.drift import Drift
from unspool.report.report import Figure, Report


def as_table(report: Report) -> RenderableType:
    """Render a report for a rich console."""
    table = Table(title=f"{report.model['name']} on {report.compiled.target}", box=None)
    table.title_justify = "left"
    has_guide = any(figure.guide is not None for figure in report.figures)
    table.add_column("Figure")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    if has_guide:
        table.add_column("Guide", justify="right", no_wrap=True)
    table.add_column("Origin", no_wrap=True)
    table.add_column("How", style="dim", overflow="fold")
    for figure in report.figures:
        if figure.unit == "KiB" and not figure.value:
            continue  # a memory that the target does not use
        guide = [number(figure, figure.guide)] if has_guide else []
        table.add_row(
            figure.label,
            Text(number(figure, figure.value), style="bold"),
            figure.unit,
            *guide,
            figure.origin,
            figure.how,
        )
    drift = [drift_table(report.drift)] if report.drift else []
    parts = [*_rounds(report.rounds), *drift, *_simulation(report), *_resident(report)]
    return Group(table, *parts, *_cpu_operators(report))


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
    for number, entry in enumerate(rounds, 1):
        ranges = [f"{r.minimum:.3f} .. {r.maximum:.3f}" for r in entry.states.values()]
        growth = f"{entry.growth:.2f} %" if number > 1 else ""
        table.add_row(str(number), str(entry.sequences), *ranges, growth)
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


def number(figure: Figure, value: float | None) -> str:
    """A figure's value as people read it; empty where there is none."""
    if value is None:
        return ""
    if figure.unit == "%":
        return f"{value:.2f}"
    if isinstance(value, int) or figure.unit == "cycles":
        return f"{value:,.0f}"
    return kib(value) if figure.unit in ("KiB", "ms") else f"{value:.1e}"


def kib(value: float) -> str:
    """KiB or milliseconds: one digit behind the point, two where the value is small."""
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


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
