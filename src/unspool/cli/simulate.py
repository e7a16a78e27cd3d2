"""`unspool simulate` and `unspool disassemble`: what Vela's binary computes, and what it says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from unspool.cli.console import console, watching
from unspool.support import files, samples
from unspool.support.text import printable

if TYPE_CHECKING:
    from unspool.runtime.evaluation import Score

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
    from unspool.runtime.evaluation import scored
    from unspool.runtime.session import Session, predict

    content = files.read(file)
    session = Session(content, "npu")
    count = len(session.check(values)[0])
    done = 0
    with watching() as watch:
        stage = "run in the NPU's simulator"

        def progress(more: int) -> None:
            nonlocal done
            done += more
            watch(stage, done, count)

        watch(stage, 0, count)
        if session.pairs:
            calls = session.predict_calls(values, progress)
            outputs = [array[:, -1] for array in calls]
        else:
            calls = outputs = predict(content, values, "npu", progress)
    screen = console()
    names = [tensor.name for tensor in session.outputs]
    if out:
        with_suffix = out if out.suffix == ".npz" else out.with_name(out.name + ".npz")
        named = dict(zip(names, calls, strict=True))
        files.replace(with_suffix, lambda path: np.savez(path, allow_pickle=False, **named))
        screen.print(f"written to {with_suffix}: {', '.join(names)}")
    for outside in session.outside(session.check(values)):
        screen.print(f"Attention: {outside_text(outside)}.")
    if right is not None:
        for name, score in zip(names, scored(session, outputs, right), strict=True):
            if score is not None:
                screen.print(_as_line(score, name if len(names) > 1 else ""))
    elif not out:
        for name, array in zip(names, calls, strict=True):
            screen.print(f"{printable(name)}: {_shape(array, bool(session.pairs))}")
            screen.print(np.array2string(array, precision=4, threshold=200))


def _shape(array: np.ndarray, is_stream: bool) -> str:
    if not is_stream:
        return str(array.shape)
    return f"{array.shape}: {array.shape[0]} sequences, {array.shape[1]} calls each"


def _as_line(score: "Score", output: str) -> str:
    from unspool.runtime.evaluation import Accuracy

    of = f" of output {printable(output)!r}" if output else ""
    if isinstance(score, Accuracy):
        return (
            f"accuracy{of}: {score.percent:.2f} %, {score.correct:,} of {score.samples:,} samples "
            f"(npu, simulated{'; ' * bool(score.how)}{score.how})"
        )
    r2 = "" if score.r2 is None else f", R2 {score.r2:.4f}"
    return (
        f"error{of}: RMSE {score.rmse:.4g}, MAE {score.mae:.4g}{r2}, {score.samples:,} samples "
        "(npu, simulated)"
    )


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
    print(npu.disassemble(npu.load(files.read(file)), database), end="")
