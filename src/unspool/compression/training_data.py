"""What to fine-tune with: arrays or a tf.data.Dataset, checked before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from unspool.compression import datasets
from unspool.compression import labels as of_labels
from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.runtime.labels import check_test
from unspool.support import samples
from unspool.support._tensorflow import keras, tf
from unspool.support.samples import Samples

_HELD_OUT = 1 / 20
_MOST_HELD_OUT = 5000
SOME = 2000
"""Samples that are enough to find out which units matter."""


@dataclass(frozen=True)
class TrainingData:
    """Samples, and labels if there are any, in the form that Keras's `fit` and `evaluate` take.

    Attributes:
        fit: arguments of `fit`: `x`, and for arrays `batch_size` and, with labels, `y`.
        batches: in an epoch.
        validation: what `fit` takes as validation data; None where there is none.
        labelled: whether there are labels, beside the trained model's outputs, to train on.
    """

    fit: Mapping[str, Any]
    batches: int
    validation: Any
    labelled: bool


def training_data(
    model: Any, data: Any, labels: Any, validation: Any, batch_size: int, seed: int
) -> TrainingData:
    """Check what a model is to be fine-tuned with.

    Args:
        model: the Keras model; with labels compiled with a loss.
        data: samples, one array (samples, ...) per input; or a tf.data.Dataset of batches
            (samples, labels) or (samples, labels, weights), or of samples alone.
        labels: what the model's loss takes, (samples, ...); None with a dataset, or without labels.
        validation: (samples, labels), without labels samples; or a dataset. None: of arrays a
            twentieth, at most 5,000 samples drawn by the seed, is held out; of a dataset nothing.
        batch_size: of arrays.
        seed: draws what is held out.

    Raises:
        UnspoolError: something does not fit; the message says what.
    """
    labelled = has_labels(data, labels)
    if isinstance(data, tf.data.Dataset):
        if labels is not None:
            raise UnspoolError("labels: a dataset yields them itself, (samples, labels); give None")
        datasets.check_elements(data, labelled, "the dataset")
        fit = {"x": datasets.finite_only(data), "shuffle": False}  # which is up to the dataset
        return TrainingData(
            fit, datasets.count(data), _validation(model, validation, labelled), labelled
        )
    arrays = samples.check(data, structure.inputs(model), "training data")
    count = len(arrays[0])
    targets = (of_labels.checked(model, labels, count, "labels"),) if labelled else ()
    validation = _validation(model, validation, labelled)
    train, held = held_out(count, seed)
    if validation is None and len(held):
        right = (of_labels.subset(part, held) for part in targets)
        validation = (_as_inputs(model, [a[held] for a in arrays]), *right)
        arrays = [a[train] for a in arrays]
        targets = tuple(of_labels.subset(part, train) for part in targets)
    fit = {"x": _as_inputs(model, arrays), **dict(zip("y", targets, strict=False))}
    batches = -(-len(arrays[0]) // batch_size)
    return TrainingData({**fit, "batch_size": batch_size}, batches, validation, labelled)


def has_labels(data: Any, labels: Any) -> bool:
    """Whether there is something beside the samples for a loss to take."""
    if isinstance(data, tf.data.Dataset) and labels is None:
        return datasets.has_labels(data)
    return labels is not None


def some(source: TrainingData) -> list[np.ndarray]:
    """The first of the training samples, one array (samples, ...) per input."""
    data = source.fit["x"]
    if not isinstance(data, tf.data.Dataset):
        return [array[:SOME] for array in keras.tree.flatten(data)]
    batches: list[list[np.ndarray]] = []
    for batch in data.take(SOME).as_numpy_iterator():
        arrays = keras.tree.flatten(batch[0] if source.labelled else batch)
        if sum(len(each[0]) for each in batches) >= SOME or _differ(batches, arrays):
            break
        batches.append(arrays)
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _differ(batches: list[list[np.ndarray]], arrays: list[np.ndarray]) -> bool:
    """Whether a batch has sequences of another length than the first."""
    return bool(batches) and [a.shape[1:] for a in batches[0]] != [a.shape[1:] for a in arrays]


def _validation(model: Any, validation: Any, labelled: bool) -> Any:
    if validation is None:
        return None
    if isinstance(validation, tf.data.Dataset):
        datasets.check_elements(validation, labelled, "the validation dataset")
        return datasets.finite_only(validation)
    if not labelled:
        arrays = samples.check(validation, structure.inputs(model), "validation data")
        return (_as_inputs(model, arrays),)
    if not isinstance(validation, tuple) or len(validation) != 2:
        raise UnspoolError("validation: expected (samples, labels), or a tf.data.Dataset")
    data, labels = validation
    arrays = samples.check(data, structure.inputs(model), "validation data")
    labels = of_labels.checked(model, labels, len(arrays[0]), "validation labels")
    return _as_inputs(model, arrays), labels


def _as_inputs(model: Any, arrays: list[np.ndarray]) -> Any:
    """Arrays in the inputs' order, as the model is called: alone, as a list, or by name."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        return keras.tree.pack_sequence_as(structure, arrays)
    return arrays[0] if len(arrays) == 1 else arrays


def held_out(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of samples to train with, and of those that are held out: none of few samples."""
    size = min(int(count * _HELD_OUT), _MOST_HELD_OUT)
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[size:]), np.sort(order[:size])


Split: TypeAlias = tuple[list[np.ndarray], np.ndarray, tuple[list[np.ndarray], np.ndarray]]
"""Training samples, their labels, and the same for validation."""


def split(
    model: Any,
    data: Samples,
    labels: Any,
    validation: Any,
    seed: int,
    are_classes: bool,
    output: int,
) -> Split:
    """Training samples, their labels, and the same for validation, for a search.

    Args:
        model: the Keras model, compiled.
        data: samples, as `training_data` takes them.
        labels: of one output, or its name -> those.
        validation: samples and labels; None holds some out.
        seed: draws what is held out.
        are_classes: whether labels have to be classes, or yes and no.
        output: number of the output.

    Raises:
        UnspoolError: they do not fit the model, or are too few to hold some out.
    """
    name = structure.output_names(model)[output]

    def checked(data: Any, labels: Any, what: str) -> tuple[list[np.ndarray], np.ndarray]:
        arrays = samples.check(data, structure.inputs(model), what)
        if isinstance(labels, Mapping):
            labels = next((labels[key] for key in (name, *labels) if key in labels), None)
        right = of_labels.numbers(labels, len(arrays[0]), f"{what}: labels")
        if are_classes:
            right = _in_rows(right, model.outputs[output].shape)
            _check_answers(model, arrays, right, output, what)
        elif len(model.outputs) == 1:
            of_labels.checked(model, right, len(arrays[0]), f"{what}: labels")
        return arrays, right

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


def _in_rows(labels: np.ndarray, shape: Sequence[int | None]) -> np.ndarray:
    """Classes without a last axis of one entry, which Keras takes beside an output of several."""
    is_longer = labels.ndim == len(shape) and labels.shape[-1] == 1 != shape[-1]
    return labels[..., 0] if is_longer else labels


def _check_answers(
    model: Any, arrays: list[np.ndarray], labels: np.ndarray, output: int, what: str
) -> None:
    """Check that labels are answers which are right or wrong."""
    name = structure.output_names(model)[output]
    _, targets = check_test(model, (arrays, {name: labels}), what=what)
    if not targets[output].classes:
        raise UnspoolError(
            f"{what}: labels have the type {labels.dtype}, expected integers, or rows with one 1, "
            "whose accuracy is measured; for values name another `metric`, such as mae"
        )
