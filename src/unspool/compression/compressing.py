"""Trained model -> trained model with fewer units and weights, and more alike ones, fine-tuned.

The NPU reads weights through a decoder, and Vela encodes what is sparse or has few distinct values
in fewer bytes. A recurrent network is bound by reading its weights, so this is speed too.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unspool.compression.distillation import Teacher
from unspool.compression.fewer_units import check_units, with_fewer_units
from unspool.compression.fine_tuning import BestWeights, Epoch
from unspool.compression.fine_tuning_run import FineTuning, Run
from unspool.compression.kernels import KernelResult, KernelSetting, kernels, results
from unspool.compression.projection import Projection
from unspool.compression.trained_loss import check_compiled, copied
from unspool.compression.training_data import some, training_data
from unspool.compression.units.removal import UnitsResult
from unspool.support._tensorflow import keras
from unspool.support.progress import Watch, unwatched
from unspool.support.samples import Samples


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Attributes:
        model: an ordinary Keras model, compiled as the trained one was.
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

    Where the setting has `units`, those that matter least are taken out first: of each recurrent,
    dense and convolution layer that the setting is for, and of all that reads them. What is tied
    goes together: the layers whose outputs are added, the states of an encoder and its decoder.

    The model that is returned is of the best epoch: the one with the highest accuracy on validation
    data where the model was compiled with an accuracy, else with the lowest loss. The trained model
    is not changed. Ctrl-C ends the training early and keeps the best epoch so far.

    Args:
        model: a built Keras model, compiled with the loss and the metrics to fine-tune with.
        data: samples, one array (samples, ...) per input; or a tf.data.Dataset of batches
            (samples, labels) or (samples, labels, weights).
        labels: what the loss takes, (samples, ...); None with a dataset.
        setting: how far kernels are compressed.
        layers: layer name, or path of a kernel -> its own setting; `units` go by the name
            of a layer, or of a cell or direction in it.
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
    seed, batch_size = fine_tuning.seed, fine_tuning.batch_size
    source = training_data(model, data, labels, validation, batch_size, seed)
    student, units = with_fewer_units(model, setting, layers, some(source), seed)
    best = BestWeights(copied(student))
    run = Run(
        model=student,
        projections=[Projection(kernel) for kernel in kernels(student, setting, layers)],
        teacher=Teacher(model, fine_tuning.distillation),
        source=source,
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
        units=units,
        epochs=tuple(best.epochs),
        best=best.kept,
        interrupted=interrupted,
        seconds=time.perf_counter() - start,
    )


def check_settings(model: Any, setting: KernelSetting, layers: Mapping[str, KernelSetting]) -> None:
    """Check, without any work, that a model can be compressed so.

    Raises:
        UnspoolError: it has no kernels, no layers of these names, or other units.
    """
    kernels(model, setting, layers)
    check_units(model, setting, layers)
