"""What a sequence is cut into."""

from dataclasses import dataclass, replace

from unspool.errors import UnspoolError


@dataclass(frozen=True)
class Pieces:
    """What a sequence is cut into: what that allows, and words for messages.

    Attributes:
        of: what takes one piece after the other.
        otherwise: how a model is deployed that cannot be cut.
        warms_up: the first pieces may give nothing, while windows fill.
        looks_ahead: outputs may come later than what they are of.
        ahead: the end of a message, which says that they might.
        pool_window: time steps, the last ones, that a pooling over all steps takes; 0 for none.
        pool_since_reset: until there are so many, it takes those since the reset, and no zeros.
        begin_given: a recurrent layer may begin the first piece with states that it is given.
    """

    of: str
    otherwise: str
    warms_up: bool = False
    looks_ahead: bool = False
    ahead: str = ""
    pool_window: int = 0
    pool_since_reset: bool = False
    begin_given: bool = False


STREAM = Pieces(
    "a stream",
    "without states",
    warms_up=True,
    ahead="; or take outputs that come so many steps late, by `lookahead`",
)
CALLS = Pieces("one of several calls", "in parts, or without `steps_per_call`", begin_given=True)


def stream(lookahead: bool, pool_window: int | None, pool_since_reset: bool = False) -> Pieces:
    """A stream, as `unroll_stream` is asked for it.

    Raises:
        UnspoolError: the window is no positive number of time steps, or missing.
    """
    if pool_window is not None and pool_window < 1:
        raise UnspoolError(f"`pool_window` {pool_window}: expected time steps, at least 1")
    if pool_since_reset and pool_window is None:
        raise UnspoolError(
            "`pool_since_reset`: what a pooling reads is kept, and takes memory; say over how many "
            "of the last time steps it pools at most, by `pool_window`"
        )
    return replace(
        STREAM,
        looks_ahead=lookahead,
        pool_window=pool_window or 0,
        pool_since_reset=pool_since_reset,
    )
