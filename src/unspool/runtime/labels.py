"""What outputs should have been: labels, checked before any work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.support import samples
from unspool.support.samples import Samples, check_classes
from unspool.tflite.heads import Head


def fitted(
    head: Head,
    labels: Any,
    shape: tuple[int | None, ...],
    what: str,
    valid: np.ndarray | None = None,
) -> "Targets":
    """Labels of an output, checked before any work, and how the output is read with them.

    Integers are classes where the output has several columns; where it has one column, 0 and 1 mean
    no and yes. One-hot rows are classes too. Anything else is what the output should have been.

    Args:
        head: how the output is read, as far as the model says it.
        labels: (samples, ...).
        shape: of the output, (samples, ..., width); None where a length is not known yet.
        what: the data, for messages.
        valid: (samples, time), False where a step is padded; None where none is. Labels of padded
            steps may be anything.

    Raises:
        UnspoolError: the labels do not fit the output.
    """
    array = np.asarray(labels)
    if valid is not None and array.ndim > 1 and array.shape[:2] == valid.shape:
        filled = _filled(array, valid, what)
        return replace(fitted(head, filled, shape, what), valid=valid)
    if array.dtype.kind not in "fiub":
        raise UnspoolError(f"{what}: labels have the type {array.dtype}, expected numbers")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise UnspoolError(f"{what}: {bad} of {array.size} labels are NaN or infinite")
    whole = _fits(array.shape, shape)
    short = _fits(array.shape, shape[:-1])
    width = shape[-1]
    if width == 1 and short and not whole:
        array, whole = array[..., None], True
    if width != 1 and short and array.dtype.kind in "iu":
        return _classes(head, array, int(width or 0), what)
    if not whole:
        wanted = "classes, integers of the shape " if width != 1 else "numbers of the shape "
        raise UnspoolError(
            f"{what}: labels have the shape {np.shape(labels)} and the type {array.dtype}; "
            f"expected {wanted}{_text(shape[:-1])}, or values of the shape {_text(shape)}"
        )
    return _values(head, array, what)


@dataclass(frozen=True)
class Targets:
    """What an output should have been.

    Attributes:
        head: how the output is read.
        wanted: classes (samples, ...), yes or no (samples, ..., n), or values (samples, ..., n).
        classes: how many there are; 2 for yes and no, 0 for values.
        valid: (samples, time), False where a step is padded and does not count; None where all do.
    """

    head: Head
    wanted: np.ndarray
    classes: int
    valid: np.ndarray | None = None

    def so_far(self, values: np.ndarray) -> "Targets":
        """Those of an output (samples, time, ...) of fewer time steps."""
        if values.ndim < 3:
            return self
        return replace(self, wanted=so_far(self.wanted, values.shape[1]))


def so_far(labels: np.ndarray, steps: int) -> np.ndarray:
    """Labels (samples, time, ...) of the first steps, which a late stream has given."""
    return labels[:, :steps] if labels.ndim > 1 else labels


def by_output(labels: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Labels of the only output, or output name -> labels, as output name -> labels."""
    if not isinstance(labels, Mapping):
        if len(names) > 1:
            raise UnspoolError(
                f"test data: the model has the outputs {', '.join(names)}; give labels by name, "
                "as .npz or as a dictionary, for one or more of them"
            )
        return {names[0]: labels}
    unknown = [name for name in labels if name not in names]
    if unknown or not labels:
        raise UnspoolError(
            f"test data: labels for {', '.join(unknown) or 'no output'}, "
            f"but the model has {', '.join(names)}"
        )
    return labels


def check_test(
    model: Any,
    test: tuple[Samples, Any],
    time_steps: int | None = None,
    what: str = "test data",
) -> tuple[list[np.ndarray], dict[int, Targets]]:
    """Check test data before any work.

    Args:
        model: the trained Keras model.
        test: samples, and labels: of the only output, or output name -> labels.
        time_steps: of its inputs, or of a call of a stream.
        what: the data, for messages.

    Returns:
        one array (samples, ...) per input; number of an output -> its targets.

    Raises:
        UnspoolError: they do not fit the model.
    """
    from unspool.frontend import structure  # TensorFlow, which a .tflite file does not need
    from unspool.frontend.heads import heads
    from unspool.frontend.output_masks import output_masks

    data, labels = test
    arrays = samples.check(data, structure.inputs(model), what)
    names, output_heads = structure.output_names(model), heads(model)
    labels = by_output(labels, names)
    shapes = structure.output_shapes(model, time_steps)
    valid = output_masks(model, arrays)
    targets = {}
    for number, name in enumerate(names):
        if name in labels:
            which = what if len(names) == 1 else f"{what}, output {name!r}"
            shape = (len(arrays[0]), *shapes[number][1:])
            head = output_heads[number]
            targets[number] = fitted(head, labels[name], shape, which, valid[number])
    return arrays, targets


def _filled(labels: np.ndarray, valid: np.ndarray, what: str) -> np.ndarray:
    """Labels (samples, time, ...) with one that counts in each padded step."""
    if not valid.any():
        raise UnspoolError(
            f"{what}: all {valid.size} time steps are padded, so that no label counts; expected "
            "steps that are not"
        )
    labels = labels.copy()
    labels[~valid] = labels[valid][0]
    return labels


def _classes(head: Head, labels: np.ndarray, count: int, what: str) -> Targets:
    check_classes(labels, count, f"{what}: labels")
    if head.kind != "classes":
        head = Head("classes", why="labels are classes")
    return Targets(head, labels.astype(np.int64), count)


def _values(head: Head, labels: np.ndarray, what: str) -> Targets:
    """Labels of the output's own shape: one-hot rows, yes and no, or values."""
    distinct = set(np.unique(labels))
    answers = distinct <= {0, 1} or distinct <= {-1, 1}
    whole = labels.dtype.kind != "f"
    if head.kind == "classes" and distinct <= {0, 1} and (labels.sum(axis=-1) == 1).all():
        return Targets(head, labels.argmax(axis=-1), labels.shape[-1])
    if answers and (head.kind == "binary" or (head.kind == "values" and whole)):
        why = head.why or "labels are yes or no, the model has no loss: taken for logits"
        return Targets(Head("binary", head.threshold, why), (labels > 0).astype(np.int64), 2)
    if head.kind == "binary" and whole:
        listed = ", ".join(f"{value:g}" for value in sorted(distinct)[:5])
        raise UnspoolError(f"{what}: labels are {listed}, but the model says yes or no: 0 and 1")
    return Targets(replace(head, kind="values"), labels.astype(np.float64), 0)


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        want in (None, got) for got, want in zip(shape, expected, strict=True)
    )


def _text(shape: tuple[int | None, ...]) -> str:
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
