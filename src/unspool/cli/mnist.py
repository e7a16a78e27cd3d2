"""`unspool mnist`: the whole of Arm's guide on real data."""

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unspool.cli.console import console, watching
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    DEFAULT_OUT,
    DEFAULT_ROUNDS,
    Accelerator,
    Activations,
    ActivationType,
    CalibrationMethod,
    CalibrationRounds,
    MemoryMode,
    Method,
    Out,
    States,
    SystemConfig,
    TimeSteps,
    VelaConfig,
    chosen_options,
    chosen_target,
)
from unspool.errors import UnspoolError
from unspool.support import files, samples
from unspool.support.progress import Watch

if TYPE_CHECKING:
    from unspool.deployment import Deployment, Options
    from unspool.runtime.drift import Drift

FULL_UNITS, FULL_EPOCHS = 256, 1
QUICK_UNITS, QUICK_EPOCHS = 64, 2
DRIFT_STEPS = 10_000
QUICK_TRAINING_IMAGES, QUICK_TEST_IMAGES = 20_000, 1_000


class Cell(str, Enum):
    """The recurrent layer to train."""

    gru = "gru"
    lstm = "lstm"
    simple = "simple"


def mnist_command(
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training images; 1, or 2 if quick.")
    ] = None,
    units: Annotated[
        int | None, typer.Option(min=1, help="Width of the recurrent layer; 256, or 64 if quick.")
    ] = None,
    cell: Annotated[Cell, typer.Option(help="Recurrent layer.")] = Cell.gru,
    seed: Annotated[int, typer.Option(min=0, help="Of the initial weights and the order.")] = 0,
    calibration_samples: Annotated[
        int, typer.Option(min=1, max=60_000, help="Training images to calibrate with.")
    ] = samples.CALIBRATION_COUNT,
    states: States = False,
    time_steps: TimeSteps = None,
    calibration_rounds: CalibrationRounds = None,
    calibration_method: CalibrationMethod = Method.mse,
    activations: ActivationType = Activations.int8,
    out: Out = DEFAULT_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Use this trained .keras model; train none.", metavar="FILE"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small model and a slice of the data, in seconds.")
    ] = False,
) -> None:
    """Train a recurrent network on MNIST and take it to the NPU, every stage of Arm's guide."""
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    _check(states, time_steps, calibration_rounds)
    folder = files.output_folder(out)
    console().print(f"target: {chosen}")

    from unspool.cli.results import finish
    from unspool.guide.figures import guides_figures
    from unspool.report.making import Beside

    options = chosen_options(chosen, calibration_method, activations)
    units = units or (QUICK_UNITS if quick else FULL_UNITS)
    epochs = epochs or (QUICK_EPOCHS if quick else FULL_EPOCHS)
    with watching() as watch:
        data = _data(quick)
        if model is None:
            training = Training(cell.value, units, seed, epochs)
            trained, seconds = _trained(training, data, folder / "model.keras", watch)
        else:
            trained, seconds = _loaded(model), {}
        calibration = data.images[:calibration_samples]
        if states:
            rounds = calibration_rounds or DEFAULT_ROUNDS
            deployment, drifted = _stream(
                trained, calibration, data.test, time_steps or 1, rounds, options, watch
            )
        else:
            deployment, drifted = _whole(trained, calibration, data.test, options, watch), None
    if model is not None:
        files.replace(folder / "model.keras", trained.save)
    guides_own = model is None and not quick and not states
    known = guides_figures(cell.value, units, chosen) if guides_own else {}
    finish(
        deployment,
        folder,
        console(),
        written={"model.keras": (folder / "model.keras").stat().st_size},
        beside=Beside(guide=known, seconds=seconds, drift=drifted),
    )


@dataclass(frozen=True)
class Training:
    """What to train: the cell, its units, the seed, the passes over the images."""

    cell: str
    units: int
    seed: int
    epochs: int


@dataclass(frozen=True)
class Images:
    """Training images and their digits; test images with theirs."""

    images: np.ndarray
    labels: np.ndarray
    test: tuple[np.ndarray, np.ndarray]


def _check(states: bool, time_steps: int | None, calibration_rounds: int | None) -> None:
    if time_steps and (not states or 28 % time_steps):
        raise UnspoolError(
            f"--time-steps {time_steps}: expected, with --states, a divisor of the 28 rows of an "
            "image: 1, 2, 4, 7, 14 or 28"
        )
    if calibration_rounds and not states:
        raise UnspoolError("--calibration-rounds: has a meaning with --states only; add --states")


def _data(quick: bool) -> Images:
    from unspool.guide import mnist

    data = mnist.load()
    train, test = (QUICK_TRAINING_IMAGES, QUICK_TEST_IMAGES) if quick else (None, None)
    return Images(
        mnist.normalised(data.train_images[:train]),
        data.train_labels[:train],
        (mnist.normalised(data.test_images[:test]), data.test_labels[:test]),
    )


def _trained(
    training: Training, data: Images, path: Path, watch: Watch
) -> tuple[Any, dict[str, float]]:
    """The model and the seconds that it took; it is written at once, as training takes longest."""
    start = time.perf_counter()
    trained = _train(training, data, watch)
    seconds = {"train": time.perf_counter() - start}
    files.replace(path, trained.save)
    return trained, seconds


def _loaded(path: Path) -> Any:
    from unspool.frontend.keras_file import load

    trained = load(path)
    _check_is_mnist(trained, path)
    return trained


def _whole(
    trained: Any,
    calibration: np.ndarray,
    test: tuple[np.ndarray, np.ndarray],
    options: "Options",
    watch: Watch,
) -> "Deployment":
    from unspool.deployment import deploy

    return deploy(trained, calibration, test=test, options=options, watch=watch)


def _stream(
    trained: Any,
    calibration: np.ndarray,
    test: tuple[np.ndarray, np.ndarray],
    time_steps: int,
    rounds: int,
    options: "Options",
    watch: Watch,
) -> "tuple[Deployment, Drift]":
    from unspool.deployment import deploy_stream
    from unspool.runtime.drift import drift

    deployment = deploy_stream(
        trained,
        calibration,
        time_steps=time_steps,
        test=test,
        calibration_rounds=rounds,
        options=options,
        watch=watch,
    )
    watch("drift over a long stream", 0, 1)
    rows = test[0].reshape(-1, 28)[:DRIFT_STEPS]
    drifted = drift(deployment.float_tflite, deployment.quantized_tflite, rows)
    watch("drift over a long stream", 1, 1)
    return deployment, drifted


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
