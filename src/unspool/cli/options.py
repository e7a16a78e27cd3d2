"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from unspool.targets import Target, target

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.", metavar="DIR")]
Accelerator = Annotated[
    str, typer.Option("--target", help="Accelerator, such as ethos-u55-128 or ethos-u85-256.")
]
SystemConfig = Annotated[
    str | None,
    typer.Option(help="Vela's system configuration; by default Vela's own for the accelerator."),
]
MemoryMode = Annotated[
    str | None,
    typer.Option(help="Vela's memory mode; by default Vela's own for the accelerator."),
]
VelaConfig = Annotated[
    Path | None,
    typer.Option(help="A Vela configuration file (.ini); by default Arm's.", metavar="FILE"),
]

DEFAULT_ACCELERATOR = "ethos-u55-128"
DEFAULT_OUT = Path("unspool-out")


def chosen_target(
    accelerator: str, system_config: str | None, memory_mode: str | None, config: Path | None
) -> Target:
    """The target that the options name; UnspoolError where there is none."""
    return target(accelerator, system_config, memory_mode, config)
