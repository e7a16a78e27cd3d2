"""How a model is fine-tuned, and a run of that: prune and cluster, then train for int8."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unspool.compression.distillation import Teacher
from unspool.compression.fake_quantization import FakeQuantized
from unspool.compression.fine_tuning import (
    BestWeights,
    ProgressCallback,
    PruningSchedule,
    fit,
    measured,
    optimizer,
    score,
)
from unspool.compression.fitting import check_fits_loss
from unspool.compression.projection import Projection
from unspool.compression.states import States
from unspool.compression.students import (
    Imitator,
    Lesson,
    OnMixtures,
    Student,
    by_states,
    on_the_same,
)
from unspool.compression.trained_loss import losses
from unspool.compression.training_data import TrainingData
from unspool.compression.written_out import written_out
from unspool.errors import UnspoolError
from unspool.stages import Way
from unspool.support._tensorflow import keras, tf
from unspool.support.progress import Watch
from unspool.support.samples import Samples

_QUANTIZED_RATE = 10  # how many times slower the weights then change


@dataclass(frozen=True)
class FineTuning:
    """How a model is fine-tuned.

    In the first half of the epochs more and more weights become 0. In the second half these stay 0,
    and the other weights share values.

    Attributes:
        epochs: passes over the training data.
        batch_size: samples of a batch, where data is given as arrays.
        quantized_epochs: passes with the errors of int8, at a tenth of the learning rate; made only
            where `compress` is given calibration samples.
        learning_rate: the peak of Adam's; it is warmed up, and decays along a cosine to 0.
        distillation: weight of a second loss beside the model's own, the distance of the outputs
            from the trained model's (Hinton et al. 2015): Kullback-Leibler of a softmax, mean
            squared of others. It keeps a sparse model from memorising mistakes in the labels. 0
            trains without it. Without labels the distance is the whole loss, whatever its weight.
        mixup: whether the outputs are compared on mixtures of two samples in place of the samples:
            for long trainings of models with few units. It needs samples that can be mixed, numbers
            and no ids, and no padded steps.
        state_distillation: weight of the states of recurrent layers at each step, beside the
            outputs, in the distance from the trained model: of the units that stay, mean squared,
            as a share of their own mean square. For models that lose many units; an epoch takes
            about 1.6 times as long.
        seed: decides the order of the samples, and which are held out.

    Example:
        >>> unspool.FineTuning(epochs=4).batch_size
        64
    """

    epochs: int = 8
    quantized_epochs: int = 1
    batch_size: int = 64
    learning_rate: float = 1e-3
    distillation: float = 4.0
    mixup: bool = False
    state_distillation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 2:
            raise UnspoolError(f"epochs {self.epochs}: expected at least 2, half of them to prune")
        if self.quantized_epochs < 1:
            raise UnspoolError(f"epochs for int8 {self.quantized_epochs}: expected at least 1")
        if not self.distillation >= 0:
            raise UnspoolError(f"distillation {self.distillation}: expected a weight, 0 or more")
        if self.mixup and not self.distillation:
            raise UnspoolError("mixup with distillation 0: it is the trained model that it asks")
        self._check_states()
        if self.batch_size < 1 or not self.learning_rate > 0:
            raise UnspoolError(
                f"batch size {self.batch_size}, learning rate {self.learning_rate}: "
                "expected positive numbers"
            )

    def _check_states(self) -> None:
        if not 0 <= self.state_distillation < math.inf:
            raise UnspoolError(
                f"state distillation {self.state_distillation}: expected a weight, 0 or more"
            )
        if self.state_distillation and not self.distillation:
            raise UnspoolError(
                "state distillation with distillation 0: it is a share of that; give both, or none"
            )


@dataclass(frozen=True)
class Run:
    """One fine-tuning: what its two stages work on.

    Attributes:
        model: the copy of the trained model that is trained.
        projections: of its kernels.
        teacher: the trained model.
        states: of both models, to be compared too; None where only outputs are.
        source: what to train with.
        calibration: samples to choose int8 ranges with; None trains without the errors of int8.
        way: how the int8 file is unrolled and its ranges are chosen.
        options: how to train.
        best_weights: keeps the best epoch.
        watch: is called with the progress.
    """

    model: Any
    projections: Sequence[Projection]
    teacher: Teacher
    states: States | None
    source: TrainingData
    calibration: Samples | None
    way: Way
    options: FineTuning
    best_weights: BestWeights
    watch: Watch

    def quantized(self) -> FakeQuantized | None:
        """The roundings of int8, for the weights that the model has now; None to train without.

        Raises:
            UnspoolError: the model cannot be quantized, or not for samples of this length.
        """
        if self.calibration is None:
            return None
        quantized = FakeQuantized(self.model, self.calibration, self.way)
        samples = self.source.fit["x"]
        if not isinstance(samples, tf.data.Dataset):
            quantized.check(keras.tree.flatten(samples))
        return quantized

    def train(self, quantized: FakeQuantized | None) -> bool:
        """Go through the stages that were asked for; returns whether Ctrl-C ended them.

        Raises:
            KeyboardInterrupt: Ctrl-C, before there was an epoch to keep.
        """
        try:
            if self.projections or quantized is None:
                self.prune_and_cluster()
            if quantized is not None:
                if self.best_weights.kept:  # other weights have other ranges
                    self.model.set_weights(self.best_weights.best.get_weights())
                    quantized = self.quantized()
                self.train_for_int8(quantized)
        except KeyboardInterrupt:
            if not self.best_weights.kept:
                raise
            return True
        return False

    def prune_and_cluster(self) -> None:
        """Prune in the first half of the epochs, then cluster."""
        batches = self.options.epochs * self.source.batches
        student = self._student(self.options.learning_rate, batches, lesson=self._lesson())
        schedule = PruningSchedule(self.projections, batches)
        self.best_weights.watches(lambda: schedule.is_complete)
        progress = ProgressCallback(self.watch, "fine-tune", batches)
        callbacks = [schedule, progress, self.best_weights]
        called = self.states.of_student if self.states else self.model
        with written_out(self.model, batches), written_out(called, batches):
            fit(student, self.source, self.options.epochs, callbacks)

    def _lesson(self) -> Lesson | None:
        compared = by_states(self.states) if self.states else None
        if self.options.mixup:
            return OnMixtures(self.options.seed, compared)
        return on_the_same(compared) if compared else None

    def train_for_int8(self, quantized: FakeQuantized | None) -> None:
        """Train with the errors of int8; an epoch is kept only where it is better than before."""
        batches = self.options.quantized_epochs * self.source.batches
        student = self._student(self.options.learning_rate / _QUANTIZED_RATE, batches, quantized)
        self.watch("fine-tune for int8", 0, batches)
        self.best_weights.watches(lambda: True, score(measured(student, self.source)))
        progress = ProgressCallback(self.watch, "fine-tune for int8", batches)
        fit(student, self.source, self.options.quantized_epochs, [progress, self.best_weights])

    def _student(
        self,
        learning_rate: float,
        batches: int,
        forward: FakeQuantized | None = None,
        lesson: Lesson | None = None,
    ) -> Student:
        kind = Student if self.source.labelled else Imitator
        student = kind(self.model, self.projections, self.teacher, lesson)
        arguments = losses(self.model) if self.source.labelled else {}
        student.compile(optimizer(learning_rate, batches), **arguments)
        check_fits_loss(student, self.source)
        student.forward = forward
        return student
