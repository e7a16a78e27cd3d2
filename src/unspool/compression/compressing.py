"""Trained model -> trained model with fewer, more alike weights: pruned, clustered, fine-tuned.

The NPU reads weights through a decoder, and Vela encodes what is sparse or has few distinct values
in fewer bytes. A recurrent network is bound by reading its weights, so this is speed too.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unspool.compression.fake_quantization import FakeQuantized
from unspool.compression.fine_tuning import (
    BestWeights,
    Epoch,
    ProgressCallback,
    PruningSchedule,
    Student,
    Teacher,
    fit,
    measured,
    optimizer,
    score,
)
from unspool.compression.kernels import KernelResult, KernelSetting, kernels, results
from unspool.compression.projection import Projection
from unspool.compression.training_data import TrainingData, check_fits_loss, training_data
from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras, tf
from unspool.support.progress import Watch, unwatched
from unspool.support.samples import Samples
from unspool.unrolling.inspection import is_graph


@dataclass(frozen=True)
class FineTuning:
    """How a model is fine-tuned.

    In the first half of the epochs more and more weights become 0; in the second half they stay so,
    and the others share values.

    Attributes:
        epochs: passes over the training data.
        batch_size: samples of a batch, where data is given as arrays.
        quantized_epochs: passes with the errors of int8, where these are asked for, at a tenth of
            the learning rate.
        learning_rate: the peak of Adam's; it is warmed up, and decays along a cosine to 0.
        distillation: weight of a second loss beside the model's own, the distance of the outputs
            from the trained model's (Hinton et al. 2015): Kullback-Leibler of a softmax, mean
            squared of others. It keeps a sparse model from learning mistakes in the labels by
            heart. 0 trains without.
        seed: of the order of the samples, and of those that are held out.
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
        epochs: what each epoch gave.
        best: number of the epoch that the model's weights are from.
        interrupted: whether Ctrl-C ended the fine-tuning.
        seconds: that the fine-tuning took.
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
        calibration: samples to choose int8 ranges with, as `calibrate` takes them. Given, more
            epochs follow in which every tensor is rounded as in the int8 file; deployed with the
            same samples, the model then gives what it was trained to give. With a `setting` of no
            zeros and free values, this is all that is done.
        time_steps: with `calibration`: length of the sequence where the model leaves it open.
        fine_tuning: how to train.
        watch: told of progress.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.
        KeyboardInterrupt: Ctrl-C, before an epoch ended with the kernels as they are to be.
    """
    check_compiled(model)
    keras.utils.set_random_seed(fine_tuning.seed)
    student_model, best = _copy(model), _copy(model)
    projections = [Projection(kernel) for kernel in kernels(student_model, setting, layers)]
    seed, batch_size = fine_tuning.seed, fine_tuning.batch_size
    source = training_data(model, data, labels, validation, batch_size, seed)
    quantized = None
    if calibration is not None:  # what cannot be done should be known before any training
        quantized = FakeQuantized(student_model, calibration, time_steps)
        if not isinstance(data, tf.data.Dataset):
            quantized.check(keras.tree.flatten(source.fit["x"]))
    watch = watch or unwatched
    teacher = Teacher(model, fine_tuning.distillation)
    best_weights = BestWeights(best)
    start = time.perf_counter()
    interrupted = False
    try:
        if projections or calibration is None:
            _fine_tune(
                Student(student_model, projections, teacher),
                source,
                fine_tuning,
                best_weights,
                watch,
            )
        if calibration is not None:
            if best_weights.kept:  # other weights have other ranges
                student_model.set_weights(best.get_weights())
                quantized = FakeQuantized(student_model, calibration, time_steps)
            student = Student(student_model, projections, teacher, quantized)
            _fine_tune_quantized(student, source, fine_tuning, best_weights, watch)
    except KeyboardInterrupt:
        if not best_weights.kept:
            raise
        interrupted = True
    return Compressed(
        model=best,
        kernels=results(best),
        epochs=tuple(best_weights.epochs),
        best=best_weights.kept,
        interrupted=interrupted,
        seconds=time.perf_counter() - start,
    )


def _fine_tune(
    student: Student,
    source: TrainingData,
    options: FineTuning,
    best_weights: BestWeights,
    watch: Watch,
) -> None:
    """Prune, then cluster."""
    batches = options.epochs * source.batches
    student.compile(optimizer(options.learning_rate, batches), **losses(student.model))
    check_fits_loss(student, source)
    schedule = PruningSchedule(student.projections, batches)
    best_weights.watches(lambda: schedule.is_complete)
    fit(
        student,
        source,
        options.epochs,
        [schedule, ProgressCallback(watch, "fine-tune", batches), best_weights],
    )


def _fine_tune_quantized(
    student: Student,
    source: TrainingData,
    options: FineTuning,
    best_weights: BestWeights,
    watch: Watch,
) -> None:
    """Train with the errors of int8; keeps an epoch only where it mends some."""
    batches = options.quantized_epochs * source.batches
    rate = options.learning_rate / _QUANTIZED_RATE
    student.compile(optimizer(rate, batches), **losses(student.model))
    check_fits_loss(student, source)
    watch("fine-tune for int8", 0, batches)
    best_weights.watches(lambda: True, score(measured(student, source)))
    progress = ProgressCallback(watch, "fine-tune for int8", batches)
    fit(student, source, options.quantized_epochs, [progress, best_weights])


def check_compiled(model: Any) -> None:
    """Raises UnspoolError where a model has no loss, or is not made of layers in a graph."""
    if not is_graph(model):
        raise UnspoolError(
            f"model {model.name!r} is a {type(model).__name__}; expected a Sequential or "
            "Functional Keras model"
        )
    if not getattr(model, "compiled", False) or model.loss is None:
        raise UnspoolError(
            f"model {model.name!r} has no loss to fine-tune with: compile it, "
            "model.compile(loss=..., metrics=[...])"
        )


def known_loss(name: str) -> str:
    """The name of a loss of Keras's; UnspoolError where there is none."""
    try:
        keras.losses.get(name)
    except ValueError:
        raise UnspoolError(
            f"loss {name!r}: Keras has none of this name; expected one such as mse or "
            "sparse_categorical_crossentropy"
        ) from None
    return name


def _copy(model: Any) -> Any:
    """The same model with variables of its own, compiled with the same losses."""
    model.compiled = False  # or Keras would write the losses to JSON, and refuse a user's own
    try:
        copy = keras.models.clone_model(model)
    finally:
        model.compiled = True
    copy.set_weights(model.get_weights())
    copy.compile(**losses(model))
    return copy


def losses(model: Any) -> dict[str, Any]:
    """What a model was compiled with, as it was given, but for the optimizer."""
    given = model._compile_config.config  # Keras's public way gives a JSON form, for its own only
    return {name: given[name] for name in ("loss", "loss_weights", "metrics", "weighted_metrics")}
