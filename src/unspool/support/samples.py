"""Samples for a model: checked before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from unspool.errors import UnspoolError

Samples: TypeAlias = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]
"""One array (samples, ...) for each input: alone, in the inputs' order, or by input name."""


CALIBRATION_COUNT = 200
"""How many samples to calibrate with, where the user does not say."""

_NUMBERS = {"int32": np.int32, "int64": np.int32}
"""Inputs of token ids keep whole numbers; all others are real values, whatever their type."""


class HasShape(Protocol):
    """An input of a model: its name, its type, and its shape with the batch dimension first."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def shape(self) -> tuple[Any, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class OpenInput:
    """An input of which some dimensions, None, take any length.

    Attributes:
        name: what it is called.
        shape: with the batch dimension.
        dtype: of its values.
        also: another name for it that samples may use; empty for none.
        rows: of the table that it is looked up in, whole numbers from 0; 0 for no table.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: Any
    also: str = ""
    rows: int = 0


def check(data: Samples, inputs: Sequence[HasShape], what: str) -> list[np.ndarray]:
    """Check samples against a model's inputs.

    Args:
        data: the samples.
        inputs: the model's inputs; their first dimension, the batch, is ignored, and None fits any
            length.
        what: what the data is, for messages: "calibration data".

    Returns:
        one float32 array (samples, ...) per input, in the inputs' order, all of one length.

    Raises:
        UnspoolError: an array is missing, has the wrong shape, no samples, or values that are not
            finite numbers; or the model has no inputs.
    """
    arrays = [
        _check_array(array, tensor, what)
        for array, tensor in zip(_in_order(data, inputs, what), inputs, strict=True)
    ]
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise UnspoolError(
            f"{what}: the inputs have different numbers of samples: "
            + ", ".join(f"{t.name} {len(a)}" for t, a in zip(inputs, arrays, strict=True))
        )
    return arrays


def _in_order(data: Samples, inputs: Sequence[HasShape], what: str) -> list[np.ndarray]:
    names = [tensor.name for tensor in inputs]
    if not names:
        raise UnspoolError(f"{what}: the model has no inputs; expected one that takes samples")
    if isinstance(data, Mapping):
        if len(data) == len(names) == 1:  # a lone array has no need of the right name
            return [np.asarray(array) for array in data.values()]
        others = [getattr(tensor, "also", "") or tensor.name for tensor in inputs]
        if set(data) == set(others) and len({*others}) == len(names):
            names = others
        if set(data) != set(names):
            raise UnspoolError(
                f"{what}: has arrays named {', '.join(sorted(data)) or '(none)'}, "
                f"expected {', '.join(names)}"
            )
        return [np.asarray(data[name]) for name in names]
    arrays = [data] if isinstance(data, np.ndarray) else [np.asarray(array) for array in data]
    if len(arrays) != len(names):
        raise UnspoolError(
            f"{what}: has {len(arrays)} array{'s' * (len(arrays) != 1)}, but the model has "
            f"{len(names)} input{'s' * (len(names) != 1)}: {', '.join(names)}"
        )
    return arrays


def _check_array(array: np.ndarray, tensor: HasShape, what: str) -> np.ndarray:
    expected = tuple(tensor.shape)[1:]
    wanted = f"(samples, {', '.join('any' if n is None else str(n) for n in expected)})"
    fits = array.ndim == len(expected) + 1 and all(
        want in (None, got) for want, got in zip(expected, array.shape[1:], strict=True)
    )
    if not fits:
        raise UnspoolError(
            f"{what}: the array for input {tensor.name!r} has the shape {array.shape}, "
            f"expected {wanted}"
        )
    if len(array) == 0:
        raise UnspoolError(f"{what}: zero samples for input {tensor.name!r}, expected {wanted}")
    if array.dtype.kind not in "fiub":
        raise UnspoolError(
            f"{what}: the array for input {tensor.name!r} has the type {array.dtype}, "
            "expected numbers"
        )
    number = _NUMBERS.get(str(tensor.dtype), np.float32)
    if number is np.int32:
        _check_ids(array, tensor, what)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite then, and refused
        array = array.astype(number)
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise UnspoolError(
            f"{what}: {bad} of {array.size} values for input {tensor.name!r} are NaN or infinite; "
            "remove or repair those samples"
        )
    return array


def _check_ids(ids: np.ndarray, tensor: HasShape, what: str) -> None:
    """Check that an input of ids has whole numbers, each a row of its table."""
    rows = getattr(tensor, "rows", 0)
    wanted = (
        f"whole numbers from 0 to {rows - 1}, the rows of its table" if rows else "whole numbers"
    )
    fits = np.rint(ids) == ids  # NaN does not
    if rows:
        fits &= (ids >= 0) & (ids < rows)
    if not fits.all():
        raise UnspoolError(
            f"{what}: {int((~fits).sum())} of {ids.size} values for input {tensor.name!r}, such "
            f"as {float(ids[~fits][0]):g}; expected {wanted}"
        )


def check_labels(labels: np.ndarray, samples: int, classes: int, what: str) -> np.ndarray:
    """Check class labels: integers (samples,) from 0 to classes - 1.

    Raises:
        UnspoolError: the shape, the type or a value does not fit.
    """
    labels = np.asarray(labels)
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise UnspoolError(
            f"{what}: labels have the shape {labels.shape} and the type {labels.dtype}, "
            f"expected integers of the shape ({samples},)"
        )
    check_classes(labels, classes, f"{what}: labels")
    return labels.astype(np.int64)


def check_classes(labels: np.ndarray, classes: int, what: str) -> None:
    """Check that class labels of any shape run from 0 to classes - 1.

    Raises:
        UnspoolError: one does not.
    """
    if labels.min() < 0 or labels.max() >= classes:
        raise UnspoolError(
            f"{what} run from {labels.min()} to {labels.max()}, "
            f"but the model has {classes} classes, 0 to {classes - 1}"
        )


def first(data: Samples, count: int) -> Samples:
    """The first samples of each array, in the structure of the data."""
    if isinstance(data, np.ndarray):
        return data[:count]
    if isinstance(data, Mapping):
        return {name: array[:count] for name, array in data.items()}
    return [array[:count] for array in data]
