"""Where the cycles go: per kind of operator, and per step."""

from collections.abc import Sequence
from typing import Any

from unspool.page.charts.canvas import (
    HATCHES,
    INK,
    PAPER,
    SERIES,
    Axes,
    Figure,
    amount,
    count_axis,
    draw,
    plain,
    shortened,
)
from unspool.report.bounds import BOUNDS, Cycles, Layer

_WIDTH = 420
_LEGEND = {"loc": "outside upper left", "ncols": 2, "handlelength": 1.6, "columnspacing": 1.2}


def kinds(rows: Sequence[Cycles], total: int) -> str:
    """Bars of cycles per kind of operator, divided by what bounds them.

    Args:
        rows: the kinds, the costliest first.
        total: cycles of an inference.
    """
    words = "; ".join(
        f"{row.label}, {row.operators} operators, {row.total:,} cycles ({_by_bound(row)})"
        for row in rows
    )
    return draw(
        "kinds",
        "Cycles per kind of operator",
        f"Bars, one per kind: {words}.",
        (_WIDTH, 84 + 27 * len(rows)),
        lambda figure: _paint_kinds(figure, rows, total),
    )


def steps(layers: Sequence[Layer], outside: Cycles) -> str:
    """Columns of cycles per step, one row of columns per recurrent layer.

    Args:
        layers: each with its steps; one or more.
        outside: what belongs to no step.
    """
    words = [_layer_in_words(layer) for layer in layers]
    words.append(f"outside of the steps: {outside.total:,} cycles")
    return draw(
        "steps",
        "Cycles per step",
        f"Columns, one per step. {'; '.join(words)}.",
        (_WIDTH, 70 + 150 * len(layers)),
        lambda figure: _paint_steps(figure, layers),
    )


def _paint_kinds(figure: Figure, rows: Sequence[Cycles], total: int) -> None:
    axes = figure.subplots()
    plain(axes)
    places = range(len(rows))
    for name in _bounds_of(rows):
        widths = [row.parts.get(name, 0) for row in rows]
        starts = [_before(row, name) for row in rows]
        axes.barh(places, widths, 0.68, starts, **_look(name))
    for place, row in zip(places, rows, strict=True):
        share = 100 * row.total / total if total else 0
        axes.annotate(
            f"{amount(row.total)} ({share:.1f} %)",
            (row.total, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=10.5,
        )
    axes.set_yticks(places, [f"{shortened(r.label, 22)} ×{r.operators}" for r in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.32 * max(1, *(row.total for row in rows)))
    axes.set_xlabel("cycles of an inference")
    count_axis(axes.xaxis)
    figure.legend(**_LEGEND)


def _paint_steps(figure: Figure, layers: Sequence[Layer]) -> None:
    bounds = [n for n in BOUNDS if any(n in step.parts for layer in layers for step in layer.steps)]
    grid = figure.subplots(len(layers), 1, squeeze=False, sharey=True)
    for axes, layer in zip(grid[:, 0], layers, strict=True):
        _paint_layer(axes, layer, bounds)
    grid[-1, 0].set_xlabel("step")
    handles: dict[str, object] = {}  # each bound once, whatever the number of layers
    for axes in grid[:, 0]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), **_LEGEND)


def _paint_layer(axes: Axes, layer: Layer, bounds: Sequence[str]) -> None:
    plain(axes, "y")
    places = [int(step.label) for step in layer.steps]
    for name in bounds:
        heights = [step.parts.get(name, 0) for step in layer.steps]
        starts = [_before(step, name) for step in layer.steps]
        axes.bar(places, heights, 0.8, starts, **_look(name))
    axes.set_title(shortened(layer.name, 48), fontsize=11)
    axes.set_ylabel("cycles")
    axes.spines["bottom"].set_visible(True)
    _whole_numbers(axes, places)
    count_axis(axes.yaxis)


def _bounds_of(rows: Sequence[Cycles]) -> list[str]:
    """The bounds that take any cycles of these rows."""
    return [name for name in BOUNDS if any(row.parts.get(name, 0) for row in rows)]


def _look(bound: str) -> dict[str, Any]:
    """How bars are drawn that stand for what one resource bounds."""
    number = BOUNDS.index(bound)
    return {
        "color": SERIES[number],
        "hatch": HATCHES[number],
        "edgecolor": PAPER,
        "linewidth": 0,
        "label": f"bound by {bound}",
    }


def _before(row: Cycles, name: str) -> int:
    """Cycles of the parts that are drawn before one."""
    return sum(row.parts.get(other, 0) for other in BOUNDS[: BOUNDS.index(name)])


def _by_bound(row: Cycles) -> str:
    parts = (f"{cycles:,} bound by {name}" for name, cycles in row.parts.items())
    return ", ".join(parts) or "none"


def _layer_in_words(layer: Layer) -> str:
    totals = [step.total for step in layer.steps]
    return (
        f"{layer.name}: {len(totals)} steps of {min(totals):,} to {max(totals):,} cycles, "
        f"{sum(totals):,} in all"
    )


def _whole_numbers(axes: Axes, places: Sequence[int]) -> None:
    apart = -(-len(places) // 12)
    axes.set_xticks(places[::apart])
    axes.set_xlim(min(places) - 0.7, max(places) + 0.7)
