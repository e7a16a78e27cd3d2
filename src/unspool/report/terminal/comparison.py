"""A difference of two reports for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unspool.report.comparison import Change, Difference
from unspool.report.figure import Figure
from unspool.report.numbers import number


def as_comparison_table(difference: Difference) -> RenderableType:
    """Render what changed, with signs, for a rich console."""
    one, other = difference.before, difference.after
    parts: list[RenderableType] = [
        Text(f"before: {one.path} ({one.created})"),
        Text(f"after:  {other.path} ({other.created})"),
    ]
    parts += [_facts(difference)] if difference.facts else []
    parts += [_figures(difference)] if difference.changes else []
    parts += [Text(f"{difference.unchanged} figures are unchanged.")]
    for where, figures in (
        ("before", difference.only_before),
        ("after", difference.only_after),
    ):
        parts += [Text(f"Only {where}: {_one(figure)}") for figure in figures]
    for what, operators in (
        ("No longer on the CPU", difference.cpu_gone),
        ("Now on the CPU", difference.cpu_new),
    ):
        parts += [Text(f"{what}: {kind} {name}") for kind, name in operators]
    return Group(*parts)


def _facts(difference: Difference) -> Table:
    table = Table("", "Before", "After", box=None)
    for what, pair in difference.facts.items():
        table.add_row(what, *(value or "(not there)" for value in pair))
    return table


def _figures(difference: Difference) -> Table:
    table = Table("Figure", box=None)
    for column in ("Before", "After", "Change", "%"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    table.add_column("", no_wrap=True)
    notes = any(change.notes for change in difference.changes)
    if notes:
        table.add_column("Not alike", overflow="fold")
    for change in difference.changes:
        one, other = change.before, change.after
        percent = change.percent if change.comparable else None
        table.add_row(
            other.label if one.label == other.label else f"{one.label} -> {other.label}",
            number(one, one.value),
            number(other, other.value),
            Text(_signed(change) if change.comparable else "", style="bold"),
            "" if percent is None else f"{percent:+,.1f}",
            other.unit,
            {True: "better", False: "worse", None: ""}[change.better],
            *(["; ".join(change.notes)] if notes else []),
        )
    return table


def _signed(change: Change) -> str:
    if not change.by:
        return "0"
    text = number(change.after, abs(change.by))
    if not text.strip("0.,"):  # smaller than what is shown of the values
        text = f"{abs(change.by):.1g}"
    points = " points" if change.after.unit == "%" else ""
    return f"{'-' if change.by < 0 else '+'}{text}{points}"


def _one(figure: Figure) -> str:
    return f"{figure.label}: {number(figure, figure.value)} {figure.unit}".rstrip()
