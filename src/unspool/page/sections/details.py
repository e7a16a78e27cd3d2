"""Every figure, every operator, seconds and versions."""

from collections.abc import Mapping, Sequence

from unspool.compilation.compiled import Operator
from unspool.page.sections.parts import Section, Table
from unspool.report.bounds import bound
from unspool.report.numbers import (
    CALL_COLUMNS,
    PART_COLUMNS,
    call_numbers,
    number,
    part_numbers,
)
from unspool.report.report import Report

_LISTED = 1_000  # operators


def details(report: Report) -> Section:
    """Every figure, every operator, seconds and versions."""
    shown = [_figures(report)]
    if report.compiled.cpu_operators:
        shown.append(_on_cpu(report.compiled.cpu_operators))
    if report.parts:
        columns = tuple(f"{'' if name == 'Takes' else '>'}{name}" for name in PART_COLUMNS)
        rows = [part_numbers(place, part) for place, part in enumerate(report.parts, 1)]
        shown.append(Table("Parts, run one after the other", columns, rows))
    if report.call_costs:
        columns = tuple(f">{heading}" for heading in CALL_COLUMNS)
        shown.append(
            Table("Steps per call, tried", columns, [call_numbers(c) for c in report.call_costs])
        )
    folded = []
    if report.compiled.operators:
        folded.append(_operators(report.compiled.operators))
    if report.seconds:
        folded.append(_seconds(report.seconds))
    folded.append(Table("Versions", ("Package", "Version"), list(report.versions.items())))
    return Section("details", "All figures", tables=tuple(shown), folded=tuple(folded))


def _figures(report: Report) -> Table:
    beside = report.beside
    columns = [f">{name.capitalize()}" for name in beside]
    rows = []
    for figure in report.figures:
        if figure.unit == "KiB" and not figure.value:
            continue  # a memory that the target does not use
        others = [number(figure, getattr(figure, name)) for name in beside]
        value = number(figure, figure.value)
        rows.append((figure.label, value, figure.unit, *others, figure.origin, figure.how))
    return Table("Every figure", ("Figure", ">Value", "Unit", *columns, "Origin", "How"), rows)


def _on_cpu(operators: Sequence[Operator]) -> Table:
    return Table(
        "Operators on the CPU",
        ("Name", "Kind", "Vela's reason"),
        [(op.name, op.kind, op.reason or "(none given)") for op in operators],
    )


def _operators(operators: Sequence[Operator]) -> Table:
    return Table(
        f"{len(operators):,} operators in order, cycles estimated by Vela",
        ("Tensor", "Kind", "On", ">Cycles", "Bound by", ">MACs"),
        [
            (
                op.name,
                op.kind,
                "NPU" if op.on_npu else "CPU",
                f"{op.cycles:,}",
                bound(op) if op.on_npu and op.cycles else "",
                f"{op.macs:,}",
            )
            for op in operators[:_LISTED]
        ],
        f"The first {_LISTED:,}; all are in report.json." * (len(operators) > _LISTED),
    )


def _seconds(seconds: Mapping[str, float]) -> Table:
    rows = [(stage, f"{value:.2f}") for stage, value in seconds.items()]
    return Table("Time of each stage on this machine, s, measured", ("Stage", ">s"), rows)
