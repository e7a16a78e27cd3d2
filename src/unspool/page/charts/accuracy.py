"""Accuracy of each stage on one axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from unspool.page.charts.canvas import INK, MARKERS, MUTED, SERIES, Axes, Figure, draw, plain


@dataclass(frozen=True)
class Point:
    """The accuracy of one stage.

    Attributes:
        label: the stage and what ran it.
        percent: of the samples, right.
        samples: how many answers there are.
        guide: the same in Arm's guide, percent, where it is known.
    """

    label: str
    percent: float
    samples: int
    guide: float | None = None


def interval(point: Point) -> tuple[float, float]:
    """Where the accuracy on all such samples lies with 95 % confidence, in percent.

    Wilson's score interval: it holds near 100 % too, where the usual one does not.
    """
    n, p, z = point.samples, point.percent / 100, 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 100 * (middle - half), 100 * (middle + half)


def stages(points: Sequence[Point]) -> str:
    """A dot per stage, with its 95 % interval; a diamond for the guide's figure."""
    words = "; ".join(
        f"{point.label}: {point.percent:.2f} %"
        + ("" if point.guide is None else f" (Arm's guide: {point.guide:.2f} %)")
        for point in points
    )
    samples = points[0].samples if points else 0
    return draw(
        "stages",
        "Accuracy of each stage",
        f"Dots on one axis that does not start at 0; {samples:,} answers. {words}.",
        (420, 60 + 50 * len(points)),
        lambda figure: _paint(figure, points),
    )


def _paint(figure: Figure, points: Sequence[Point]) -> None:
    axes = figure.subplots()
    plain(axes)
    for place, point in enumerate(points):
        _paint_accuracy(axes, place, point)
        if point.guide is not None:
            _paint_guide(axes, place, point.guide)
    axes.set_yticks(range(len(points)), [point.label for point in points])
    axes.set_ylim(len(points) - 0.5, -0.8)
    axes.margins(x=0.2)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("accuracy, %   (band: 95 % interval)")


def _paint_accuracy(axes: Axes, place: int, point: Point) -> None:
    """The band of the interval, the dot in it, and the number above."""
    low, high = interval(point)
    axes.plot([low, high], [place] * 2, color=MUTED, linewidth=5, alpha=0.35)
    axes.plot(point.percent, place, MARKERS[0], color=SERIES[0], markersize=8)
    axes.text(
        point.percent,
        place - 0.26,
        f"{point.percent:.2f} %",
        ha="center",
        va="bottom",
        color=INK,
        fontweight="bold",
        fontsize=10.5,
    )


def _paint_guide(axes: Axes, place: int, percent: float) -> None:
    """A hollow diamond, and the number below."""
    axes.plot(
        percent,
        place,
        MARKERS[3],
        markerfacecolor="none",
        markeredgecolor=SERIES[4],
        markeredgewidth=1.8,
        markersize=8,
    )
    axes.text(
        percent,
        place + 0.24,
        f"guide {percent:.2f} %",
        ha="center",
        va="top",
        color=INK,
        fontsize=10,
    )
