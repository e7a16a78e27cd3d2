"""A figure: a number with its unit and its origin."""

from dataclasses import dataclass
from typing import Literal

from unspool.compilation.kinds import Kind

Origin = Literal["measured", "simulated", "estimated"]
"""measured: counted or run here; simulated: by a model of the NPU, no silicon involved; estimated:
Vela's estimate."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        id: its key in the JSON report.
        label: its name for people.
        value: the number.
        unit: of the value: "%", "KiB", "cycles", ...; empty for a count or a pure number.
        origin: how the number came about.
        how: with what, on what, how many samples.
        guide: the same figure of Arm's guide, where it is known.
        before: the same figure before the model was compressed, where it was.
    """

    id: str
    label: str
    value: float
    unit: str
    origin: Origin
    how: str
    guide: float | None = None
    before: float | None = None


def figure(
    kind: Kind, value: float, origin: Origin, how: str, *, of: str = "", what: str = ""
) -> Figure:
    """A figure of a kind.

    Args:
        kind: which gives its id, its label and its unit.
        value: the number.
        origin: how the number came about.
        how: with what, on what, how many samples.
        of: which of several figures of the kind; the end of its id.
        what: the same for people; the end of its label.
    """
    return Figure(kind.of(of), f"{kind.label}{what}", value, kind.unit, origin, how)
