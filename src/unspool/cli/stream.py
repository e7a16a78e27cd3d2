"""`unspool drift` and `unspool bundle`: for what `deploy --states` wrote."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from unspool import files, samples
from unspool.cli.console import console
from unspool.cli.options import Runtime, chosen_target
from unspool.errors import UnspoolError
from unspool.report import document

Folder = Annotated[Path, typer.Argument(help="What `unspool deploy` wrote.", metavar="DIR")]


def drift_command(
    folder: Folder,
    data: Annotated[
        Path,
        typer.Option(
            help="A long stream: (time, features), or (sequences, time, features) one after the "
            "other.",
            metavar="X.npy",
        ),
    ],
    runtime: Annotated[Runtime, typer.Option(help="Runs the quantized model.")] = Runtime.tflm,
) -> None:
    """Print how far the int8 states and outputs stray from float over a long stream."""
    report = document.load(folder / document.NAME)
    stream = samples.load(data)
    if not isinstance(stream, np.ndarray) or stream.ndim < 2:
        raise UnspoolError(f"{data}: expected one array (time, features) or (sequences, time, ...)")
    float_tflite = files.read(folder / "model_float.tflite")
    quantized_tflite = files.read(_quantized(folder))

    from unspool.drift import drift
    from unspool.report.as_json import drift_document
    from unspool.report.page.html import add_drift
    from unspool.report.table import drift_table

    wanted = len(_input_shape(quantized_tflite)) - 1
    if stream.ndim == wanted + 1:
        stream = stream.reshape(-1, *stream.shape[2:])
    found = drift(float_tflite, quantized_tflite, stream, runtime.value)
    report["drift"] = drift_document(found)
    files.write(folder / "report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
    page = folder / "report.html"
    if page.is_file():
        files.write(page, add_drift(files.read(page).decode(errors="replace"), found))
    console().print(drift_table(found))


def bundle_command(
    folder: Folder,
    name: Annotated[
        str, typer.Option(help="What files and functions are named after.")
    ] = "network",
) -> None:
    """Write the C files that firmware needs to DIR/firmware."""
    target = document.load(folder / document.NAME)["target"]
    config = target.get("vela_config")
    quantized_tflite = files.read(_quantized(folder))

    from unspool import firmware, vela
    from unspool.targets import arm_config

    path = arm_config() if config == arm_config().name else folder / str(config)
    chosen = chosen_target(
        target["accelerator"], target["system_config"], target["memory_mode"], path
    )
    compiled = vela.compile(quantized_tflite, chosen)
    written = firmware.write(firmware.bundle(quantized_tflite, compiled, name), folder / "firmware")
    console().print(f"written to {folder / 'firmware'}: {', '.join(written)}")


def _quantized(folder: Path) -> Path:
    """The quantized .tflite of a folder, whatever its activations."""
    found = [
        folder / f"model_{kind}.tflite"
        for kind in ("int8", "int16")
        if (folder / f"model_{kind}.tflite").is_file()
    ]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "neither"
        raise UnspoolError(
            f"{folder}: expected model_int8.tflite or model_int16.tflite, found {names}"
        )
    return found[0]


def _input_shape(tflite: bytes) -> tuple[int, ...]:
    from unspool.signature import Signature

    return Signature(tflite).inputs[0].shape
