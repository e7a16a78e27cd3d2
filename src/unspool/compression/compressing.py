"""Trained model -> trained model with fewer, more alike weights: pruned, clustered, fine-tuned.

The NPU reads weights through a decoder, and Vela encodes what is sparse or has few distinct values
in fewer bytes. A recurrent network is bound by reading its weights, so this is speed too.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unspool.compression.distillation import Teacher
from unspool.compression.fake_quantization import FakeQuantized
from unspool.compression.fine_tuning import (
    BestWeights,
    Epoch,
    ProgressCallback,
    PruningSchedule,
    Student,
    fit,
    measured,
    optimizer,
    score,
)
from unspool.compression.kernels import KernelResult, KernelSetting, kernels, results
from unspool.compression.projection import Projection
from unspool.compression.trained_loss import check_compiled, copied, losses
from unspool.compression.training_data import TrainingData, check_fits_loss, training_data
from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras, tf
from unspool.support.progress import Watch, unwatched
from unspool.support.samples import Samples


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
            trains without it.
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
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 2:
            raise UnspoolError(f"epochs {self.epochs}: expected at least 2, half of them to prune")
        if self.quantized_epochs < 1:
            raise UnspoolError(f"epochs for int8 {self.quantized_epochs}: expected at least 1")
        if not self.distillation >= 0:
            raise UnspoolError(f"distillation {self.distillation}: expected a weight, 0 or more")
        if self.batch_size < 1 or not self.learning_rate > 0:
            raise UnspoolError(
                f"batch size {self.batch_size}, learning rate {self.learning_rate}: "
                "expected positive numbers"
            )


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Attributes:
        model: an ordinary Keras model, compiled as the trained one was.
        kernels: what each compressed kernel holds.
        epochs: the metrics of each epoch.
        best: number of the epoch that the model's weights are from.
        interrupted: whether Ctrl-C ended the fine-tuning.
        seconds: how long the fine-tuning took.
    """

    model: Any
    kernels: tuple[KernelResult, ...]
    epochs: tuple[Epoch, ...]
    best: int
    interrupted: bool
    seconds: float


_QUANTIZED_RATE = 10
_NO_LAYERS: Mapping[str, KernelSetting] = {}
_SETTING, _FINE_TUNING = KernelSetting(), FineTuning()


def compress(
    model: Any,
    data: Any,
    labels: Any = None,
    *,
    setting: KernelSetting = _SETTING,
    layers: Mapping[str, KernelSetting] = _NO_LAYERS,
    validation: Any = None,
    calibration: Samples | None = None,
    time_steps: int | None = None,
    fine_tuning: FineTuning = _FINE_TUNING,
    watch: Watch | None = None,
) -> Compressed:
    """Fine-tune a trained model so that its kernels become sparse and have few distinct values.

    The model that is returned is of the best epoch: the one with the highest accuracy on validation
    data where the model was compiled with an accuracy, else with the lowest loss. The trained model
    is not changed. Ctrl-C ends the training early and keeps the best epoch so far.

    Args:
        model: a built Keras model, compiled with the loss and the metrics to fine-tune with.
        data: samples, one array (samples, ...) per input; or a tf.data.Dataset of batches
            (samples, labels) or (samples, labels, weights).
        labels: what the loss takes, (samples, ...); None with a dataset.
        setting: how far kernels are compressed.
        layers: layer name, or path of a kernel -> its own setting.
        validation: (samples, labels), or a dataset. None: of arrays a twentieth, at most 5,000
            samples, is held out; of a dataset nothing is.
        calibration: samples to choose int8 ranges with, as `calibrate` takes them. If they are
            given, further epochs follow in which every tensor is rounded as in the int8 file;
            deployed with the same samples, the model then computes what it was trained to. With a
            `setting` of no zeros and free values, these epochs are all that is done.
        time_steps: with `calibration`: length of the sequence where the model leaves it open.
        fine_tuning: how to train.
        watch: is called with the progress.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.
        KeyboardInterrupt: Ctrl-C, before the first epoch after which the kernels were as sparse and
            clustered as they are to be.

    Example:
        >>> smaller = unspool.compress(  # of a model that was compiled with a loss
        ...     classifier,
        ...     data,
        ...     labels,
        ...     setting=unspool.KernelSetting(sparsity=0.5, clusters=16),
        ...     fine_tuning=unspool.FineTuning(epochs=2),
        ... )
        >>> [kernel.zeros / kernel.weights for kernel in smaller.kernels]
        [0.5, 0.5, 0.5]
    """
    check_compiled(model)
    keras.utils.set_random_seed(fine_tuning.seed)
    student, best = copied(model), BestWeights(copied(model))
    seed, batch_size = fine_tuning.seed, fine_tuning.batch_size
    run = _Run(
        model=student,
        projections=[Projection(kernel) for kernel in kernels(student, setting, layers)],
        teacher=Teacher(model, fine_tuning.distillation),
        source=training_data(model, data, labels, validation, batch_size, seed),
        calibration=calibration,
        time_steps=time_steps,
        options=fine_tuning,
        best_weights=best,
        watch=watch or unwatched,
    )
    quantized = run.quantized()  # what cannot be done should be known before any training
    start = time.perf_counter()
    interrupted = run.train(quantized)
    return Compressed(
        model=best.best,
        kernels=results(best.best),
        epochs=tuple(best.epochs),
        best=best.kept,
        interrupted=interrupted,
        seconds=time.perf_counter() - start,
    )


@dataclass(frozen=True)
class _Run:
    """One fine-tuning: what its two stages work on.

    Attributes:
        model: the copy of the trained model that is trained.
        projections: of its kernels.
        teacher: the trained model.
        source: what to train with.
        calibration: samples to choose int8 ranges with; None trains without the errors of int8.
        time_steps: to unroll for int8, where the model leaves them open.
        options: how to train.
        best_weights: keeps the best epoch.
        watch: is called with the progress.
    """

    model: Any
    projections: Sequence[Projection]
    teacher: Teacher
    source: TrainingData
    calibration: Samples | None
    time_steps: int | None
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
        quantized = FakeQuantized(self.model, self.calibration, self.time_steps)
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
        student = Student(self.model, self.projections, self.teacher)
        self._compile(student, self.options.learning_rate, batches)
        schedule = PruningSchedule(self.projections, batches)
        self.best_weights.watches(lambda: schedule.is_complete)
        progress = ProgressCallback(self.watch, "fine-tune", batches)
        callbacks = [schedule, progress, self.best_weights]
        fit(student, self.source, self.options.epochs, callbacks)

    def train_for_int8(self, quantized: FakeQuantized | None) -> None:
        """Train with the errors of int8; an epoch is kept only where it is better than before."""
        batches = self.options.quantized_epochs * self.source.batches
        student = Student(self.model, self.projections, self.teacher, quantized)
        self._compile(student, self.options.learning_rate / _QUANTIZED_RATE, batches)
        self.watch("fine-tune for int8", 0, batches)
        self.best_weights.watches(lambda: True, score(measured(student, self.source)))
        progress = ProgressCallback(self.watch, "fine-tune for int8", batches)
        fit(student, self.source, self.options.quantized_epochs, [progress, self.best_weights])

    def _compile(self, student: Student, learning_rate: float, batches: int) -> None:
        student.compile(optimizer(learning_rate, batches), **losses(self.model))
        check_fits_loss(student, self.source)
