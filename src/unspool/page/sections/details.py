"""Every figure, every operator, seconds and versions."""

from unspool.page.sections.parts import Section, Table
from unspool.report.bounds import bound
from unspool.report.numbers import number
from unspool.report.report import Report

_LISTED = 1_000  # operators


def details(report: Report) -> Section:
    """Every figure, every operator, seconds and versions."""
    beside = report.beside
    figures = Table(
        "Every figure",
        (
            "Figure",
            ">Value",
            "Unit",
            *(f">{name.capitalize()}" for name in beside),
            "Origin",
            "How",
        ),
        [
            (
                f.label,
                number(f, f.value),
                f.unit,
                *(number(f, getattr(f, name)) for name in beside),
                f.origin,
                f.how,
            )
            for f in report.figures
            if f.unit != "KiB" or f.value
        ],
    )
    cpu = report.compiled.cpu_operators
    on_cpu = Table(
        "Operators on the CPU",
        ("Name", "Kind", "Vela's reason"),
        [(op.name, op.kind, op.reason or "(none given)") for op in cpu],
    )
    operators = report.compiled.operators
    listing = Table(
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
    folded = [listing] if operators else []
    if report.seconds:
        rows = [(stage, f"{seconds:.2f}") for stage, seconds in report.seconds.items()]
        folded.append(
            Table("Time of each stage on this machine, s, measured", ("Stage", ">s"), rows)
        )
    folded.append(Table("Versions", ("Package", "Version"), list(report.versions.items())))
    return Section(
        "details", "All figures", (), (), (figures, *((on_cpu,) if cpu else ())), tuple(folded)
    )
