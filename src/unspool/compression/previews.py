"""What a preview is: a training that is short, but long enough to tell settings apart."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unspool.compression.fine_tuning_run import FineTuning

PREVIEWS = 12
"""Settings that a search tries so, where it is not told otherwise."""

SHARE = 1 / 4
"""Of the epochs."""

FEWEST_BATCHES = 200
"""That a preview trains, of fewer samples each where they are few."""

_SMALLEST = 1 / 4
"""Of the batch size, that a preview goes down to; then it takes more epochs."""


def shortened(tuning: "FineTuning", samples: int) -> "FineTuning":
    """The training of a preview.

    Args:
        tuning: with all epochs.
        samples: that are trained with.
    """
    epochs = max(2, round(tuning.epochs * SHARE))
    smallest = max(1, round(tuning.batch_size * _SMALLEST))
    size = max(smallest, min(tuning.batch_size, epochs * samples // FEWEST_BATCHES))
    epochs = max(epochs, -(-FEWEST_BATCHES // -(-samples // size)))
    if epochs >= tuning.epochs:
        return tuning
    return replace(tuning, epochs=epochs, batch_size=size)
