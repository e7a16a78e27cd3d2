"""Where the cycles go: per kind of operator, per step, and against the target's limits."""

from collections.abc import Sequence

from unspool.page.charts.canvas import (
    GRID,
    HATCHES,
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
    shortened,
)
from unspool.report.bounds import BOUNDS, Cycles, Layer
from unspool.report.limits import Limits

_WIDTH = 420
_LOOKS = {name: (SERIES[k], HATCHES[k]) for k, name in enumerate(BOUNDS)}


def kinds(rows: Sequence[Cycles], total: int) -> str:
    """Bars of cycles per kind of operator, apart by what bounds them.

    Args:
        rows: the kinds, the costliest first.
        total: cycles of an inference.
    """

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        plain(axes)
        places = range(len(rows))
        for name in BOUNDS:
            widths = [row.parts.get(name, 0) for row in rows]
            if any(widths):
                starts = [_before(row, name) for row in rows]
                colour, hatch = _LOOKS[name]
                axes.barh(
                    places,
                    widths,
                    0.68,
                    starts,
                    color=colour,
                    hatch=hatch,
                    edgecolor=PAPER,
                    linewidth=0,
                    label=f"bound by {name}",
                )
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
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.6, columnspacing=1.2)

    words = "; ".join(
        f"{row.label}, {row.operators} operators, {row.total:,} cycles ({_words(row)})"
        for row in rows
    )
    return draw(
        "kinds",
        "Cycles per kind of operator",
        f"Bars, one per kind: {words}.",
        (_WIDTH, 84 + 27 * len(rows)),
        paint,
    )


def steps(layers: Sequence[Layer], outside: Cycles) -> str:
    """Columns of cycles per step, one row of columns per recurrent layer.

    Args:
        layers: each with its steps; one or more.
        outside: what belongs to no step.
    """
    names = [n for n in BOUNDS if any(n in step.parts for lay in layers for step in lay.steps)]

    def paint(figure: Figure) -> None:
        grid = figure.subplots(len(layers), 1, squeeze=False, sharey=True)
        for axes, layer in zip(grid[:, 0], layers, strict=True):
            plain(axes, "y")
            places = [int(step.label) for step in layer.steps]
            for name in names:
                colour, hatch = _LOOKS[name]
                axes.bar(
                    places,
                    [step.parts.get(name, 0) for step in layer.steps],
                    0.8,
                    [_before(step, name) for step in layer.steps],
                    color=colour,
                    hatch=hatch,
                    edgecolor=PAPER,
                    linewidth=0,
                    label=f"bound by {name}",
                )
            axes.set_title(shortened(layer.name, 48), fontsize=11)
            axes.set_ylabel("cycles")
            axes.spines["bottom"].set_visible(True)
            _whole_numbers(axes, places)
            count_axis(axes.yaxis)
        grid[-1, 0].set_xlabel("step")
        handles: dict[str, object] = {}
        for axes in grid[:, 0]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside upper left",
            ncols=2,
            handlelength=1.6,
            columnspacing=1.2,
        )

    words = []
    for layer in layers:
        totals = [step.total for step in layer.steps]
        words.append(
            f"{layer.name}: {len(totals)} steps of {min(totals):,} to {max(totals):,} cycles, "
            f"{sum(totals):,} in all"
        )
    words.append(f"outside of the steps: {outside.total:,} cycles")
    return draw(
        "steps",
        "Cycles per step",
        f"Columns, one per step. {'; '.join(words)}.",
        (_WIDTH, 70 + 150 * len(layers)),
        paint,
    )


def roof(found: Limits, resident: int | None = None) -> str:
    """How long each resource is busy, beside its work at the peak rate and the inference.

    Args:
        found: the limits.
        resident: cycles of an inference whose weights are resident, where they are.
    """

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        plain(axes)
        places = range(len(found.rows))
        for place, row in zip(places, found.rows, strict=True):
            value = row.ideal if row.cycles is None else row.cycles
            tight = row is found.tightest
            axes.barh(
                place,
                value,
                0.56,
                color=SERIES[4] if tight else ("none" if row.cycles is None else GRID),
                hatch=None,
                edgecolor=MUTED,
                linewidth=0.8,
            )
            if row.cycles is not None:
                axes.plot([row.ideal] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2.4)
            same = row.cycles is None or amount(row.ideal) == amount(value)
            peak = "" if same else f" (ideal {amount(row.ideal)})"
            axes.annotate(
                f"{amount(value)}{peak}",
                (max(value, row.ideal), place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=INK,
                fontsize=10.5,
                fontweight="bold" if tight else "normal",
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
            )
        axes.axvline(found.total, color=INK, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0.5)
        axes.set_yticks(places, [row.label for row in found.rows])
        axes.set_xlim(0, 1.75 * max(found.total, *(row.ideal for row in found.rows)))
        axes.set_xlabel("cycles of an inference")
        count_axis(axes.xaxis)
        axes.text(
            found.total,
            -0.62,
            f"inference {amount(found.total)} ",
            ha="right",
            va="bottom",
            color=INK,
            fontsize=10.5,
        )
        if resident is not None:
            axes.axvline(resident, color=SERIES[5], linestyle=(0, (1.5, 1.5)), linewidth=1.8)
            axes.annotate(
                f"with resident weights {amount(resident)}",
                (resident, len(found.rows) - 0.02),
                xytext=(4, 0),
                textcoords="offset points",
                va="bottom",
                color=INK,
                fontsize=10.5,
            )
        axes.set_ylim(len(found.rows) - 0.4 + 0.5 * (resident is not None), -0.6)

    words = "; ".join(
        f"{row.label}: "
        + ("" if row.cycles is None else f"{row.cycles:,} cycles estimated, ")
        + f"{row.ideal:,.0f} at the peak rate ({row.how})"
        for row in found.rows
    )
    return draw(
        "roof",
        "The model against the limits of its target",
        f"The whole inference takes {found.total:,} cycles"
        + (f", with resident weights {resident:,}" if resident is not None else "")
        + f". {words}.",
        (_WIDTH, 74 + 34 * len(found.rows)),
        paint,
    )


def _before(row: Cycles, name: str) -> int:
    """Cycles of the parts that are drawn before one."""
    return sum(row.parts.get(other, 0) for other in BOUNDS[: BOUNDS.index(name)])


def _words(row: Cycles) -> str:
    parts = (f"{cycles:,} bound by {name}" for name, cycles in row.parts.items())
    return ", ".join(parts) or "none"


def _whole_numbers(axes: Axes, places: Sequence[int]) -> None:
    apart = -(-len(places) // 12)
    axes.set_xticks(places[::apart])
    axes.set_xlim(min(places) - 0.7, max(places) + 0.7)
