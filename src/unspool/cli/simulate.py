"""`unspool simulate` and `unspool disassemble`: what Vela's binary computes, and what it says."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unspool.cli.console import console, watching
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.support import files, sample_files
from unspool.support.progress import Clock
from unspool.support.text import printable, visible

if TYPE_CHECKING:
    from unspool.runtime.scores import Score
    from unspool.runtime.session import Session
    from unspool.support.samples import Samples

STAGE = "run in the NPU's simulator"

File = Annotated[
    Path, typer.Argument(help="A .tflite file that Vela compiled.", metavar="FILE_vela.tflite")
]


def simulate_command(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .tflite file that Vela compiled, or the folder that `unspool deploy` wrote.",
            metavar="FILE_vela.tflite|DIR",
        ),
    ],
    data: Annotated[Path, typer.Option(help="Samples, .npy or .npz.", metavar="X.npy")],
    labels: Annotated[
        Path | None, typer.Option(help="Classes, to count right ones.", metavar="Y.npy")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the outputs here, one array per output name; of a stream, of every call.",
            metavar="OUT.npz",
        ),
    ] = None,
) -> None:
    """Run a compiled binary in the NPU's simulator: print outputs, or the accuracy."""
    if out and out.suffix != ".npz":
        out = out.with_name(out.name + ".npz")
    if out and out.resolve() in {path.resolve() for path in (data, labels) if path}:
        raise UnspoolError(f"--out {out}: it is given, and would be overwritten; choose another")
    values = sample_files.load(data)
    right = sample_files.load(labels) if labels else None
    if not file.is_dir():
        _simulate(file, values, right, out)
        return
    from unspool.report import document

    if not (file / document.NAME).is_file():
        raise UnspoolError(
            f"{file}: is a folder without {document.NAME}; expected one that unspool deploy wrote, "
            "or a .tflite file that Vela compiled"
        )
    report = document.load(file)
    if "parts" in report:
        _simulate_parts(file, report, values, right, out)
    else:
        _simulate(file / "model_vela.tflite", values, right, out)


def _simulate(file: Path, data: "Samples", labels: "Samples | None", out: Path | None) -> None:
    """Run one binary."""
    from unspool.report.verdict import outside_text
    from unspool.runtime.evaluation import scored
    from unspool.runtime.session import Session

    content = files.read(file)
    _warn_of_another(file, content)
    session = Session(content, "npu")
    arrays = session.check(data)
    if out:
        files.output_file(out)
    by_call = session.is_stream and labels is None
    outputs = _run(content, session, arrays, by_call=by_call)
    for outside in session.outside(arrays):
        console().print(f"Attention: {outside_text(outside)}.")
    named = dict(zip(session.output_names, outputs, strict=True))
    scores = None if labels is None else scored(session, arrays, outputs, labels)
    _tell(named, scores, out, session.is_stream)


def _simulate_parts(
    folder: Path,
    report: dict[str, Any],
    data: "Samples",
    labels: "Samples | None",
    out: Path | None,
) -> None:
    """Run the binaries of a network in parts, one after the other."""
    from unspool.parts import folder as parts
    from unspool.report.verdict import outside_text
    from unspool.runtime import linked

    network = parts.read(folder, report, "vela")
    arrays = network.check(data)
    if out:
        files.output_file(out)
    with watching() as watch, Clock(watch).stage(STAGE, len(arrays[0])) as progress:
        outputs = network.run(arrays, "npu", progress)
    for outside in linked.outside(network.parts, linked.fed(network.ends, arrays)):
        console().print(f"Attention: {outside_text(outside)}.")
    named = dict(zip(network.ends.outputs, outputs, strict=True))
    scores = None if labels is None else network.scored(outputs, arrays, labels, "npu")
    _tell(named, scores, out, False)


def _tell(
    outputs: dict[str, np.ndarray],
    scores: "Sequence[Score | None] | None",
    out: Path | None,
    is_stream: bool,
) -> None:
    """Write the outputs, or print how good they are, or print them."""
    screen = console()
    if out:
        files.replace(out, lambda temporary: np.savez(temporary, allow_pickle=False, **outputs))
        screen.print(f"written to {out}: {', '.join(outputs)}")
    if scores is not None:
        for name, score in zip(outputs, scores, strict=True):
            if score is not None:
                screen.print(_as_line(score, name if len(outputs) > 1 else ""))
    elif not out:
        for name, array in outputs.items():
            screen.print(f"{printable(name)}: {_shape(array, is_stream)}")
            screen.print(np.array2string(array, precision=4, threshold=200))


def _warn_of_another(file: Path, content: bytes) -> None:
    """Warn where the report beside a file describes another file of its name."""
    from unspool.report import document, listing

    listed = listing.beside(file.parent).get(file.name)
    if listed not in (None, listing.digest(content)):
        path = file.parent / document.NAME
        text = f"{file} is not the file that {path} describes; deploy again"
        warnings.warn(text, UnspoolWarning, stacklevel=2)


def _run(
    content: bytes, session: "Session", arrays: "list[np.ndarray]", *, by_call: bool
) -> "list[np.ndarray]":
    """Outputs (samples, ...), or of every call (samples, calls, ...), with the progress shown."""
    from unspool.runtime.prediction import predict

    with watching() as watch, Clock(watch).stage(STAGE, len(arrays[0])) as progress:
        if by_call:
            return session.predict_calls(arrays, progress)
        return predict(content, arrays, "npu", progress)


def _shape(array: np.ndarray, is_stream: bool) -> str:
    if not is_stream:
        return str(array.shape)
    sequences, calls = array.shape[:2]
    return (
        f"{array.shape}: {sequences} sequence{'s' * (sequences != 1)}, "
        f"{calls} call{'s' * (calls != 1)} each"
    )


def _as_line(score: "Score", output: str) -> str:
    from unspool.report.numbers import counted
    from unspool.runtime.scores import Accuracy

    of = f" of output {printable(output)!r}" if output else ""
    of_all = counted(score)
    if isinstance(score, Accuracy):
        return (
            f"accuracy{of}: {score.percent:.2f} %, {score.correct:,} of {of_all} "
            f"(npu, simulated{'; ' * bool(score.how)}{score.how})"
        )
    r2 = "" if score.r2 is None else f", R2 {score.r2:.4f}"
    return f"error{of}: RMSE {score.rmse:.4g}, MAE {score.mae:.4g}{r2}, {of_all} (npu, simulated)"


def disassemble_command(
    file: File,
    debug: Annotated[
        Path | None,
        typer.Option(
            help="Vela's debug database, for the operators' names (vela --enable-debug-db).",
            metavar="FILE_debug.xml",
        ),
    ] = None,
) -> None:
    """Print a compiled binary's command stream, one operation with its registers per block."""
    from unspool import npu

    database = files.read(debug) if debug else None
    print(visible(npu.disassemble(npu.load(files.read(file)), database)), end="")
