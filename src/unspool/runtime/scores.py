"""What an output is worth beside labels: accuracy of classes, error of values."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime.labels import Targets


@dataclass(frozen=True)
class Accuracy:
    """How often an output named the right class, or was right in saying yes or no.

    Attributes:
        runtime: what ran the model: "keras", "litert", "tflm" or "npu", the simulator.
        confusion: counts (classes, classes); row: the right class, column: the model's.
        output: the output's name; empty where the model has one output.
        how: what tells the classes apart: "softmax", "binary_crossentropy of logits", ...
        padded: how many time steps were left out, as they are padded.
        each: what there is an answer for: each "sample", "time step" or "column".
    """

    runtime: str
    confusion: tuple[tuple[int, ...], ...]
    output: str = ""
    how: str = ""
    padded: int = 0
    each: str = "sample"

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
        padded: how many time steps were left out, as they are padded.
    """

    runtime: str
    samples: int
    rmse: float
    mae: float
    r2: float | None
    columns: tuple[tuple[float, float], ...]
    output: str = ""
    padded: int = 0


Score: TypeAlias = Accuracy | Regression


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
    padded, wanted = 0, targets.wanted
    if targets.valid is not None:
        padded = int((~targets.valid).sum())
        values, wanted = values[targets.valid], wanted[targets.valid]
    if targets.head.kind == "values":
        regression = _regression(values, wanted, runtime_name, output)
        return replace(regression, samples=len(targets.wanted), padded=padded)
    right, predicted = wanted.ravel(), targets.head.decide(values).ravel()
    confusion = np.zeros((targets.classes, targets.classes), np.int64)
    np.add.at(confusion, (right, predicted), 1)
    counts = tuple(tuple(int(n) for n in row) for row in confusion)
    return Accuracy(runtime_name, counts, output, targets.head.why, padded, _each(targets))


def _each(targets: Targets) -> str:
    """What there is an answer for."""
    if targets.head.kind == "classes":
        return "sample" if targets.wanted.ndim == 1 else "time step"
    if targets.wanted.shape[-1] > 1:
        return "column"
    return "sample" if targets.wanted.ndim == 2 else "time step"


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
