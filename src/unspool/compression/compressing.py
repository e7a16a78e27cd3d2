"""Trained model -> trained model with fewer units and weights, and more alike ones, fine-tuned.

The NPU reads weights through a decoder, and Vela encodes what is sparse or has few distinct values
in fewer bytes. A recurrent network is bound by reading its weights, so this is speed too.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from unspool import stages
from unspool.compression import fewer_units
from unspool.compression.distillation import Teacher
from unspool.compression.fewer_units import check_units, with_fewer_units
from unspool.compression.fine_tuning import BestWeights, Epoch
from unspool.compression.fine_tuning_run import FineTuning, Run
from unspool.compression.fitting import check_fits_loss, fitting
from unspool.compression.kernels import KernelResult, KernelSetting, kernels, results
from unspool.compression.projection import Projection
from unspool.compression.states import States, check_states
from unspool.compression.trained_loss import (
    check_compiled,
    check_layers,
    copied,
    losses,
    ready_to_train,
    trainable,
)
from unspool.compression.training_data import TrainingData, has_labels, some, training_data
from unspool.compression.units.removal import UnitsResult
from unspool.errors import UnspoolError
from unspool.frontend.graph import takes_ids
from unspool.stages import Way
from unspool.support._tensorflow import keras
from unspool.support.eager_kernels import kernels_freed
from unspool.support.progress import Watch, unwatched
from unspool.support.samples import Samples


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Attributes:
        model: an ordinary Keras model, compiled as the trained one was, its optimizer as at the
            beginning of a training.
        kernels: what each compressed kernel holds.
        units: of each layer that lost some, how many are left.
        epochs: the metrics of each epoch.
        best: number of the epoch that the model's weights are from.
        interrupted: whether Ctrl-C ended the fine-tuning.
        seconds: how long the fine-tuning took.
    """

    model: Any
    kernels: tuple[KernelResult, ...]
    units: tuple[UnitsResult, ...]
    epochs: tuple[Epoch, ...]
    best: int
    interrupted: bool
    seconds: float


_NO_LAYERS: Mapping[str, KernelSetting] = {}
_SETTING, _FINE_TUNING = KernelSetting(), FineTuning()


@kernels_freed()
def compress(
    model: Any,
    data: Any,
    labels: Any = None,
    *,
    setting: KernelSetting = _SETTING,
    layers: Mapping[str, KernelSetting] = _NO_LAYERS,
    validation: Any = None,
    calibration: Samples | None = None,
    way: Way | None = None,
    fine_tuning: FineTuning = _FINE_TUNING,
    unit_scores: np.ndarray | None = None,
    watch: Watch | None = None,
) -> Compressed:
    """Fine-tune a trained model so that its kernels become sparse and have few distinct values.

    Where the setting has `units`, those that matter least are taken out first: of each recurrent,
    dense and convolution layer that the setting is for, and of all that reads them. What is tied
    goes together: the layers whose outputs are added, the states of an encoder and its decoder.

    The model that is returned is of the best epoch: the one with the highest accuracy on validation
    data where the model was compiled with an accuracy, else with the lowest loss. The trained model
    is not changed. Ctrl-C ends the training early and keeps the best epoch so far.

    Without labels the model learns to compute what the trained model does: the distance of its
    outputs from the trained model's is the whole loss, in training and on validation data.

    Args:
        model: a built Keras model; for labels compiled, with the loss and the metrics to fine-tune
            with.
        data: samples, one array (samples, ...) per input; or a tf.data.Dataset of batches
            (samples, labels) or (samples, labels, weights), or of samples alone.
        labels: what the loss takes, (samples, ...); None with a dataset, or without labels.
        setting: how far kernels are compressed.
        layers: layer name, or path of a kernel -> its own setting; `units` go by the name
            of a layer, or of a cell or direction in it.
        validation: (samples, labels), without labels samples; or a dataset. None: of arrays a
            twentieth, at most 5,000 samples, is held out; of a dataset nothing is.
        calibration: samples to choose int8 ranges with, as `calibrate` takes them. If they are
            given, further epochs follow in which every tensor is rounded as in the int8 file;
            deployed with the same samples, the model then computes what it was trained to. With a
            `setting` of no zeros and free values, these epochs are all that is done.
        way: with `calibration`: how the int8 file is made, as `unspool.stages.sequences` gives it;
            None: of sequences of the model's own length, by least squared error.
        fine_tuning: how to train.
        unit_scores: how much each unit matters, as `fewer_units.unit_scores` gives it; None finds
            it out where some are to go.
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
    model, seed = _checked(model, data, labels, fine_tuning), fine_tuning.seed
    kernels(model, setting, layers)  # a model without any is told before its samples are looked at
    keras.utils.set_random_seed(seed)
    source = training_data(model, data, labels, validation, fine_tuning.batch_size, seed)
    scored = partial(_scores, model, source, seed) if unit_scores is None else lambda: unit_scores
    smaller = with_fewer_units(model, setting, layers, scored)
    student, weight = smaller.model, fine_tuning.state_distillation
    best = BestWeights(copied(student))
    run = Run(
        model=student,
        projections=[Projection(kernel) for kernel in kernels(student, setting, layers)],
        teacher=Teacher(model, fine_tuning.distillation),
        states=States(model, student, smaller.kept, weight) if weight else None,
        source=source,
        calibration=calibration,
        # What no NPU runs is trained for, too: that it is accepted is asked where it is deployed.
        way=way or stages.sequences(allow_cpu=True),
        options=fine_tuning,
        best_weights=best,
        watch=watch or unwatched,
    )
    quantized = run.quantized()  # what cannot be done should be known before any training
    start = time.perf_counter()
    interrupted = run.train(quantized)
    seconds, epochs = time.perf_counter() - start, tuple(best.epochs)
    result = ready_to_train(best.best)
    return Compressed(
        result, results(result), smaller.units, epochs, best.kept, interrupted, seconds
    )


def _scores(model: Any, source: TrainingData, seed: int) -> np.ndarray:
    with fitting(model if source.labelled else None):
        first = some(source)
    return fewer_units.unit_scores(model, first, seed)


def _checked(model: Any, data: Any, labels: Any, fine_tuning: FineTuning) -> Any:
    """The model in the form that is trained, which has something to be trained on."""
    if has_labels(data, labels):
        check_compiled(model)
    else:
        check_layers(model)
        if not fine_tuning.distillation:
            raise UnspoolError(
                "distillation 0 without labels leaves nothing to learn: give labels, or a "
                "distillation above 0 for the trained model's outputs"
            )
    if fine_tuning.mixup:
        _check_mixable(model)
    if fine_tuning.state_distillation:
        check_states(model)
    return trainable(model)


def _check_mixable(model: Any) -> None:
    """Refuse mixtures of what cannot be mixed."""
    has_ids = any(takes_ids(model))
    if has_ids or any(isinstance(layer, keras.layers.Masking) for layer in model.layers):
        what = "takes ids, of which there are no mixtures" if has_ids else "masks padded steps"
        raise UnspoolError(f"mixup: model {model.name!r} {what}; train without it")


def check_settings(
    model: Any,
    data: Samples,
    labels: Any,
    setting: KernelSetting,
    layers: Mapping[str, KernelSetting],
    fine_tuning: FineTuning,
) -> None:
    """Check, with hardly any work, that `compress` can begin with what it is to be given.

    Raises:
        UnspoolError: the model has no kernels, no layers of these names, or other units; or the
            samples and labels do not fit it.
    """
    model = _checked(model, data, labels, fine_tuning)
    kernels(model, setting, layers)
    check_units(model, setting, layers)
    source = training_data(model, data, labels, None, fine_tuning.batch_size, fine_tuning.seed)
    if source.labelled:
        student = copied(model)
        student.compile(**losses(model))
        check_fits_loss(student, source)
