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
"""That a preview trains, as far as the whole training has so many."""


def shortened(tuning: "FineTuning", samples: int) -> "FineTuning":
    """The training of a preview.

    Args:
        tuning: with all epochs.
        samples: that are trained with.
    """
    batches = -(-samples // tuning.batch_size)
    epochs = max(2, round(tuning.epochs * SHARE), -(-FEWEST_BATCHES // batches))
    return replace(tuning, epochs=min(tuning.epochs, epochs))
