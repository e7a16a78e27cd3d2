"""Options that several commands take."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from unspool.targets import Target, target


class Method(str, Enum):
    """How ranges are chosen."""

    mse = "mse"
    minmax = "minmax"
    percentile = "percentile"


class Activations(str, Enum):
    """Type of the activations."""

    int8 = "int8"
    int16 = "int16"


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
TimeSteps = Annotated[
    int | None,
    typer.Option(min=1, help="Steps to unroll, where the model leaves them open."),
]
CalibrationMethod = Annotated[
    Method, typer.Option(help="How ranges are chosen from what the samples show.")
]
ActivationType = Annotated[
    Activations, typer.Option(help="Type of activations; int16: more SRAM, less error.")
]

DEFAULT_ACCELERATOR = "ethos-u55-128"
DEFAULT_OUT = Path("unspool-out")


def chosen_target(
    accelerator: str, system_config: str | None, memory_mode: str | None, config: Path | None
) -> Target:
    """The target that the options name; UnspoolError where there is none."""
    return target(accelerator, system_config, memory_mode, config)
