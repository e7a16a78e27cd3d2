"""`unspool simulate` and `unspool disassemble`: what Vela's binary computes, and what it says."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from unspool.cli.console import console, watching
from unspool.errors import UnspoolWarning
from unspool.support import files, samples
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
    file: File,
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
    values = samples.load(data)
    right = samples.load(labels) if labels else None

    from unspool.report.verdict import outside_text
    from unspool.runtime.session import Session

    content = files.read(file)
    _warn_of_another(file, content)
    session = Session(content, "npu")
    arrays = session.check(values)
    by_call = session.is_stream and right is None
    outputs = _run(content, session, arrays, by_call=by_call)
    screen = console()
    named = dict(zip(session.output_names, outputs, strict=True))
    if out:
        path = out if out.suffix == ".npz" else out.with_name(out.name + ".npz")
        files.replace(path, lambda temporary: np.savez(temporary, allow_pickle=False, **named))
        screen.print(f"written to {path}: {', '.join(session.output_names)}")
    for outside in session.outside(arrays):
        screen.print(f"Attention: {outside_text(outside)}.")
    if right is not None:
        _print_scores(session, arrays, outputs, right, screen)
    elif not out:
        for name, array in zip(session.output_names, outputs, strict=True):
            screen.print(f"{printable(name)}: {_shape(array, session.is_stream)}")
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


def _print_scores(
    session: "Session",
    arrays: "list[np.ndarray]",
    outputs: "list[np.ndarray]",
    labels: "Samples",
    screen: Console,
) -> None:
    """Print how good each output is that has labels."""
    from unspool.runtime.evaluation import scored

    names = session.output_names
    for name, score in zip(names, scored(session, arrays, outputs, labels), strict=True):
        if score is not None:
            screen.print(_as_line(score, name if len(names) > 1 else ""))


def _shape(array: np.ndarray, is_stream: bool) -> str:
    if not is_stream:
        return str(array.shape)
    sequences, calls = array.shape[:2]
    return (
        f"{array.shape}: {sequences} sequence{'s' * (sequences != 1)}, "
        f"{calls} call{'s' * (calls != 1)} each"
    )


def _as_line(score: "Score", output: str) -> str:
    from unspool.report.numbers import left_out
    from unspool.runtime.scores import Accuracy

    of = f" of output {printable(output)!r}" if output else ""
    counted = f"{score.samples:,} samples{left_out(score.padded)}"
    if isinstance(score, Accuracy):
        return (
            f"accuracy{of}: {score.percent:.2f} %, {score.correct:,} of {counted} "
            f"(npu, simulated{'; ' * bool(score.how)}{score.how})"
        )
    r2 = "" if score.r2 is None else f", R2 {score.r2:.4f}"
    return f"error{of}: RMSE {score.rmse:.4g}, MAE {score.mae:.4g}{r2}, {counted} (npu, simulated)"


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
