"""How far the states of a stream stray from float, call by call."""

from collections.abc import Sequence

from unspool.page.charts.canvas import DASHES, SERIES, Figure, draw, plain, shortened
from unspool.runtime.drift import Curve


def errors(curves: Sequence[Curve], calls: int) -> str:
    """Mean absolute error over the calls of a stream, one line per state or output.

    Args:
        curves: one or more.
        calls: of the stream.
    """

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        plain(axes, "y")
        axes.spines["bottom"].set_visible(True)
        for number, curve in enumerate(curves):
            axes.plot(
                curve.calls,
                curve.points,
                color=SERIES[number % len(SERIES)],
                linestyle=DASHES[number % len(DASHES)],
                label=shortened(curve.name),
            )
        axes.set_xlim(0, max(1, calls - 1))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("call of the binary")
        axes.set_ylabel("mean absolute error")
        figure.legend(loc="outside upper left", ncols=2, handlelength=2.6)

    words = "; ".join(
        f"{curve.name}: mean {curve.mean:.5f}, largest {curve.largest:.5f}, "
        + ("grows" if curve.grows else "settles")
        for curve in curves
    )
    return draw(
        "drift",
        "Error of states and outputs over the stream",
        f"Lines over {calls:,} calls. {words}.",
        (420, 270 + 18 * (len(curves) // 3)),
        paint,
    )
