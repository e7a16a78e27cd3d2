"""What a search found: accuracy against flash and against cycles."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.page.charts.canvas import (
    INK,
    MUTED,
    PAPER,
    SERIES,
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
        accuracy_percent: of the quantized model.
        flash_kib: of the compiled file, in KiB of 1024 bytes.
        cycles: of an inference.
        on_front: no other is at least as good in everything and better in something.
        chosen: it is the one that was taken.
    """

    label: str
    accuracy_percent: float
    flash_kib: float
    cycles: int
    on_front: bool = False
    chosen: bool = False


def pareto(points: Sequence[Point]) -> str:
    """Two scatter plots, accuracy over flash and over cycles: the front filled, the rest hollow.

    Args:
        points: one or more.
    """

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name in zip(panels, ("flash, KiB", "cycles of an inference"), strict=True):
            plain(axes, "both")
            front = sorted(
                ((_x(p, name), p.accuracy_percent) for p in points if p.on_front),
            )
            if front:
                axes.plot(*zip(*front, strict=True), color=MUTED, linewidth=1, zorder=1)
            by_place = sorted(points, key=lambda p: _x(p, name))
            for number, point in enumerate(by_place):
                x, y = _x(point, name), point.accuracy_percent
                axes.scatter(
                    x,
                    y,
                    s=46,
                    marker="o",
                    facecolor=SERIES[0] if point.on_front else PAPER,
                    edgecolor=SERIES[0],
                    linewidth=1.4,
                    zorder=2,
                )
                if point.chosen:
                    axes.scatter(
                        x, y, s=170, facecolor="none", edgecolor=SERIES[4], linewidth=2, zorder=3
                    )
                if point.chosen or point.on_front:
                    axes.annotate(
                        shortened(point.label, 18),
                        (x, y),
                        # To the right and the left in turn: neighbours on a front are close.
                        xytext=(9, -3) if number % 2 else (-9, -3),
                        textcoords="offset points",
                        fontsize=9.5,
                        ha="left" if number % 2 else "right",
                        color=INK,
                        fontweight="bold" if point.chosen else "normal",
                    )
            axes.margins(0.34, 0.2)
            axes.set_xlabel(name)
            count_axis(axes.xaxis)
        panels[0].set_ylabel("accuracy, %")

    words = "; ".join(
        f"{p.label}: {p.accuracy_percent:.2f} %, {p.flash_kib:,.1f} KiB, {p.cycles:,} cycles"
        + (", on the front" if p.on_front else "")
        + (", chosen" if p.chosen else "")
        for p in points
    )
    return draw(
        "pareto",
        "Accuracy against flash and cycles",
        f"Dots, one per model; filled: on the front; ringed: chosen. {words}.",
        (420, 290),
        paint,
    )


def _x(point: Point, name: str) -> float:
    return point.flash_kib if name.startswith("flash") else point.cycles
