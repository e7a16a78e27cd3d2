"""`unspool mnist`: the whole of Arm's guide on real data."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unspool.cli.claims import claimed
from unspool.cli.console import console, watching
from unspool.cli.grouping import grouped
from unspool.cli.mnist_options import RowOptions, Training, TrainingOptions
from unspool.cli.options import DEFAULT_OUT, MODEL, Out, QuantizationOptions, TargetOptions
from unspool.errors import UnspoolError
from unspool.support import files, samples
from unspool.support.progress import Watch

if TYPE_CHECKING:
    from unspool.deployed import Deployment
    from unspool.runtime.drift import Drift

DRIFT_STEPS = 10_000
QUICK_TRAINING_IMAGES, QUICK_TEST_IMAGES = 20_000, 1_000


@grouped
def mnist_command(
    *,
    training: TrainingOptions,
    calibration_samples: Annotated[
        int, typer.Option(min=1, max=60_000, help="Training images to calibrate with.")
    ] = samples.CALIBRATION_COUNT,
    rows: RowOptions,
    quantization: QuantizationOptions,
    out: Out = DEFAULT_OUT,
    target: TargetOptions,
    model: Annotated[
        Path | None,
        typer.Option(help="Use this trained .keras model; train none.", metavar="FILE"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small model and a slice of the data, in seconds.")
    ] = False,
) -> None:
    """Train a recurrent network on MNIST and take it to the NPU, every stage of Arm's guide."""
    chosen, stream, wanted = target.chosen(), rows.chosen(), training.chosen(quick)
    folder = claimed(out)
    console().print(f"target: {chosen}")

    from unspool.cli.results import Source, finish
    from unspool.guide.figures import guides_figures
    from unspool.report.making import Beside

    with watching() as watch:
        data = _data(quick)
        trained, seconds = _model(model, wanted, data, folder / MODEL, watch)
        calibration, options = data.images[:calibration_samples], quantization.options(chosen)
        settled, costs = stream.settled(trained, calibration, options, None, watch)
        deployment = settled.deploy(trained, calibration, data.test, options, watch)
        drifted = _drift(deployment, data.test[0], watch) if stream.states else None
    if model is not None:
        files.replace(folder / MODEL, trained.save)
    guides_own = model is None and not quick and not stream.states
    guide = guides_figures(wanted.cell, wanted.units, chosen) if guides_own else {}
    beside = Beside(guide, seconds, drifted, call_costs=costs)
    finish(deployment, folder, Source(), beside=beside)


@dataclass(frozen=True)
class Images:
    """Training images and their digits; test images with theirs."""

    images: np.ndarray
    labels: np.ndarray
    test: tuple[np.ndarray, np.ndarray]


def _data(quick: bool) -> Images:
    from unspool.guide import mnist

    data = mnist.load()
    train, test = (QUICK_TRAINING_IMAGES, QUICK_TEST_IMAGES) if quick else (None, None)
    return Images(
        mnist.normalised(data.train_images[:train]),
        data.train_labels[:train],
        (mnist.normalised(data.test_images[:test]), data.test_labels[:test]),
    )


def _model(
    file: Path | None, training: Training, data: Images, path: Path, watch: Watch
) -> tuple[Any, dict[str, float]]:
    """The model of a file; or a trained one, and the seconds that this took.

    A trained one is written to a path at once, as training takes longest.
    """
    from unspool.report import listing

    if file is not None:
        return _loaded(file), {}
    start = time.perf_counter()
    trained = _train(training, data, watch)
    seconds = {"train": time.perf_counter() - start}
    listing.begin_anew(path.parent)
    files.replace(path, trained.save)
    return trained, seconds


def _loaded(path: Path) -> Any:
    from unspool.frontend.keras_file import load

    trained = load(path)
    _check_is_mnist(trained, path)
    return trained


def _drift(deployment: "Deployment", images: np.ndarray, watch: Watch) -> "Drift":
    """How far int8 strays from float over the images' rows, as one stream."""
    from unspool.runtime.drift import drift

    watch("drift over a long stream", 0, 1)
    rows = images.reshape(-1, 28)[:DRIFT_STEPS]
    drifted = drift(deployment.float_tflite, deployment.quantized_tflite, rows)
    watch("drift over a long stream", 1, 1)
    return drifted


def _train(training: Training, data: Images, watch: Watch) -> Any:
    from unspool.guide.model import batches_per_epoch, build, train
    from unspool.support._tensorflow import keras

    keras.utils.set_random_seed(training.seed)
    model = build(training.cell, training.units)
    batches = training.epochs * batches_per_epoch(len(data.images))

    def show(done: int, accuracy: float) -> None:
        watch(f"train: {accuracy:.2f} % of the epoch so far", done, batches)

    train(
        model,
        data.images,
        data.labels,
        cell=training.cell,
        epochs=training.epochs,
        on_batch=show,
    )
    return model


def _check_is_mnist(model: Any, path: Path) -> None:
    shapes = [tuple(tensor.shape[1:]) for tensor in [*model.inputs, *model.outputs]]
    if shapes not in ([(28, 28), (10,)], [(None, 28), (10,)]):
        raise UnspoolError(
            f"{path}: not a model for MNIST: its inputs and outputs have the shapes {shapes}, "
            "expected (28, 28) and (10,); for your own model use unspool deploy"
        )
