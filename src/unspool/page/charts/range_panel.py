"""One role's ranges: what each step took, and the one range that all steps share."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.page.charts.canvas import wrap
from unspool.quantization.ranges import Range

_WIDTH, _HEIGHT = 190, 104
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 54, 10, 18
_PLOT = _WIDTH - _LEFT - _RIGHT  # width between the margins


@dataclass(frozen=True)
class _Place:
    """Where steps and values are in the picture.

    Attributes:
        first: the step at the left edge.
        last: the step at the right edge.
        low: the value at the bottom.
        high: the value at the top.
    """

    first: int
    last: int
    low: float
    high: float

    def x(self, step: int) -> float:
        """From the left, in pixels."""
        length = self.last - self.first
        return _LEFT + _PLOT * ((step - self.first) / length if length else 0.5)

    def y(self, value: float) -> float:
        """From the top, in pixels."""
        span = self.high - self.low
        share = (value - self.low) / span if self.high > self.low else 0.5
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def panel(name: str, role: str, steps: Sequence[tuple[int, Range]], chosen: Range) -> str:
    """A band from smallest to largest value over the steps, between the lines of the chosen range.

    Args:
        name: of the picture, unique on its page.
        role: of the tensors.
        steps: (step, what its tensor took), by step; one or more.
        chosen: the range to quantize all of them with.
    """
    lowest, highest = min(r.minimum for _, r in steps), max(r.maximum for _, r in steps)
    first, last = steps[0][0], steps[-1][0]
    place = _Place(first, last, min(chosen.minimum, lowest), max(chosen.maximum, highest))
    band = _bar(place, steps[0][1]) if len(steps) == 1 else _polygon(place, steps)
    return wrap(
        name,
        f"Ranges of {role}",
        f"Steps {first} to {last} took values from {lowest:.4g} to {highest:.4g}; all share the "
        f"range from {chosen.minimum:.4g} to {chosen.maximum:.4g}.",
        (_WIDTH, _HEIGHT),
        f'<g class="labels">{_zero(place)}{band}{_limits(place, chosen)}{_steps(place)}</g>',
    )


def _bar(place: _Place, only: Range) -> str:
    """The range of the only step."""
    centre = place.x(place.first)
    height = max(1.0, place.y(only.minimum) - place.y(only.maximum))
    return (
        f'<rect x="{centre - 8:.1f}" y="{place.y(only.maximum):.1f}" width="16" '
        f'height="{height:.1f}" class="band"/>'
    )


def _polygon(place: _Place, steps: Sequence[tuple[int, Range]]) -> str:
    """The band: along the largest values, and back along the smallest."""
    upper = " ".join(f"{place.x(s):.1f},{place.y(r.maximum):.1f}" for s, r in steps)
    lower = " ".join(f"{place.x(s):.1f},{place.y(r.minimum):.1f}" for s, r in reversed(steps))
    return f'<polygon points="{upper} {lower}" class="band"/>'


def _limits(place: _Place, chosen: Range) -> str:
    """A line at each end of the chosen range, with its value."""
    return "".join(
        f"{_across(place.y(value), 'tied')}"
        f'<text x="{_LEFT + _PLOT + 4}" y="{place.y(value) + 3.5:.1f}">{value:.3g}</text>'
        for value in (chosen.minimum, chosen.maximum)
    )


def _zero(place: _Place) -> str:
    return _across(place.y(0), "zero") if place.low < 0 < place.high else ""


def _across(y: float, kind: str) -> str:
    return f'<line x1="{_LEFT}" x2="{_LEFT + _PLOT}" y1="{y:.1f}" y2="{y:.1f}" class="{kind}"/>'


def _steps(place: _Place) -> str:
    """The first step and, where it is another one, the last."""
    axis = f'<text x="{_LEFT}" y="{_HEIGHT - 4}">step {place.first}</text>'
    if place.last > place.first:
        axis += f'<text x="{_LEFT + _PLOT}" y="{_HEIGHT - 4}" text-anchor="end">{place.last}</text>'
    return axis
