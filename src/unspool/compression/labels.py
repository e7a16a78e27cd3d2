"""What a model's loss takes for samples: arrays in any structure, checked before any work."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unspool.compression.trained_loss import loss_name, with_a_loss
from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.graph import functional
from unspool.support import samples
from unspool.support._tensorflow import keras


def checked(model: Any, labels: Any, count: int, what: str) -> Any:
    """Labels as arrays, in the structure in which they were given.

    Args:
        model: the Keras model, compiled.
        labels: what its loss takes, (samples, ...) each.
        count: of the samples.
        what: what the labels are, for messages.

    Raises:
        UnspoolError: they are not as many, not numbers, or classes that the model has not.
    """
    if isinstance(labels, list | tuple) and np.ndim(labels[0] if labels else 0) == 0:
        labels = np.asarray(labels)  # a list of numbers, not of outputs
    if isinstance(labels, np.ndarray) and len(model.outputs) > 1:
        labels = _of_the_only_loss(model, labels)
    if isinstance(labels, Mapping):
        labels = _by_name(model, labels, what)
    labels = keras.tree.map_structure(lambda part: numbers(part, count, what), labels)
    if isinstance(labels, np.ndarray):
        _check_classes(model, labels, what)
        _check_values(model, labels, what)
    return labels


def _of_the_only_loss(model: Any, labels: np.ndarray) -> Any:
    """Labels by the name of the output that they are of, where one output has a loss."""
    graded = with_a_loss(model)
    return {structure.output_names(model)[graded[0]]: labels} if len(graded) == 1 else labels


def _by_name(model: Any, labels: Mapping[str, Any], what: str) -> Any:
    """Labels by the names of outputs, in the form that the model's losses are in."""
    names = structure.output_names(model)
    others = tuple(functional(model).output_names)  # which Keras takes too
    unknown = set(labels) - {*names, *others}
    if (len(names) > 1 and unknown) or len(labels) > len(names):
        raise UnspoolError(
            f"{what}: has arrays named {', '.join(sorted(labels))}, expected {', '.join(names)}"
        )
    if isinstance(model.loss, Mapping):
        return labels
    if len(names) == 1:  # a lone array has no need of the right name
        return next(iter(labels.values()))
    if isinstance(getattr(model, "_outputs_struct", None), Mapping):
        return labels
    by_output = [
        labels.get(name, labels.get(other)) for name, other in zip(names, others, strict=True)
    ]
    missing = [names[number] for number in with_a_loss(model) if by_output[number] is None]
    if missing:
        raise UnspoolError(f"{what}: has no array for {', '.join(missing)}")
    return by_output


def numbers(labels: Any, count: int, what: str) -> Any:
    """Labels of an output as an array (samples, ...); None where it has none.

    Raises:
        UnspoolError: they are not as many, or not numbers.
    """
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.ndim == 0 or len(array) != count:
        raise UnspoolError(f"{what}: have the shape {array.shape}, but there are {count} samples")
    if array.dtype.kind not in "fiub":
        raise UnspoolError(f"{what}: have the type {array.dtype}, expected numbers")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise UnspoolError(f"{what}: {bad} of {array.size} values are NaN or infinite")
    return array


def _check_classes(model: Any, labels: np.ndarray, what: str) -> None:
    """Refuse class numbers that the model has no output for; Keras would go on with NaN."""
    if "sparse_categorical" not in loss_name(model):
        return
    labels = labels[labels != getattr(model.loss, "ignore_class", None)]
    if labels.size:
        samples.check_classes(labels, model.outputs[0].shape[-1], f"{what}:")


_OF_VALUES = ("mse", "mae", "mean_squared", "mean_absolute", "huber", "log_cosh")


def _check_values(model: Any, labels: np.ndarray, what: str) -> None:
    """Refuse values of another shape than the output's; Keras would repeat them until they fit."""
    shape = tuple(model.outputs[0].shape[1:])
    if len(model.outputs) > 1 or not loss_name(model).startswith(_OF_VALUES):
        return
    label_shape = labels.shape[1:]
    if len(label_shape) == len(shape) - 1 and shape[-1] == 1:
        label_shape = (*label_shape, 1)  # as Keras has it
    fits = len(label_shape) == len(shape) and all(
        want in (None, got) for want, got in zip(shape, label_shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise UnspoolError(
            f"{what}: have the shape {labels.shape}, but the model's output (samples, {wanted})"
        )


def subset(labels: Any, indices: np.ndarray) -> Any:
    """Labels, or samples, of some samples, whatever their structure."""
    return keras.tree.map_structure(lambda part: None if part is None else part[indices], labels)
