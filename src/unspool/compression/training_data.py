"""What to fine-tune with: arrays or a tf.data.Dataset, checked before any work is done."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.compression.trained_loss import loss_name
from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.support import samples
from unspool.support._tensorflow import keras, tf
from unspool.support.samples import Samples

_HELD_OUT = 1 / 20
_MOST_HELD_OUT = 5000
_SOME = 2000


@dataclass(frozen=True)
class TrainingData:
    """Samples and labels in the form that Keras's `fit` and `evaluate` take.

    Attributes:
        fit: arguments of `fit`: `x`, and for arrays `y` and `batch_size`.
        batches: in an epoch.
        validation: what `fit` takes as validation data; None where there is none.
    """

    fit: Mapping[str, Any]
    batches: int
    validation: Any


def training_data(
    model: Any, data: Any, labels: Any, validation: Any, batch_size: int, seed: int
) -> TrainingData:
    """Check what a model is to be fine-tuned with.

    Args:
        model: the Keras model.
        data: samples, one array (samples, ...) per input; or a tf.data.Dataset of batches
            (samples, labels) or (samples, labels, weights).
        labels: what the model's loss takes, (samples, ...); None with a dataset.
        validation: (samples, labels), or a dataset. None: of arrays a twentieth, at most 5,000
            samples drawn by the seed, is held out; of a dataset nothing is.
        batch_size: of arrays.
        seed: draws what is held out.

    Raises:
        UnspoolError: something does not fit; the message says what.
    """
    if isinstance(data, tf.data.Dataset):
        if labels is not None:
            raise UnspoolError("labels: a dataset yields them itself, (samples, labels); give None")
        _check_elements(data, "the dataset")
        batches = _count(data)
        fit = {"x": _checked(data), "shuffle": False}  # the dataset decides whether it shuffles
        return TrainingData(fit, batches, _validation(model, validation))
    if labels is None:
        raise UnspoolError("labels: expected what the model's loss takes, one for each sample")
    if model.inputs[0].shape[0] is not None:
        raise UnspoolError(
            f"model {model.name!r} has the batch size {model.inputs[0].shape[0]} fixed: give a "
            "tf.data.Dataset with batches of that size"
        )
    arrays = samples.check(data, structure.inputs(model), "training data")
    count = len(arrays[0])
    labels = _checked_labels(model, labels, count, "labels")
    validation = _validation(model, validation)
    kept, held = held_out(count, seed)
    if validation is None and len(held):
        validation = _as_inputs(model, [a[held] for a in arrays]), _taken(labels, held)
        arrays, labels = [a[kept] for a in arrays], _taken(labels, kept)
    fit = {"x": _as_inputs(model, arrays), "y": labels, "batch_size": batch_size}
    return TrainingData(fit, -(-len(arrays[0]) // batch_size), validation)


def some(source: TrainingData) -> list[np.ndarray]:
    """The first of the training samples, one array (samples, ...) per input."""
    data = source.fit["x"]
    if not isinstance(data, tf.data.Dataset):
        return [array[:_SOME] for array in keras.tree.flatten(data)]
    batches: list[list[np.ndarray]] = []
    for batch, *_ in data.take(_SOME).as_numpy_iterator():
        arrays = keras.tree.flatten(batch)
        if sum(len(taken[0]) for taken in batches) >= _SOME or _differ(batches, arrays):
            break
        batches.append(arrays)
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _differ(batches: list[list[np.ndarray]], arrays: list[np.ndarray]) -> bool:
    """Whether a batch has sequences of another length than the first."""
    return bool(batches) and [a.shape[1:] for a in batches[0]] != [a.shape[1:] for a in arrays]


def _taken(labels: Any, indices: np.ndarray) -> Any:
    """Labels of some samples, whatever their structure."""
    return keras.tree.map_structure(lambda part: part[indices], labels)


def _validation(model: Any, validation: Any) -> Any:
    if validation is None:
        return None
    if isinstance(validation, tf.data.Dataset):
        _check_elements(validation, "the validation dataset")
        return _checked(validation)
    if not isinstance(validation, tuple) or len(validation) != 2:
        raise UnspoolError("validation: expected (samples, labels), or a tf.data.Dataset")
    data, labels = validation
    arrays = samples.check(data, structure.inputs(model), "validation data")
    labels = _checked_labels(model, labels, len(arrays[0]), "validation labels")
    return _as_inputs(model, arrays), labels


def _as_inputs(model: Any, arrays: list[np.ndarray]) -> Any:
    """Arrays in the inputs' order, as the model is called: alone, as a list, or by name."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        return keras.tree.pack_sequence_as(structure, arrays)
    return arrays[0] if len(arrays) == 1 else arrays


def _checked_labels(model: Any, labels: Any, count: int, what: str) -> Any:
    """Labels as arrays, in the structure in which they were given."""
    if isinstance(labels, list | tuple) and np.ndim(labels[0] if labels else 0) == 0:
        labels = np.asarray(labels)  # a list of numbers, not of outputs
    labels = keras.tree.map_structure(lambda part: _labels(part, count, what), labels)
    _check_classes(model, labels, what)
    return labels


def _labels(labels: Any, count: int, what: str) -> np.ndarray:
    array = np.asarray(labels)
    if array.ndim == 0 or len(array) != count:
        raise UnspoolError(f"{what}: have the shape {array.shape}, but there are {count} samples")
    if array.dtype.kind not in "fiub":
        raise UnspoolError(f"{what}: have the type {array.dtype}, expected numbers")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise UnspoolError(f"{what}: {bad} of {array.size} values are NaN or infinite")
    return array


def _check_classes(model: Any, labels: Any, what: str) -> None:
    """Refuse class numbers that the model has no output for; Keras would go on with NaN."""
    if "sparse_categorical" not in loss_name(model) or not isinstance(labels, np.ndarray):
        return
    labels = labels[labels != getattr(model.loss, "ignore_class", None)]
    if labels.size:
        samples.check_classes(labels, model.outputs[0].shape[-1], f"{what}:")


@contextmanager
def fitting(loss: str) -> Iterator[None]:
    """Turn TensorFlow's exceptions about data that does not fit into one line.

    Raises:
        UnspoolError: in their place.
    """
    try:
        with warnings.catch_warnings():
            # Keras, of a dataset whose length it does not know, after the first epoch.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            yield
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        # TensorFlow gives its reason last, after where it arose; Keras's errors are of one line.
        lines = [line.strip() for line in str(error).splitlines()]
        asides = ("[[", "•", "Arguments received", "Exception encountered")
        reasons = [line for line in lines if line and not line.startswith(asides)]
        raise UnspoolError(
            f"the samples and labels do not fit the model and its loss {loss!r}: "
            f"{reasons[-1][:300] if reasons else error!r}"
        ) from error


def check_fits_loss(student: Any, source: TrainingData) -> None:
    """Evaluate the loss on a few samples, before any training.

    Raises:
        UnspoolError: labels, or a dataset's samples, do not fit the model and its loss.
    """
    data = source.fit["x"]
    with fitting(loss_name(student)):
        if isinstance(data, tf.data.Dataset):
            student.evaluate(data.take(1), verbose=0)
            return
        first = [keras.tree.map_structure(lambda part: part[:2], source.fit[k]) for k in "xy"]
        student.evaluate(*first, verbose=0)


def held_out(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of samples to train with, and of those that are held out: none of few samples."""
    size = min(int(count * _HELD_OUT), _MOST_HELD_OUT)
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[size:]), np.sort(order[:size])


def classes_of(labels: np.ndarray) -> np.ndarray:
    """Classes (samples,) of labels (samples,), (samples, 1) or, one-hot, (samples, classes)."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        classes: np.ndarray = labels.argmax(axis=1)
        return classes
    return labels.reshape(len(labels)) if labels.ndim == 2 else labels


def split(
    model: Any, data: Samples, labels: Any, validation: Any, seed: int, are_classes: bool
) -> tuple[list[np.ndarray], np.ndarray, tuple[list[np.ndarray], np.ndarray]]:
    """Training samples, their labels, and the same for validation, for a search.

    Raises:
        UnspoolError: they do not fit the model, or are too few to hold some out.
    """

    def checked(data: Any, labels: Any, what: str) -> tuple[list[np.ndarray], np.ndarray]:
        arrays = samples.check(data, structure.inputs(model), what)
        if are_classes:
            classes = max(2, model.outputs[0].shape[-1])
            samples.check_labels(classes_of(np.asarray(labels)), len(arrays[0]), classes, what)
            return arrays, np.asarray(labels)
        return arrays, _labels(labels, len(arrays[0]), f"{what}: labels")

    arrays, right = checked(data, labels, "training data")
    if validation is not None:
        return arrays, right, checked(validation[0], validation[1], "validation data")
    train, test = held_out(len(right), seed)
    if not len(test):
        raise UnspoolError(
            f"training data: {len(right)} samples are too few to hold some out; give validation "
            "samples and their labels"
        )
    return [a[train] for a in arrays], right[train], ([a[test] for a in arrays], right[test])


def _check_elements(dataset: Any, what: str) -> None:
    """Refuse a dataset without labels, or whose elements are not of that kind."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3) or spec[1] is None:
        raise UnspoolError(
            f"{what}: expected batches (samples, labels) or (samples, labels, weights)"
        )


def _count(dataset: Any) -> int:
    """Batches of a dataset."""
    count = int(dataset.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise UnspoolError(
            "the dataset has no end: say with .take(n) how many batches an epoch has"
        )
    if count == tf.data.UNKNOWN_CARDINALITY:
        count = int(dataset.reduce(0, lambda number, *_: number + 1))
    if not count:
        raise UnspoolError("the dataset has no batches")
    return count


def _checked(dataset: Any) -> Any:
    """The dataset, stopped by a value that is not a number."""

    def finite(tensor: Any) -> Any:
        if not tensor.dtype.is_floating:
            return tensor
        return tf.debugging.check_numerics(tensor, "samples or labels hold NaN or infinite values")

    return dataset.map(lambda *parts: tf.nest.map_structure(finite, parts))
