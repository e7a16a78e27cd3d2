"""`unspool mnist`: the whole of Arm's guide on real data."""

import time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

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
    if time_steps and (not states or 28 % time_steps):
        raise UnspoolError(
            f"--time-steps {time_steps}: expected, with --states, a divisor of the 28 rows of an "
            "image: 1, 2, 4, 7, 14 or 28"
        )
    if calibration_rounds and not states:
        raise UnspoolError("--calibration-rounds: has a meaning with --states only; add --states")
    folder = files.output_folder(out)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool.cli.results import finish
    from unspool.deployment import deploy, deploy_stream
    from unspool.frontend.keras_file import load
    from unspool.guide import mnist
    from unspool.guide.figures import guides_figures
    from unspool.report.making import Beside
    from unspool.runtime.drift import drift

    units = units or (QUICK_UNITS if quick else FULL_UNITS)
    epochs = epochs or (QUICK_EPOCHS if quick else FULL_EPOCHS)
    seconds = {}
    with watching() as watch:
        data = mnist.load()
        images = mnist.normalised(data.train_images)
        labels = data.train_labels
        test = mnist.normalised(data.test_images), data.test_labels
        if quick:
            images, labels = images[:QUICK_TRAINING_IMAGES], labels[:QUICK_TRAINING_IMAGES]
            test = test[0][:QUICK_TEST_IMAGES], test[1][:QUICK_TEST_IMAGES]
        if model is None:
            start = time.perf_counter()
            trained = _train(cell.value, units, seed, images, labels, epochs, watch)
            seconds["train"] = time.perf_counter() - start
            # Now, not at the end: it is what took longest.
            files.replace(folder / "model.keras", trained.save)
        else:
            trained = load(model)
            _check_is_mnist(trained, model)
        options = chosen_options(chosen, calibration_method, activations)
        calibration = images[:calibration_samples]
        drifted = None
        if states:
            deployment = deploy_stream(
                trained,
                calibration,
                time_steps=time_steps or 1,
                test=test,
                calibration_rounds=calibration_rounds or DEFAULT_ROUNDS,
                options=options,
                watch=watch,
            )
            watch("drift over a long stream", 0, 1)
            stream = test[0].reshape(-1, 28)[:DRIFT_STEPS]
            drifted = drift(deployment.float_tflite, deployment.quantized_tflite, stream)
            watch("drift over a long stream", 1, 1)
        else:
            deployment = deploy(trained, calibration, test=test, options=options, watch=watch)
    if model is not None:
        files.replace(folder / "model.keras", trained.save)
    known = {}
    if model is None and not quick and not states:
        known = guides_figures(cell.value, units, chosen)
    finish(
        deployment,
        folder,
        screen,
        written={"model.keras": (folder / "model.keras").stat().st_size},
        beside=Beside(guide=known, seconds=seconds, drift=drifted),
    )


def _train(
    cell: str, units: int, seed: int, images: Any, labels: Any, epochs: int, watch: Watch
) -> Any:
    from unspool.guide.model import batches_per_epoch, build, train
    from unspool.support._tensorflow import keras

    keras.utils.set_random_seed(seed)
    model = build(cell, units)
    batches = epochs * batches_per_epoch(len(images))

    def show(done: int, accuracy: float) -> None:
        watch(f"train: {accuracy:.2f} % of the epoch so far", done, batches)

    train(model, images, labels, cell=cell, epochs=epochs, on_batch=show)
    return model


def _check_is_mnist(model: Any, path: Path) -> None:
    shapes = [tuple(tensor.shape[1:]) for tensor in [*model.inputs, *model.outputs]]
    if shapes not in ([(28, 28), (10,)], [(None, 28), (10,)]):
        raise UnspoolError(
            f"{path}: not a model for MNIST: its inputs and outputs have the shapes {shapes}, "
            "expected (28, 28) and (10,); for your own model use unspool deploy"
        )
