"""`unspool drift` and `unspool bundle`: for what `deploy --states` wrote."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unspool.cli.claims import claimed
from unspool.cli.console import console, watching
from unspool.cli.options import Runtime
from unspool.compilation.targets import Target, target
from unspool.errors import UnspoolError
from unspool.report import document, listing
from unspool.support import files, sample_files
from unspool.support.apart import apart
from unspool.support.progress import Clock

if TYPE_CHECKING:
    from unspool.runtime.drift import Drift
    from unspool.support.samples import Samples
    from unspool.tflite.signature import Signature

Folder = Annotated[Path, typer.Argument(help="What `unspool deploy` wrote.", metavar="DIR")]


def drift_command(
    folder: Folder,
    data: Annotated[
        Path,
        typer.Option(
            help="A long stream: (time, features), or (sequences, time, features) one after the "
            "other; .npz by input name for several.",
            metavar="X.npy",
        ),
    ],
    runtime: Annotated[Runtime, typer.Option(help="Runs the quantized model.")] = Runtime.tflm,
) -> None:
    """Print how far the int8 states and outputs stray from float over a long stream."""
    report = document.load(folder / document.NAME)
    claimed(folder)
    sequences = sample_files.load(data)
    if "parts" in report:
        raise UnspoolError(
            f"{folder}: a network in parts, whose calls begin anew with each sequence; drift is of "
            "a stream, which `unspool deploy --states` makes"
        )
    float_tflite = files.read(folder / "model_float.tflite")
    quantized_tflite = files.read(_quantized(folder, report))

    from unspool.report.terminal.report import drift_table
    from unspool.report.verdict import outside_text
    from unspool.runtime.drift import drift
    from unspool.tflite.signature import Signature

    stream = _one_after_the_other(sequences, Signature(quantized_tflite))
    with watching() as watch, Clock(watch).stage("drift over a long stream"), _told_deaths(folder):
        drifted = apart(drift, float_tflite, quantized_tflite, stream, runtime.value)
    _add(drifted, report, folder)
    screen = console()
    screen.print(drift_table(drifted))
    for outside in drifted.outside:
        screen.print(f"Attention: {outside_text(outside, 'calls')}.")


def _add(drifted: "Drift", report: dict[str, Any], folder: Path) -> None:
    """Put it into the report and the page of a folder."""
    from unspool.page.html import add_drift
    from unspool.report.as_json import drift_document

    page = folder / "report.html"
    with files.together(folder) as staged:
        if page.is_file():
            text = files.read(page).decode(errors="replace")
            files.write(staged / page.name, add_drift(text, drifted))
        _write({**report, "drift": drift_document(drifted)}, staged)


@contextmanager
def _told_deaths(folder: Path) -> Iterator[None]:
    """Of a process that runs the files of a folder."""
    try:
        yield
    except UnspoolError as error:
        if not error.reason.startswith("SIG"):
            raise
        raise UnspoolError(
            f"{folder}: LiteRT or TFLM died of {error.reason} on its .tflite files; they are "
            "damaged, or memory ran out: deploy again, or free some"
        ) from None


def bundle_command(
    folder: Folder,
    name: Annotated[
        str, typer.Option(help="What files and functions are named after.")
    ] = "network",
) -> None:
    """Write the C files that firmware needs to DIR/firmware, in place of those of another name."""
    report = document.load(folder / document.NAME)
    claimed(folder)
    chosen = _target(folder, report["target"])

    from unspool import firmware

    texts = _texts(folder, report, chosen, name)
    older = listing.read(report)
    other_files = {
        name: hashed for name, hashed in older.items() if not name.startswith("firmware/")
    }
    with files.together(folder) as staged:
        written = firmware.write(texts, staged / "firmware")
        listed = _write({**report, listing.KEY: other_files} if older else report, staged)
    # Two bundles in a folder would be compiled into one program, weights and all.
    listing.remove_older(folder, older, listed)
    console().print(f"written to {folder / 'firmware'}: {', '.join(written)}")


def _target(folder: Path, reported: Mapping[str, Any]) -> Target:
    """The target that a report describes, whose Vela configuration lies in its folder, or is Arm's.

    Raises:
        UnspoolError: it is nowhere there, or no such target.
    """
    from unspool.compilation.vela_config import arm_config

    config = str(reported.get("vela_config"))
    if Path(config).name != config:
        raise UnspoolError(
            f"{folder / document.NAME}: vela_config is {config!r}; expected the name of a file in "
            "its folder: deploy again"
        )
    path = arm_config() if config == arm_config().name else folder / config
    return target(reported["accelerator"], reported["system_config"], reported["memory_mode"], path)


def _texts(folder: Path, report: Mapping[str, Any], chosen: Target, name: str) -> dict[str, str]:
    """The bundle's files, of one binary or of several."""
    from unspool import firmware
    from unspool.compilation import vela

    if "parts" not in report:
        quantized_tflite = files.read(_quantized(folder, report))
        compiled = replace(vela.compile(quantized_tflite, chosen), tflite=_binary(folder, report))
        return firmware.bundle(quantized_tflite, compiled, name)
    from unspool.parts import folder as parts

    kind = _quantized(folder, report, "model_1").stem.rpartition("_")[2]
    quantized, binaries = (parts.read(folder, report, each) for each in (kind, "vela"))
    return parts.bundle(quantized, binaries, chosen, name)


def _binary(folder: Path, report: Mapping[str, Any]) -> bytes:
    """What the report describes and `simulate` runs, with resident weights where they are."""
    path = folder / "model_vela.tflite"
    listing.check_listed(path, listing.read(report))
    return files.read(path)


def _write(report: dict[str, Any], staged: Path) -> dict[str, str]:
    """Write report.json again, with the files that were written beside it; returns all it lists."""
    from unspool.report.as_json import as_text

    listed = listing.read(report)
    if listed:  # one of before Unspool listed files would list but these
        listed |= listing.of_folder(staged)
        report = {**report, listing.KEY: listed}
    files.write(staged / document.NAME, as_text(report))
    return listed


def _quantized(folder: Path, report: Mapping[str, Any], model: str = "model") -> Path:
    """The quantized .tflite of a folder that its report describes, whatever its activations."""
    both = [folder / f"{model}_{kind}.tflite" for kind in ("int8", "int16")]
    paths = [path for path in both if path.is_file()]
    if len(paths) != 1:
        expected, names = (" or ".join(p.name for p in both), " and ".join(p.name for p in paths))
        raise UnspoolError(f"{folder}: expected {expected}, found {names or 'neither'}")
    listing.check_listed(paths[0], listing.read(report))
    return paths[0]


def _one_after_the_other(data: "Samples", signature: "Signature") -> "Samples":
    """Data as one stream, (time, ...): sequences, (sequences, time, ...), are joined."""
    dimensions = {
        tensor.name: len(tensor.shape) for tensor in signature.inputs if signature.has_time(tensor)
    }
    if isinstance(data, np.ndarray):
        only = next((tensor.name for tensor in signature.inputs), "")
        return _joined(data, dimensions.get(only))
    return {
        name: _joined(array, dimensions.get(name))
        for name, array in dict(data).items()  # type: ignore[arg-type]
    }


def _joined(array: np.ndarray, dimensions: int | None) -> np.ndarray:
    """Sequences of so many dimensions, joined; anything else as it is."""
    if array.ndim != dimensions:
        return array
    sequences, steps, *rest = array.shape
    return array.reshape(sequences * steps, *rest)
