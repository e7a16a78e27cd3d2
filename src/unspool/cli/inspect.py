"""`unspool inspect`: what would happen to each layer or operator, without doing it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from unspool.cli.console import console
from unspool.cli.flags import with_flags
from unspool.cli.grouping import grouped
from unspool.cli.nodes import nodes_table
from unspool.cli.options import (
    Activations,
    ActivationType,
    FullLength,
    ModelConfig,
    TargetOptions,
    TimeSteps,
)
from unspool.cli.piece_options import PieceOptions
from unspool.compilation.targets import Target
from unspool.support import files
from unspool.support.text import printable

if TYPE_CHECKING:
    from unspool.unrolling.layer_rules import Verdict


@grouped
def inspect_command(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            help="A trained model (Keras, ONNX, .pt2), or a .tflite.", metavar="MODEL|FILE"
        ),
    ],
    config: ModelConfig = None,
    time_steps: TimeSteps = None,
    piece: PieceOptions,
    activations: ActivationType = Activations.int8,
    full_length: FullLength = False,
    target: TargetOptions,
) -> None:
    """Print a model's layers, an .onnx file's nodes or a .tflite's operators, and what becomes of
    each."""
    chosen = target.chosen()
    if file.suffix == ".tflite":
        table = _operators(file, files.read(file), chosen)
    else:
        from unspool.frontend.origins import origins
        from unspool.inspection.inspecting import inspect
        from unspool.loading import load

        model = load(file, config, time_steps=time_steps, **piece.arguments())
        verdicts = inspect(
            model,
            time_steps=time_steps,
            activations=activations.value,
            target=chosen,
            full_length=full_length,
        )
        title, nodes = f"{file}, {activations.value} on {chosen}", origins(model)
        table = nodes_table(title, nodes, verdicts) if nodes else _layers(title, verdicts)
    console().print(table)


def _layers(title: str, verdicts: Sequence["Verdict"]) -> Table:
    table = Table("Layer", "Kind", "What happens", "Detail", title=title, box=None)
    table.title_justify = "left"
    for verdict in verdicts:
        detail = printable(with_flags(verdict.detail))
        table.add_row(printable(verdict.layer), verdict.kind, verdict.action, detail)
    return table


def _operators(file: Path, content: bytes, chosen: Target) -> Table:
    """What runs each operator of a file: one that Vela compiled, or would compile."""
    from unspool.compilation import vela
    from unspool.compilation.placement import NPU, every_operator
    from unspool.tflite import flatbuffer

    listed = every_operator(flatbuffer.read(content))
    if any(kind == NPU for kind, _ in listed.values()):
        state, on_npu = "compiled by Vela", True
        cpu_reasons = {position: "" for position, (kind, _) in listed.items() if kind != NPU}
    else:
        compiled = vela.compile(content, chosen)
        state, on_npu = f"on {chosen}", compiled.npu_operators > 0
        reasons = [op.reason for op in compiled.cpu_operators]
        cpu_reasons = dict(zip(compiled.cpu_positions, reasons, strict=True))
    title = f"{file}: {len(listed)} operators, {state}"
    table = Table("Operator", "Name", "Runs on", "Vela's reason", title=title, box=None)
    table.title_justify = "left"
    for position, (kind, name) in listed.items():
        where = "CPU" if position in cpu_reasons else "NPU" if on_npu else "nothing"
        table.add_row(kind, printable(name), where, printable(cpu_reasons.get(position, "")))
    return table
