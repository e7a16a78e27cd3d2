"""The model against the limits of its target: how long each resource is busy, and for what."""

from unspool.page.charts.canvas import (
    GRID,
    INK,
    MUTED,
    PAPER,
    SERIES,
    Axes,
    Figure,
    amount,
    count_axis,
    draw,
    plain,
)
from unspool.report.limits import Limit, Limits


def roof(limits: Limits, resident: int | None = None) -> str:
    """How long each resource is busy, beside its work at the peak rate and the inference.

    Args:
        limits: those of the target.
        resident: cycles of an inference whose weights are resident, where they are.
    """
    with_resident = "" if resident is None else f", with resident weights {resident:,}"
    words = "; ".join(_in_words(row) for row in limits.rows)
    return draw(
        "roof",
        "The model against the limits of its target",
        f"The whole inference takes {limits.total:,} cycles{with_resident}. {words}.",
        (420, 74 + 34 * len(limits.rows)),
        lambda figure: _paint(figure, limits, resident),
    )


def _in_words(row: Limit) -> str:
    estimated = "" if row.cycles is None else f"{row.cycles:,} cycles estimated, "
    return f"{row.label}: {estimated}{row.ideal:,.0f} at the peak rate ({row.how})"


def _paint(figure: Figure, limits: Limits, resident: int | None) -> None:
    axes = figure.subplots()
    plain(axes)
    places = range(len(limits.rows))
    for place, row in zip(places, limits.rows, strict=True):
        _paint_bar(axes, place, row, tight=row is limits.tightest)
        _paint_amount(axes, place, row, tight=row is limits.tightest)
    _paint_inference(axes, limits.total)
    axes.set_yticks(places, [row.label for row in limits.rows])
    axes.set_xlim(0, 1.75 * max(limits.total, *(row.ideal for row in limits.rows)))
    axes.set_xlabel("cycles of an inference")
    count_axis(axes.xaxis)
    if resident is not None:
        _paint_resident(axes, resident, below=len(limits.rows))
    axes.set_ylim(len(limits.rows) - 0.4 + 0.5 * (resident is not None), -0.6)


def _length(row: Limit) -> float:
    """Cycles that a bar shows: Vela's, or the ideal ones where Vela has none."""
    return row.ideal if row.cycles is None else row.cycles


def _paint_bar(axes: Axes, place: int, row: Limit, tight: bool) -> None:
    """The bar, with a mark at the ideal where that is another number."""
    filling = "none" if row.cycles is None else GRID
    axes.barh(
        place,
        _length(row),
        0.56,
        color=SERIES[4] if tight else filling,
        edgecolor=MUTED,
        linewidth=0.8,
    )
    if row.cycles is not None:
        axes.plot([row.ideal] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2.4)


def _paint_amount(axes: Axes, place: int, row: Limit, tight: bool) -> None:
    """The cycles behind the bar, and the ideal ones where they read differently."""
    value = _length(row)
    same = amount(row.ideal) == amount(value)
    axes.annotate(
        amount(value) if same else f"{amount(value)} (ideal {amount(row.ideal)})",
        (max(value, row.ideal), place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=INK,
        fontsize=10.5,
        fontweight="bold" if tight else "normal",
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
    )


def _paint_inference(axes: Axes, total: int) -> None:
    """A dashed line at the cycles of the whole inference."""
    axes.axvline(total, color=INK, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0.5)
    axes.text(
        total,
        -0.62,
        f"inference {amount(total)} ",
        ha="right",
        va="bottom",
        color=INK,
        fontsize=10.5,
    )


def _paint_resident(axes: Axes, cycles: int, below: int) -> None:
    """A dotted line at the cycles with resident weights, its label below so many bars."""
    axes.axvline(cycles, color=SERIES[5], linestyle=(0, (1.5, 1.5)), linewidth=1.8)
    axes.annotate(
        f"with resident weights {amount(cycles)}",
        (cycles, below - 0.02),
        xytext=(4, 0),
        textcoords="offset points",
        va="bottom",
        color=INK,
        fontsize=10.5,
    )
