"""A tf.data.Dataset to fine-tune with: its elements, how many they are, and that all are finite."""

from typing import Any

from unspool.errors import UnspoolError
from unspool.support._tensorflow import tf


def has_labels(dataset: Any) -> bool:
    """Whether a dataset's elements are (samples, labels, ...), not samples alone."""
    spec = dataset.element_spec
    return isinstance(spec, tuple) and len(spec) > 1 and spec[1] is not None


def check_elements(dataset: Any, labelled: bool, what: str) -> None:
    """Refuse a dataset whose elements are not of the kind that is trained with.

    Raises:
        UnspoolError: they are not.
    """
    spec = dataset.element_spec
    parts = len(spec) if isinstance(spec, tuple) else 1
    if labelled and not (has_labels(dataset) and parts in (2, 3)):
        raise UnspoolError(
            f"{what}: expected batches (samples, labels) or (samples, labels, weights)"
        )
    if not labelled and parts > 1:
        raise UnspoolError(
            f"{what}: expected batches of samples alone, as the training data has no labels"
        )


def count(dataset: Any) -> int:
    """Batches of a dataset.

    Raises:
        UnspoolError: it has none, or no end.
    """
    number = int(dataset.cardinality())
    if number == tf.data.INFINITE_CARDINALITY:
        raise UnspoolError(
            "the dataset has no end: say with .take(n) how many batches an epoch has"
        )
    if number == tf.data.UNKNOWN_CARDINALITY:
        number = int(dataset.reduce(0, lambda so_far, *_: so_far + 1))
    if not number:
        raise UnspoolError("the dataset has no batches")
    return number


def finite_only(dataset: Any) -> Any:
    """The dataset, stopped by a value that is not a number; its elements are tuples."""

    def finite(tensor: Any) -> Any:
        if not tensor.dtype.is_floating:
            return tensor
        return tf.debugging.check_numerics(tensor, "samples or labels hold NaN or infinite values")

    return dataset.map(lambda *parts: tf.nest.map_structure(finite, parts))
