"""What a sequence is cut into."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pieces:
    """What a sequence is cut into: what that allows, and words for messages.

    Attributes:
        of: what takes one piece after the other.
        otherwise: how a model is deployed that cannot be cut.
        warms_up: the first pieces may give nothing, while windows fill.
        looks_ahead: outputs may come later than what they are of.
        ahead: the end of a message, which says that they might.
    """

    of: str
    otherwise: str
    warms_up: bool = False
    looks_ahead: bool = False
    ahead: str = ""


STREAM = Pieces(
    "a stream",
    "without states",
    warms_up=True,
    ahead="; or take outputs that come so many steps late, by `lookahead`",
)
LATE_STREAM = replace(STREAM, looks_ahead=True)
CALLS = Pieces("one of several calls", "without `steps_per_call`")
