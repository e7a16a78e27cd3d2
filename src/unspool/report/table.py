"""The report as one table for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

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
    return Group(table, *_cpu_operators(report))


def number(figure: Figure, value: float | None) -> str:
    """A figure's value as people read it; empty where there is none."""
    if value is None:
        return ""
    if figure.unit == "%":
        return f"{value:.2f}"
    if isinstance(value, int) or figure.unit == "cycles":
        return f"{value:,.0f}"
    if figure.unit in ("KiB", "ms"):
        return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.1e}"


def _cpu_operators(report: Report) -> list[RenderableType]:
    operators = report.compiled.cpu_operators
    if not operators:
        return [Text("Every operator runs on the NPU.")]
    table = Table(title=f"{len(operators)} operators on the CPU", box=None)
    table.title_justify = "left"
    for column in ("Kind", "Name", "Vela's reason"):
        table.add_column(column, overflow="fold")
    for operator in operators:
        table.add_row(operator.kind, operator.name, operator.reason or "(none given)")
    return [table]
