"""Real architectures at real lengths and widths, as people publish them."""

from zoo.body import BODY
from zoo.core import Architecture, Arrays, trained
from zoo.forecasts import FORECASTS
from zoo.heart import HEART
from zoo.machines import MACHINES
from zoo.motion import MOTION
from zoo.sounds import SOUND
from zoo.visions import VISION

__all__ = ["ZOO", "Architecture", "Arrays", "architecture", "trained"]

ZOO: tuple[Architecture, ...] = (
    *MOTION,
    *HEART,
    *BODY,
    *SOUND,
    *MACHINES,
    *FORECASTS,
    *VISION,
)


def architecture(name: str) -> Architecture:
    """The architecture of a name."""
    return next(entry for entry in ZOO if entry.name == name)
