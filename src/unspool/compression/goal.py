"""What a search is for: a metric, how much worse it may become, and what is to be small."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime import evaluation
from unspool.support._tensorflow import keras
from unspool.support.samples import Samples

ACCURACY = "accuracy"
MINIMISE = {"cycles": "cycles", "flash": "flash_kib", "sram": "sram_kib"}
"""What a search can make small -> the figure of a candidate."""


@dataclass(frozen=True)
class Goal:
    """What a search is for.

    Attributes:
        metric: "accuracy", the percentage of samples whose class is right; or Keras's name of a
            metric or loss that labels and outputs are given to, such as "mae".
        max_loss: how much worse a candidate may be than the trained model: points of accuracy;
            percent of the trained model's value of another metric.
        higher_is_better: of the metric.
        minimise: what of the candidates that hold this is to be smallest: "cycles", "flash" or
            "sram".

    Raises:
        UnspoolError: one of them is something else.

    Example:
        >>> error = unspool.Goal("mae", max_loss=2.0, higher_is_better=False)
        >>> round(error.lost(0.100, 0.103), 6), error.holds(0.100, 0.103)
        (3.0, False)
    """

    metric: str = ACCURACY
    max_loss: float = 0.2
    higher_is_better: bool = True
    minimise: str = "cycles"

    def __post_init__(self) -> None:
        if self.minimise not in MINIMISE:
            raise UnspoolError(
                f"minimise {self.minimise!r}: expected {', '.join([*MINIMISE][:-1])} or "
                f"{[*MINIMISE][-1]}"
            )
        if not 0 <= self.max_loss <= 100:
            what = "points" if self.is_accuracy else "percent"
            raise UnspoolError(
                f"{self.metric}, at most {self.max_loss:g} worse: expected {what} from 0 to 100"
            )
        if not self.is_accuracy:
            _metric(self.metric)

    @property
    def is_accuracy(self) -> bool:
        """Whether classes are counted."""
        return self.metric == ACCURACY

    @property
    def unit(self) -> str:
        """Of what is lost."""
        return "points" if self.is_accuracy else "%"

    def lost(self, trained: float, value: float) -> float:
        """How much worse a value is than the trained model's; below 0 where it is better."""
        worse = trained - value if self.higher_is_better else value - trained
        if self.is_accuracy or worse == 0:
            return worse
        return 100 * worse / abs(trained) if trained else math.copysign(math.inf, worse)

    def holds(self, trained: float, value: float) -> bool:
        """Whether it is not worse than it may be."""
        return self.lost(trained, value) <= self.max_loss + 1e-9  # 98.9 - 98.7 > 0.2

    def measured(
        self, model: Any, data: Samples, labels: np.ndarray, output: str | None = None
    ) -> float:
        """The metric of a Keras model or, as bytes, of a .tflite file in LiteRT.

        Args:
            model: the model.
            data: samples, one array (samples, ...) per input.
            labels: (samples, ...), classes or what the metric takes.
            output: name of the output that is measured; needed where the model has several.

        Raises:
            UnspoolError: they do not fit the model or the metric.
        """
        if self.is_accuracy:
            return evaluation.accuracy(model, data, labels, output=output).percent
        value = _value(self.metric, labels, evaluation.output_of(model, data, output))
        if not math.isfinite(value):
            raise UnspoolError(f"{self.metric} of the labels and the model's outputs is {value}")
        return value


def _metric(name: str) -> Any:
    """Keras's metric or loss of a name: an object that collects, or a function."""
    for family in (keras.metrics, keras.losses):
        try:
            metric = family.get(name)
        except (ValueError, TypeError):
            continue
        if metric is not None:
            return metric
    raise UnspoolError(
        f"metric {name!r}: Keras has none of this name; expected accuracy, or one such as mae or "
        "root_mean_squared_error"
    )


def _value(name: str, labels: np.ndarray, outputs: np.ndarray) -> float:
    metric = _metric(name)
    try:
        if isinstance(metric, keras.metrics.Metric):
            metric.update_state(labels, outputs)
            return float(metric.result())
        return float(np.mean(np.asarray(metric(labels, outputs))))
    except (ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise UnspoolError(
            f"{name}: labels {labels.shape} and outputs {outputs.shape} do not fit it: {reason}"
        ) from error
