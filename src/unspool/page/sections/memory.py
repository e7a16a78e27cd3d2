"""The plan of each memory that an inference writes."""

from collections.abc import Sequence

from unspool.compilation.allocations import Allocation
from unspool.page.charts.plan import plan
from unspool.page.charts.plan import role as plan_role
from unspool.page.sections.parts import Picture, Section, Table
from unspool.report.numbers import kib
from unspool.report.report import Report
from unspool.tflite.names import Steps, last_part

_SHOWN = 20


def memory(report: Report) -> Section:
    """The plan of each memory that an inference writes."""
    compiled, resident = report.compiled, report.made_resident
    pictures, tables = [], []
    for name in sorted({a.memory for a in compiled.allocations}, reverse=True):  # Sram first
        tensors = [a for a in compiled.allocations if a.memory == name]
        end = max(a.address + a.size for a in tensors) / 1024
        used, resident_kib = end, 0.0
        if name == "Sram" and resident:
            used, resident_kib = end + resident.kept_kib, resident.kept_kib
        peak, alive = _peak(tensors)
        tables.append(_places(f"Alive when most of {name.upper()} is, at time {peak}", alive))
        pictures.append(
            Picture(
                f"{name.upper()} over time",
                f"{len(tensors)} places for tensors. Most is alive at time {peak}: "
                f"{kib(sum(a.size for a in alive) / 1024)} KiB in {len(alive)} of them"
                f"{_largest(alive, report.steps)}.",
                "KiB (1024 bytes)",
                "estimated",
                f"planned by Vela {compiled.vela_version} for {compiled.target}"
                + (", resident weights behind it" if resident_kib else ""),
                (plan(tensors, report.steps, used, resident_kib),),
                table=_places(f"The largest places in {name.upper()}", tensors),
            )
        )
    return Section("memory", "Memory", tuple(pictures), (), tuple(tables))


def _places(caption: str, tensors: Sequence[Allocation]) -> Table:
    largest = sorted(tensors, key=lambda a: -a.size)[:_SHOWN]
    return Table(
        f"{caption}; planned by Vela, estimated",
        ("Tensor", ">Bytes", ">Address", ">From", ">To"),
        [
            (
                last_part(a.name),
                f"{a.size:,}",
                f"0x{a.address:x}",
                str(a.start),
                str(a.end),
            )
            for a in largest
        ],
        f"The {_SHOWN} largest of {len(tensors)}." * (len(tensors) > _SHOWN),
    )


def _peak(tensors: Sequence[Allocation]) -> tuple[int, list[Allocation]]:
    """When most is alive, and what is; places that overlap count as often as they are planned."""

    def alive(time: int) -> list[Allocation]:
        return [a for a in tensors if a.start <= time <= a.end]

    peak = max((a.start for a in tensors), key=lambda time: sum(a.size for a in alive(time)))
    return peak, alive(peak)


def _largest(alive: Sequence[Allocation], steps: Steps) -> str:
    first = max(alive, key=lambda a: a.size)
    return f", the largest {plan_role(first, steps)} with {kib(first.size / 1024)} KiB"
