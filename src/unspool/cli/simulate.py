"""`unspool simulate` and `unspool disassemble`: what Vela's binary computes, and what it says."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from unspool import files, samples
from unspool.cli.console import console, guarded, watching
from unspool.errors import UnspoolError

File = Annotated[
    Path, typer.Argument(help="A .tflite file that Vela compiled.", metavar="FILE_vela.tflite")
]


@guarded
def simulate_command(
    file: File,
    data: Annotated[Path, typer.Option(help="Samples, .npy or .npz.", metavar="X.npy")],
    labels: Annotated[
        Path | None, typer.Option(help="Classes, to count right ones.", metavar="Y.npy")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the outputs here, one array per output name.", metavar="OUT.npz"),
    ] = None,
) -> None:
    """Run a compiled binary in the NPU's simulator: print outputs, or the accuracy."""
    values = samples.load(data)
    right = samples.load(labels) if labels else None

    from unspool.evaluation import accuracy
    from unspool.runtime import Session, predict

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
        outputs = predict(content, values, "npu", progress)
    screen = console()
    names = [tensor.name for tensor in session.outputs]
    if out:
        with_suffix = out if out.suffix == ".npz" else out.with_name(out.name + ".npz")
        named = dict(zip(names, outputs, strict=True))
        files.replace(with_suffix, lambda path: np.savez(path, allow_pickle=False, **named))
        screen.print(f"written to {with_suffix}: {', '.join(names)}")
    if right is not None:
        if not isinstance(right, np.ndarray):
            raise UnspoolError(f"{labels}: expected one array of classes (.npy)")
        found = accuracy(outputs, right, "npu")
        screen.print(
            f"accuracy: {found.percent:.2f} %, {found.correct:,} of {found.samples:,} samples "
            "(npu, simulated)"
        )
    elif not out:
        for name, array in zip(names, outputs, strict=True):
            screen.print(f"{name}: {array.shape}", markup=False)
            screen.print(np.array2string(array, precision=4, threshold=200), markup=False)


@guarded
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
