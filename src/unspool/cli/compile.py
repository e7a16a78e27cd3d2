"""`unspool compile`: Vela alone, for a .tflite that is quantized already."""

from pathlib import Path
from typing import Annotated

import typer

from unspool import files
from unspool.cli.console import console, guarded, watching
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    DEFAULT_OUT,
    Accelerator,
    MemoryMode,
    Out,
    SystemConfig,
    VelaConfig,
    chosen_target,
)


@guarded
def compile_command(
    file: Annotated[Path, typer.Argument(help="An int8 .tflite file.", metavar="FILE.tflite")],
    out: Out = DEFAULT_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
) -> None:
    """Compile a quantized .tflite file for the NPU and say what runs where."""
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    content = files.read(file)
    folder = files.output_folder(out)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool import vela
    from unspool.report.as_json import as_json
    from unspool.report.report import of_compiled
    from unspool.report.table import as_table

    with watching() as watch:
        watch("compile with Vela", 0, 1)
        compiled = vela.compile(content, chosen)
        watch("compile with Vela", 1, 1)
    name = f"{file.stem}_vela.tflite"
    files.write(folder / name, compiled.tflite)
    report = of_compiled(file.name, compiled, len(compiled.tflite))
    files.write(folder / "report.json", as_json(report))
    screen.print(as_table(report))
    screen.print(f"written to {folder}: {name}, report.json")
