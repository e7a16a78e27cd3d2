"""`unspool compile`: Vela alone, for a .tflite that is quantized already."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unspool.cli.console import console, watching
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    DEFAULT_OUT,
    Accelerator,
    MaxFlash,
    MaxMs,
    MaxSram,
    MemoryMode,
    NoAccuracyDrop,
    NoCpu,
    Out,
    ResidentWeights,
    SystemConfig,
    VelaConfig,
    chosen_budget,
    chosen_target,
    refuse_accuracy_drop,
    resident_kib,
)
from unspool.support import files


def compile_command(
    file: Annotated[Path, typer.Argument(help="An int8 .tflite file.", metavar="FILE.tflite")],
    resident_weights: ResidentWeights = None,
    out: Out = DEFAULT_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
    max_ms: MaxMs = None,
    max_sram_kib: MaxSram = None,
    max_flash_kib: MaxFlash = None,
    max_accuracy_drop: NoAccuracyDrop = None,
    no_cpu: NoCpu = False,
) -> None:
    """Compile a quantized .tflite file for the NPU and say what runs where."""
    refuse_accuracy_drop(max_accuracy_drop, "compile")
    budget = chosen_budget(max_ms, max_sram_kib, max_flash_kib, None, no_cpu)
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    kib = resident_kib(resident_weights)
    content = files.read(file)
    folder = files.output_folder(out)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool.cli.results import exit_if_broken
    from unspool.compilation import vela
    from unspool.compilation.residency.keeping import keep_resident
    from unspool.page.html import as_html
    from unspool.report.as_json import as_json
    from unspool.report.commands import Request
    from unspool.report.making import of_compiled
    from unspool.report.terminal.report import as_table, what_next

    with watching() as watch:
        watch("compile with Vela", 0, 1)
        compiled = vela.compile(content, chosen)
        watch("compile with Vela", 1, 1)
        resident = None
        if kib is not None:
            watch("keep weights resident", 0, 1)
            resident = keep_resident(compiled, content, kib)
            compiled = replace(compiled, tflite=resident.tflite)
            watch("keep weights resident", 1, 1)
    name = f"{file.stem}_vela.tflite"
    files.write(folder / name, compiled.tflite)
    request = Request(quantized=str(file), out=str(folder))
    report = of_compiled(file.name, compiled, content, request, budget, resident)
    files.write(folder / "report.json", as_json(report))
    files.write(folder / "report.html", as_html(report))
    screen.print(as_table(report))
    screen.print(what_next(report), soft_wrap=True)
    screen.print(f"written to {folder}: {name}, report.json, report.html")
    exit_if_broken(report)
