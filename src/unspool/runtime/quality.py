"""What quantization costs, output by output and column by column; no labels are needed.

An error is a share of the range of the float output's column: a Dense layer that predicts three
quantities has three columns, and an error of one unit means something else in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unspool.tflite.heads import Head


@dataclass(frozen=True)
class OutputError:
    """Absolute difference of outputs from a reference, over all values of all samples.

    Attributes:
        samples: how many samples were compared.
        mean: of the absolute differences.
        p99: its 99th percentile.
        largest: its maximum.
    """

    samples: int
    mean: float
    p99: float
    largest: float


@dataclass(frozen=True)
class ColumnError:
    """The error of one column of an output: one quantity that the model predicts.

    Attributes:
        output: the output's name.
        column: its place in the output's last axis.
        minimum: the smallest value that the float model gave.
        maximum: the largest.
        mean: mean absolute error, percent of the range from minimum to maximum.
        largest: largest absolute error, percent of that range.
        snr: power of the float values around their mean over that of the error, dB; None where
            there is no error, or where the float values do not vary.
        values: how many distinct values the quantized output has.
        float_values: how many the float output has.
    """

    output: str
    column: int
    minimum: float
    maximum: float
    mean: float
    largest: float
    snr: float | None
    values: int
    float_values: int


@dataclass(frozen=True)
class Agreement:
    """How often the quantized and the float model name the same class, or both say yes or no.

    Attributes:
        output: the output's name.
        answers: how many were compared: one per sample, time step or column.
        equal: how many are the same.
        how: what tells the classes apart, such as "softmax".
    """

    output: str
    answers: int
    equal: int
    how: str

    @property
    def percent(self) -> float:
        """Percent of the answers that are the same."""
        return 100 * self.equal / self.answers


def difference(outputs: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> OutputError:
    """Error of outputs against a reference of the same shapes, each (samples, ...)."""
    gaps = np.concatenate([np.abs(a - b).ravel() for a, b in zip(outputs, reference, strict=True)])
    return OutputError(
        samples=len(outputs[0]),
        mean=float(gaps.mean()),
        p99=float(np.percentile(gaps, 99)),
        largest=float(gaps.max()),
    )


def columns(name: str, quantized: np.ndarray, exact: np.ndarray) -> tuple[ColumnError, ...]:
    """The error of each column of an output, (samples, ..., columns)."""
    a = quantized.reshape(-1, quantized.shape[-1]).astype(np.float64)
    b = exact.reshape(a.shape).astype(np.float64)
    return tuple(_column(name, number, a[:, number], b[:, number]) for number in range(a.shape[1]))


def _column(name: str, number: int, quantized: np.ndarray, exact: np.ndarray) -> ColumnError:
    errors = np.abs(quantized - exact)
    low, high = float(exact.min()), float(exact.max())
    # A column that does not vary has no range; its error counts beside its size.
    unit = (high - low) or abs(high) or 1.0
    signal, noise = float(exact.var()), float((errors**2).mean())
    return ColumnError(
        output=name,
        column=number,
        minimum=low,
        maximum=high,
        mean=100 * float(errors.mean()) / unit,
        largest=100 * float(errors.max()) / unit,
        snr=10 * float(np.log10(signal / noise)) if signal and noise else None,
        values=len(np.unique(quantized)),
        float_values=len(np.unique(exact)),
    )


def agreement(name: str, head: Head, quantized: np.ndarray, exact: np.ndarray) -> Agreement:
    """How often an output of classes, or of yes and no, gives the same answer."""
    same = head.decide(quantized) == head.decide(exact)
    return Agreement(name, same.size, int(same.sum()), head.why)


MOST_ERROR = 2.0
"""Percent of a column's range that its mean error may reach before it is reported."""

FEWEST_VALUES = 16
"""Distinct values that a quantized column should have, if the float one has as many."""

MOST_DIFFERENT = 2.0
"""Percent of the answers in which the quantized model may differ."""


@dataclass(frozen=True)
class Quality:
    """The errors of a quantized network.

    Attributes:
        columns: of each output that is values, or of all where all are classes.
        agreements: of each output that is classes, or yes and no.
    """

    columns: tuple[ColumnError, ...]
    agreements: tuple[Agreement, ...]

    @property
    def values(self) -> tuple[ColumnError, ...]:
        """The columns of outputs that are values."""
        classes = {agreement.output for agreement in self.agreements}
        return tuple(column for column in self.columns if column.output not in classes)

    @property
    def worst(self) -> ColumnError | None:
        """The column with the largest mean error: of values, or of classes where there are none."""
        return max(self.values or self.columns, key=lambda c: c.mean, default=None)

    @property
    def poor(self) -> tuple[ColumnError, ...]:
        """Columns of values with too large an error, or too few values, the worst first."""
        columns = [
            column
            for column in self.values
            if column.mean > MOST_ERROR or column.values < FEWEST_VALUES <= column.float_values
        ]
        return tuple(sorted(columns, key=lambda column: -column.mean))

    @property
    def unlike(self) -> tuple[Agreement, ...]:
        """Outputs of classes whose answers differ too often, the worst first."""
        agreements = [a for a in self.agreements if 100 - a.percent > MOST_DIFFERENT]
        return tuple(sorted(agreements, key=lambda agreement: agreement.percent))

    @property
    def is_poor(self) -> bool:
        """Whether any output is to be reported."""
        return bool(self.poor or self.unlike)


def judge(
    outputs: Sequence[np.ndarray],
    reference: Sequence[np.ndarray],
    names: Sequence[str],
    heads: Sequence[Head],
) -> Quality:
    """Compare the outputs of a quantized network with those in float, each (samples, ...)."""
    both = list(zip(names, heads, outputs, reference, strict=True))
    return Quality(
        tuple(column for name, _, a, b in both for column in columns(name, a, b)),
        tuple(agreement(n, head, a, b) for n, head, a, b in both if head.kind != "values"),
    )
