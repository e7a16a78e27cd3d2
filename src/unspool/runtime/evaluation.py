"""How good a model is on test data, whatever runs it: accuracy of classes, error of values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime import session as runtimes
from unspool.runtime.labels import Targets, by_output, fitted
from unspool.runtime.session import Session
from unspool.support import samples
from unspool.support.progress import Progress
from unspool.support.samples import Samples
from unspool.tflite.heads import VALUES, Head


@dataclass(frozen=True)
class Accuracy:
    """How often an output named the right class, or was right in saying yes or no.

    Attributes:
        runtime: what ran the model: "keras", "litert", "tflm" or "npu", the simulator.
        confusion: counts (classes, classes); row: the right class, column: the model's.
        output: the output's name; empty where the model has one output.
        how: what tells the classes apart: "softmax", "binary_crossentropy of logits", ...
    """

    runtime: str
    confusion: tuple[tuple[int, ...], ...]
    output: str = ""
    how: str = ""

    @property
    def samples(self) -> int:
        """How many answers were counted: one per sample, time step or column."""
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        """How many were right."""
        return sum(row[k] for k, row in enumerate(self.confusion))

    @property
    def percent(self) -> float:
        """Percent of the answers that were right."""
        return 100 * self.correct / self.samples

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """Percent right of each class's samples (recall); None for a class without samples."""
        return tuple(
            100 * row[k] / sum(row) if sum(row) else None for k, row in enumerate(self.confusion)
        )


@dataclass(frozen=True)
class Regression:
    """How far the values of an output are from what they should have been.

    Attributes:
        runtime: what ran the model: "keras", "litert", "tflm" or "npu", the simulator.
        samples: how many samples were run.
        rmse: root of the mean squared error, in the output's unit.
        mae: mean absolute error, in the output's unit.
        r2: share of the targets' variance that the model explains, 1 at best (the mean over
            columns); None where the targets do not vary.
        columns: (rmse, mae) of each column of the output.
        output: the output's name; empty where the model has one output.
    """

    runtime: str
    samples: int
    rmse: float
    mae: float
    r2: float | None
    columns: tuple[tuple[float, float], ...]
    output: str = ""


Score: TypeAlias = Accuracy | Regression


def evaluate(
    model: Any,
    data: Samples,
    labels: np.ndarray,
    runtime: str = "litert",
    progress: Progress | None = None,
    *,
    output: str | None = None,
) -> Score:
    """Run a model on test samples and compare an output with what it should have been.

    The labels decide how the two are compared. Integers and one-hot rows are classes: the model's
    class is the argmax of the output, or, for an output of one column, whether it exceeds the
    threshold that belongs to the model's loss and activation. Numbers of the output's own shape are
    values.

    Args:
        model: a Keras model, or a .tflite file as bytes.
        data: the samples, one array (samples, ...) per input.
        labels: classes (samples,), or (samples, time) for an output in time; or values.
        runtime: what runs a .tflite file, as `Session` takes it. A Keras model runs in Keras.
        progress: called with the number of samples finished since the last call.
        output: name of the output; needed where the model has several.

    Returns:
        an `Accuracy` for classes, a `Regression` for values.

    Raises:
        UnspoolError: data or labels do not fit the model, or it has several outputs and none is
            named.

    Example:
        >>> accuracy = unspool.evaluate(int8_tflite, data, labels, "tflm")
        >>> accuracy.samples, 0 <= accuracy.percent <= 100
        (40, True)
    """
    names, heads = _outputs(model, runtime)
    number = _position(output, names)
    values = predict(model, data, runtime, progress)[number]
    targets = fitted(heads[number], labels, values.shape, "test data")
    return score(values, targets, runtime if isinstance(model, bytes) else "keras")


def _outputs(model: Any, runtime: str) -> tuple[tuple[str, ...], tuple[Head, ...]]:
    """Names of the outputs of a Keras model or a .tflite file, and how they are read."""
    if isinstance(model, bytes):
        session = Session(model, runtime)
        return session.output_names, _heads(session)
    # TensorFlow, which a .tflite file does not need.
    from unspool.frontend.heads import heads
    from unspool.frontend.structure import output_names

    return output_names(model), heads(model)


def _heads(session: Session) -> tuple[Head, ...]:
    """How the outputs of a .tflite file are read: as values, where the file does not say."""
    return session.heads or (VALUES,) * len(session.outputs)


def _position(output: str | None, names: Sequence[str]) -> int:
    if output is None and len(names) != 1:
        raise UnspoolError(
            f"the model has the outputs {', '.join(names)}: say which one the labels are for"
        )
    if output is not None and output not in names:
        raise UnspoolError(f"output {output!r}: the model has {', '.join(names)}")
    return names.index(output) if output is not None else 0


def accuracy(model: Any, data: Samples, labels: np.ndarray, runtime: str = "litert") -> Accuracy:
    """`evaluate`, of a model with one output of classes.

    Raises:
        UnspoolError: as `evaluate`; or the labels are values and not classes.
    """
    result = evaluate(model, data, labels, runtime)
    if not isinstance(result, Accuracy):
        raise UnspoolError("test data: labels are values, expected classes, integers (samples,)")
    return result


def predict(
    model: Any, data: Samples, runtime_name: str = "litert", progress: Progress | None = None
) -> list[np.ndarray]:
    """Outputs of a Keras model or a .tflite file, one float32 array (samples, ...) each."""
    if isinstance(model, bytes):
        return runtimes.predict(model, data, runtime_name, progress)
    from unspool.frontend import structure  # TensorFlow, which a .tflite file does not need

    arrays = samples.check(data, structure.inputs(model), "samples")
    # Where the batch size is fixed (a deploy model has 1), Keras must keep to it.
    batch = model.inputs[0].shape[0] or 256
    outputs = structure.predict(model, arrays, batch)
    if progress:
        progress(len(arrays[0]))
    return outputs


def score(values: np.ndarray, targets: Targets, runtime_name: str, output: str = "") -> Score:
    """Compare an output, (samples, ...), with what it should have been.

    Raises:
        UnspoolError: there are not as many targets as values.
    """
    shape = values.shape if targets.head.kind != "classes" else values.shape[:-1]
    if targets.wanted.shape != shape:
        raise UnspoolError(
            f"test data: labels of the shape {targets.wanted.shape} for an output of the shape "
            f"{values.shape}"
        )
    if targets.head.kind == "values":
        return _regression(values, targets.wanted, runtime_name, output)
    right, predicted = targets.wanted.ravel(), targets.head.decide(values).ravel()
    confusion = np.zeros((targets.classes, targets.classes), np.int64)
    np.add.at(confusion, (right, predicted), 1)
    counts = tuple(tuple(int(n) for n in row) for row in confusion)
    return Accuracy(runtime_name, counts, output, targets.head.why)


def _regression(
    values: np.ndarray, wanted: np.ndarray, runtime_name: str, output: str
) -> Regression:
    rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
    right = wanted.reshape(rows.shape)
    errors = rows - right
    squared, variance = (errors**2).mean(axis=0), right.var(axis=0)
    varies = variance > 0
    explained = 1 - squared[varies] / variance[varies]
    return Regression(
        runtime=runtime_name,
        samples=len(values),
        rmse=float(np.sqrt(squared.mean())),
        mae=float(np.abs(errors).mean()),
        r2=float(explained.mean()) if varies.any() else None,
        columns=tuple(
            (float(np.sqrt(s)), float(m))
            for s, m in zip(squared, np.abs(errors).mean(axis=0), strict=True)
        ),
        output=output,
    )


def scored(session: Session, outputs: Sequence[np.ndarray], labels: Any) -> list[Score | None]:
    """Compare the outputs of a .tflite file with labels; None for outputs without labels.

    Args:
        session: the file.
        outputs: one array (samples, ...) per output.
        labels: of the only output, or output name -> labels.

    Raises:
        UnspoolError: the labels do not fit.
    """
    names = session.output_names
    labels_of = by_output(labels, names)
    scores: list[Score | None] = []
    for name, head, values in zip(names, _heads(session), outputs, strict=True):
        if name not in labels_of:
            scores.append(None)
            continue
        targets = fitted(head, labels_of[name], values.shape, f"output {name!r}")
        scores.append(score(values, targets, session.runtime, name if len(names) > 1 else ""))
    return scores
