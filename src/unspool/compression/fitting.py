"""What Keras and TensorFlow say of data that does not fit a model, as one line."""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from unspool.compression.labels import subset
from unspool.compression.trained_loss import loss_name
from unspool.compression.training_data import TrainingData
from unspool.errors import UnspoolError
from unspool.support._tensorflow import tf
from unspool.support.traced_once import make_variables


@contextmanager
def fitting(model: Any) -> Iterator[None]:
    """Turn TensorFlow's exceptions about data that does not fit a model into one line.

    Args:
        model: the Keras model; without a loss, or None, where there are no labels.

    Raises:
        UnspoolError: in their place.
    """
    try:
        with warnings.catch_warnings():
            # Keras, of a dataset whose length it does not know, after the first epoch.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            yield
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        raise UnspoolError(f"{_pair(model)}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What an exception says, without colours and without where in TensorFlow it arose."""
    # TensorFlow gives its reason last, after where it arose; Keras's errors are of one line.
    lines = [_WHERE.sub("", line.strip()) for line in str(error).splitlines()]
    asides = ("[[", "•", "Arguments received", "Exception encountered")
    reasons = [line for line in lines if line and not line.startswith(asides)]
    return reasons[-1][:300] if reasons else repr(error)


_WHERE = re.compile(r"\x1b\[\d*m|^\{\{.*?\}\} |Error in user-defined .*?Iterator::\S+: ")


def _pair(model: Any) -> str:
    if getattr(model, "loss", None) is None:
        return "the samples do not fit the model"
    return f"the samples and labels do not fit the model and its loss {loss_name(model)!r}"


def check_fits_loss(student: Any, source: TrainingData) -> None:
    """Compute the loss of a few samples, before any training; it makes the training's variables.

    Raises:
        UnspoolError: labels, or a dataset's samples, do not fit the model and its loss.
    """
    with fitting(student):
        for batch in _first(source):
            make_variables(student, batch)


def _first(source: TrainingData) -> Iterable[Any]:
    """Two samples, or a dataset's first batch, with what belongs to them."""
    data = source.fit["x"]
    if isinstance(data, tf.data.Dataset):
        first: Iterable[Any] = data.take(1)
        return first
    two, names = np.arange(2), [name for name in ("x", "y") if name in source.fit]
    return [tuple(subset(source.fit[name], two) for name in names)]
