"""What a search found: its metric against flash and against cycles."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.page.charts.canvas import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    Axes,
    Figure,
    count_axis,
    draw,
    plain,
    shortened,
)


@dataclass(frozen=True)
class Point:
    """One model of a search.

    Attributes:
        label: its name for people.
        value: of the metric, of the quantized model.
        flash_kib: of the compiled file, in KiB of 1024 bytes.
        cycles: of an inference.
        on_front: no other is at least as good in everything and better in something.
        chosen: it is the one that was taken.
    """

    label: str
    value: float
    flash_kib: float
    cycles: int
    on_front: bool = False
    chosen: bool = False


def pareto(points: Sequence[Point], metric: str) -> str:
    """Two scatter plots, a metric over flash and over cycles: the front filled, the rest hollow.

    Args:
        points: one or more.
        metric: what is measured, with its unit.
    """
    words = [
        f"{p.label}: {metric} {p.value:.4g}, {p.flash_kib:,.1f} KiB, {p.cycles:,} cycles"
        + (", on the front" if p.on_front else "")
        + (", chosen" if p.chosen else "")
        for p in points
    ]
    hints = {
        f"{side}{number}": hint for number, hint in enumerate(words) for side in ("flash", "cycles")
    }
    return draw(
        "pareto",
        f"{metric} against flash and cycles",
        f"Dots, one per model; filled: on the front; ringed: chosen. {'; '.join(words)}.",
        (420, 290),
        lambda figure: _paint(figure, points, metric),
        hints,
    )


def _paint(figure: Figure, points: Sequence[Point], metric: str) -> None:
    flash, cycles = figure.subplots(1, 2, sharey=True)
    _paint_over(flash, "flash", "flash, KiB", [(p.flash_kib, p) for p in points])
    _paint_over(cycles, "cycles", "cycles of an inference", [(p.cycles, p) for p in points])
    flash.set_ylabel(metric)


def _paint_over(axes: Axes, side: str, name: str, points: Sequence[tuple[float, Point]]) -> None:
    """The metric over one cost: (cost, point) of each model."""
    plain(axes, "both")
    front = sorted((cost, point.value) for cost, point in points if point.on_front)
    if front:
        axes.plot(*zip(*front, strict=True), color=MUTED, linewidth=1, zorder=1)
    for number, (cost, point) in enumerate(points):
        _paint_dot(axes, cost, point, f"{side}{number}")
        if point.chosen:  # neighbours on a front are close: the others say who they are by hints
            _paint_label(axes, cost, point)
    axes.margins(0.15, 0.2)
    axes.set_xlabel(name)
    count_axis(axes.xaxis)


def _paint_dot(axes: Axes, x: float, point: Point, gid: str) -> None:
    y = point.value
    axes.scatter(
        x,
        y,
        s=46,
        marker="o",
        facecolor=SERIES[0] if point.on_front else PAPER,
        edgecolor=SERIES[0],
        linewidth=1.4,
        zorder=2,
        gid=gid,
    )
    if point.chosen:
        axes.scatter(x, y, s=170, facecolor="none", edgecolor=SERIES[4], linewidth=2, zorder=3)


def _paint_label(axes: Axes, x: float, point: Point) -> None:
    """The chosen one's name, in the corner where no front is: at the bottom, on the right."""
    axes.annotate(
        f"chosen: {shortened(point.label, 22)}",
        (x, point.value),
        xytext=(0.98, 0.03),
        textcoords="axes fraction",
        fontsize=9.5,
        ha="right",
        color=INK,
        fontweight="bold",
    )
