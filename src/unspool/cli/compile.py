"""`unspool compile`: Vela alone, for a .tflite that is quantized already."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unspool.cli.budget_options import CostOptions
from unspool.cli.claims import claimed
from unspool.cli.console import console, watching
from unspool.cli.grouping import grouped
from unspool.cli.options import DEFAULT_OUT, Out, ResidentWeights, TargetOptions, resident_kib
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.support import files
from unspool.support.progress import Clock

if TYPE_CHECKING:
    from unspool.compilation.compiled import Compiled
    from unspool.compilation.residency.keeping import Resident


@grouped
def compile_command(
    *,
    file: Annotated[Path, typer.Argument(help="An int8 .tflite file.", metavar="FILE.tflite")],
    resident_weights: ResidentWeights = None,
    out: Out = DEFAULT_OUT,
    target: TargetOptions,
    budget: CostOptions,
) -> None:
    """Compile a quantized .tflite file for the NPU and say what runs where."""
    limits = budget.chosen("compile")
    chosen = target.chosen()
    kib = resident_kib(resident_weights)
    content = files.read(file)
    folder = claimed(out)
    name = f"{file.stem}_vela.tflite"
    _check_holds_no_deployment(folder, name)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool.cli.results import exit_if_broken, show, write
    from unspool.report.commands import Request
    from unspool.report.listing import digest
    from unspool.report.making import of_compiled

    compiled, resident = _compiled(content, chosen, kib)
    request = Request(quantized=str(file), out=str(folder))
    report = of_compiled(file.name, compiled, content, request, limits, resident)
    with files.together(folder) as staged:
        files.write(staged / name, compiled.tflite)
        is_there = file.resolve().parent == folder.resolve()
        write(report, staged, {file.name: digest(content)} if is_there else {})
    show(report, screen)
    screen.print(f"written to {folder}: {name}, report.json, report.html")
    exit_if_broken(report)


def _check_holds_no_deployment(folder: Path, name: str) -> None:
    """Check that no report of a binary of another name is in the folder, with its firmware."""
    from unspool.report.listing import beside

    binary = "model_vela.tflite"
    if name != binary and binary in beside(folder):
        raise UnspoolError(
            f"{folder}: holds a deployment, whose report.json this command's would replace; "
            f"expected another folder, such as --out {folder / 'compiled'}"
        )


def _compiled(
    content: bytes, target: Target, kib: float | None
) -> "tuple[Compiled, Resident | None]":
    """The binary; with weights in SRAM where there are KiB for them, and what that changed."""
    from unspool.compilation.residency import compiling

    with watching() as watch:
        return compiling.binary(content, target, kib, Clock(watch))
