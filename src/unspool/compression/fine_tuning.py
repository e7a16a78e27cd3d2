"""Train a model further, through the projections of its kernels."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unspool.compression.fitting import fitting
from unspool.compression.projection import Projection
from unspool.compression.students import Student
from unspool.compression.training_data import TrainingData
from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras
from unspool.support.progress import Watch

RAMP = 0.5
"""Share of the training in which the sparsity grows; after it, masks stay and values train."""
_MASK_UPDATES = 100
_WARM_UP = 0.05


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Attributes:
        number: from 1 on.
        metrics: name -> value, as Keras calls them; those of validation begin with `val_`.
        complete: whether the kernels were as sparse and clustered at its end as they are to be.
    """

    number: int
    metrics: Mapping[str, float]
    complete: bool


def sparsity(share: float, goal: float) -> float:
    """Sparsity after a share of the ramp: the cubic schedule of Zhu & Gupta 2017, begun at 0."""
    return goal * (1 - (1 - min(share, 1.0)) ** 3)


class PruningSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Prunes further from batch to batch, then clusters."""

    def __init__(self, projections: Sequence[Projection], batches: int) -> None:
        super().__init__()
        self._projections = projections
        self._ramp = max(1, round(RAMP * batches))
        self._every = max(1, self._ramp // _MASK_UPDATES)
        self._begun = 0

    @property
    def is_complete(self) -> bool:
        """Whether the kernels are as sparse and clustered as they are to be."""
        return self._begun > self._ramp

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Move the masks, until the ramp's end."""
        now, self._begun = self._begun, self._begun + 1
        if (now < self._ramp and now % self._every == 0) or now == self._ramp:
            for projection in self._projections:
                goal = projection.kernel.setting.sparsity
                projection.prune(sparsity(now / self._ramp, goal))
                if now == self._ramp:
                    projection.cluster()


class ProgressCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each batch, and stops where the loss is not a number."""

    def __init__(self, watch: Watch, stage: str, batches: int) -> None:
        super().__init__()
        self._watch, self._stage, self._batches = watch, stage, batches
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report how many batches are done."""
        self._done += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise UnspoolError(
                f"the loss became {loss} in batch {self._done} of fine-tuning: expected finite "
                "samples and labels that fit the loss, or a smaller learning rate"
            )
        self._watch(f"{self._stage}: loss {loss:.4f}", self._done, self._batches)


class BestWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Records the metrics of each epoch, and keeps the weights of the best in another model.

    Attributes:
        best: the other model.
        epochs: so far.
        kept: number of the epoch that is kept; 0 for none.
    """

    def __init__(self, best: Any) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []
        self.kept = 0
        self.best = best
        self._highest = -math.inf
        self._is_complete: Callable[[], bool] = lambda: True

    def watches(self, is_complete: Callable[[], bool], highest: float = -math.inf) -> None:
        """Begin a stage: what must hold for an epoch to be kept, and the score to reach."""
        self._is_complete, self._highest = is_complete, highest

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the weights if none were better."""
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(score(metrics)):
            raise UnspoolError(
                f"the loss on validation data became {metrics.get('val_loss')}: expected finite "
                "samples and labels that fit the loss"
            )
        record = Epoch(len(self.epochs) + 1, metrics, self._is_complete())
        self.epochs.append(record)
        if record.complete and score(metrics) >= self._highest:
            self._highest = score(metrics)
            self.best.set_weights(self.model.projected_weights())
            self.kept = record.number


def score(metrics: Mapping[str, float]) -> float:
    """The score of an epoch, higher is better: the mean of the accuracies, or the negated loss.

    It is that on validation data, where there are some.
    """
    start = "val_" if "val_loss" in metrics else ""
    accuracies = [
        value
        for name, value in metrics.items()
        if name.startswith(start) and re.search(r"acc(uracy)?(_\d+)?$", name)
    ]
    return sum(accuracies) / len(accuracies) if accuracies else -metrics[f"{start}loss"]


def fit(student: Student, source: TrainingData, epochs: int, callbacks: list[Any]) -> None:
    """Train.

    Raises:
        UnspoolError: the data does not fit the model or its loss.
    """
    with fitting(student):
        student.fit(
            **source.fit,
            epochs=epochs,
            validation_data=source.validation,
            verbose=0,
            callbacks=callbacks,
        )


def measured(student: Student, source: TrainingData) -> dict[str, float]:
    """Metrics before any training, under the names that `fit` gives them."""
    if source.validation is None:
        return {"loss": math.inf}
    validation = source.validation
    arguments = validation if isinstance(validation, tuple) else (validation,)
    with fitting(student):
        metrics = student.evaluate(*arguments, verbose=0, return_dict=True)
    return {f"val_{name}": float(value) for name, value in metrics.items()}


def optimizer(peak: float, batches: int) -> Any:
    """Adam with clipped gradients, its rate warmed up to a peak and decayed along a cosine to 0."""
    warm_up = max(1, round(_WARM_UP * batches))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, batches - warm_up), warmup_target=peak, warmup_steps=warm_up
    )
    return keras.optimizers.Adam(rate, clipnorm=1.0)
