"""`unspool deploy`: the whole way for a user's own model."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from unspool import files, samples
from unspool.cli.console import console, guarded, watching
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    DEFAULT_OUT,
    Accelerator,
    Activations,
    ActivationType,
    CalibrationMethod,
    MemoryMode,
    Method,
    Out,
    SystemConfig,
    TimeSteps,
    VelaConfig,
    chosen_target,
)
from unspool.errors import UnspoolError


@guarded
def deploy_command(
    model: Annotated[Path, typer.Argument(help="A trained Keras model.", metavar="MODEL.keras")],
    calibration: Annotated[
        Path,
        typer.Option(
            help="Samples that span what the model will meet: one array (samples, time, features) "
            "as .npy, or one array per input name as .npz.",
            metavar="X.npy",
        ),
    ],
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Test samples and their classes.", metavar="X.npy Y.npy"),
    ] = None,
    time_steps: TimeSteps = None,
    calibration_method: CalibrationMethod = Method.mse,
    activations: ActivationType = Activations.int8,
    allow_cpu: Annotated[
        bool, typer.Option("--allow-cpu", help="Accept layers that no NPU runs, such as Embedding.")
    ] = False,
    out: Out = DEFAULT_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
) -> None:
    """Take a trained Keras model to the NPU: unroll, quantize, test, compile."""
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    calibration_data = samples.load(calibration)
    test_data = (samples.load(test[0]), _labels(test[1])) if test else None
    folder = files.output_folder(out)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool.deployment import deploy, save
    from unspool.inspection import inspect
    from unspool.loading import load
    from unspool.report.as_json import as_json
    from unspool.report.report import of_deployment
    from unspool.report.table import as_table

    trained = load(model)
    for verdict in inspect(trained):
        if verdict.detail and verdict.action in ("unroll", "cpu"):
            screen.print(f"note: layer {verdict.layer}: {verdict.detail}")
    with watching() as watch:
        deployment = deploy(
            trained,
            calibration_data,
            test=test_data,
            target=chosen,
            time_steps=time_steps,
            calibration_method=calibration_method.value,
            activations=activations.value,
            allow_cpu=allow_cpu,
            watch=watch,
        )
    sizes = save(deployment, folder)
    report = of_deployment(deployment, sizes)
    files.write(folder / "report.json", as_json(report))
    screen.print(as_table(report))
    screen.print(f"written to {folder}: {', '.join([*sizes, 'report.json'])}")


def _labels(path: Path) -> np.ndarray:
    labels = samples.load(path)
    if not isinstance(labels, np.ndarray):
        raise UnspoolError(f"{path}: expected one array of classes (.npy), got several (.npz)")
    return labels
