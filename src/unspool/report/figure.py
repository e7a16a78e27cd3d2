"""A figure: a number with its unit and its origin."""

from dataclasses import dataclass
from typing import Literal

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
