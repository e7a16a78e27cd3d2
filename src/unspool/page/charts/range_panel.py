"""One role's ranges: what each step took, and the one range that all steps share."""

from collections.abc import Sequence

from unspool.page.charts.canvas import wrap
from unspool.quantization.ranges import Range

_WIDTH, _HEIGHT = 190, 104
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 54, 10, 18


def panel(name: str, role: str, steps: Sequence[tuple[int, Range]], chosen: Range) -> str:
    """A band from smallest to largest value over the steps, between the lines of the chosen range.

    Args:
        name: of the picture, unique on its page.
        role: of the tensors.
        steps: (step, what its tensor took), by step; one or more.
        chosen: the range to quantize all of them with.
    """
    low = min(chosen.minimum, *(r.minimum for _, r in steps))
    high = max(chosen.maximum, *(r.maximum for _, r in steps))
    first, last = steps[0][0], steps[-1][0]
    plot = _WIDTH - _LEFT - _RIGHT

    def x(step: int) -> float:
        return _LEFT + plot * ((step - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    if len(steps) == 1:
        (_, only), centre = steps[0], x(first)
        band = (
            f'<rect x="{centre - 8:.1f}" y="{y(only.maximum):.1f}" width="16" '
            f'height="{max(1.0, y(only.minimum) - y(only.maximum)):.1f}" class="band"/>'
        )
    else:
        upper = " ".join(f"{x(s):.1f},{y(r.maximum):.1f}" for s, r in steps)
        lower = " ".join(f"{x(s):.1f},{y(r.minimum):.1f}" for s, r in reversed(steps))
        band = f'<polygon points="{upper} {lower}" class="band"/>'
    lines = "".join(
        f'<line x1="{_LEFT}" x2="{_LEFT + plot}" y1="{y(v):.1f}" y2="{y(v):.1f}" class="tied"/>'
        f'<text x="{_LEFT + plot + 4}" y="{y(v) + 3.5:.1f}">{v:.3g}</text>'
        for v in (chosen.minimum, chosen.maximum)
    )
    zero = (
        f'<line x1="{_LEFT}" x2="{_LEFT + plot}" y1="{y(0):.1f}" y2="{y(0):.1f}" class="zero"/>'
        if low < 0 < high
        else ""
    )
    axis = f'<text x="{_LEFT}" y="{_HEIGHT - 4}">step {first}</text>'
    if last > first:
        axis += f'<text x="{_LEFT + plot}" y="{_HEIGHT - 4}" text-anchor="end">{last}</text>'
    taken = [min(r.minimum for _, r in steps), max(r.maximum for _, r in steps)]
    return wrap(
        name,
        f"Ranges of {role}",
        f"Steps {first} to {last} took values from {taken[0]:.4g} to {taken[1]:.4g}; all share the "
        f"range from {chosen.minimum:.4g} to {chosen.maximum:.4g}.",
        (_WIDTH, _HEIGHT),
        f'<g class="labels">{zero}{band}{lines}{axis}</g>',
    )
