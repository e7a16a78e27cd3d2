"""How the model was compressed: what its kernels hold, and what a search tried."""

from collections.abc import Sequence

from unspool.compression.kernels import KernelSetting
from unspool.compression.search_results import Search
from unspool.page.charts.pareto import Point, pareto
from unspool.page.sections.parts import Picture, Section, Table
from unspool.report.compression import Compression, metric_label, metric_number


def compressed(compression: Compression | None) -> Section:
    """What the kernels hold, and what was tried."""
    if compression is None:
        return Section("compression", "Compression")
    kernels = Table(
        "Kernels of the compressed model, measured",
        ("Kernel", ">Weights", ">Zeros, %", ">Distinct values"),
        [
            (k.path, f"{k.weights:,}", f"{100 * k.zeros / k.weights:.1f}", str(k.values))
            for k in compression.kernels
        ],
    )
    units = Table(
        "Layers that lost units",
        ("Layer", ">Units before", ">Left"),
        [(u.layer, f"{u.before:,}", f"{u.units:,}") for u in compression.units],
    )
    tables = (units, kernels) if compression.units else (kernels,)
    pictures = (_tried(compression.search),) if compression.search else ()
    return Section("compression", "Compression", pictures, tables=tables)


def _short(setting: KernelSetting) -> str:
    if not setting.changes_kernels:
        return str(setting)
    units = "" if setting.units is None else f"{str(setting).partition(',')[0]}, "
    return f"{units}{100 * setting.sparsity:.0f} %, {setting.clusters or 'free'}"


def _tried(search: Search) -> Picture:
    points = [
        Point(
            _short(candidate.setting),
            candidate.value,
            candidate.flash_kib,
            candidate.cycles,
            candidate in search.front,
            candidate == search.chosen,
        )
        for candidate in (search.before, *search.candidates)
    ]
    metric = metric_label(search.goal)
    what = metric.partition(",")[0]
    front = sum(point.on_front for point in points)
    return Picture(
        f"{what} against flash and cycles",
        f"{len(points)} models, by units, zeros and values; {front} of them on the "
        "front: none is at least as good in everything and better in something. Rest the pointer "
        "on a dot to read what it is.",
        "KiB (1024 bytes), cycles" + (", %" if search.goal.is_accuracy else ""),
        "estimated",
        f"{what}: measured, quantized, in LiteRT, {search.samples:,} held-out samples; flash and "
        "cycles: Vela's estimate",
        (pareto(points, metric),),
        table=_models(search, points),
    )


def _models(search: Search, points: Sequence[Point]) -> Table:
    """What the picture shows, in numbers."""
    metric = metric_label(search.goal)
    return Table(
        "Models of the search",
        ("Units, zeros, values", f">{metric}", ">Flash, KiB", ">Cycles", "On the front", "Chosen"),
        [
            (
                point.label,
                metric_number(search.goal, point.value),
                f"{point.flash_kib:,.1f}",
                f"{point.cycles:,}",
                "yes" if point.on_front else "no",
                "yes" if point.chosen else "",
            )
            for point in points
        ],
    )
