"""Options that several commands take, alone or in groups, and what they mean."""

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unspool.compilation import targets
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError

if TYPE_CHECKING:
    from unspool.deployed import Options

DEFAULT_OUT = Path("unspool-out")
DEFAULT_ROUNDS = 6
ALL_RESIDENT = "all"
MODEL = "model.keras"
"""What a command that trains calls its model's file, in the folder of the results."""


class Method(str, Enum):
    """How ranges are chosen."""

    mse = "mse"
    minmax = "minmax"
    percentile = "percentile"


class Activations(str, Enum):
    """Type of the activations."""

    int8 = "int8"
    int16 = "int16"


class Runtime(str, Enum):
    """What runs a quantized .tflite file."""

    tflm = "tflm"
    litert = "litert"


Out = Annotated[Path, typer.Option("--out", help="Folder for the results.", metavar="DIR")]
VelaConfig = Annotated[
    Path | None,
    typer.Option(help="A Vela configuration file (.ini); by default Arm's.", metavar="FILE"),
]
FullLength = Annotated[
    bool, typer.Option("--full-length", help="No sequence is ever padded: leave masks out.")
]
ActivationType = Annotated[
    Activations, typer.Option(help="Type of activations; int16: more SRAM, less error.")
]
States = Annotated[
    bool,
    typer.Option(
        "--states", help="States in and out: a binary that is fed a stream, chunk by chunk."
    ),
]
TimeSteps = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Steps to unroll where the model leaves them open; with --states, of a chunk: by "
        "default the fewest that the model takes.",
    ),
]
StepsPerCall = Annotated[
    str | None,
    typer.Option(
        help="Time steps of one call: the binary is called several times for a sequence, and is as "
        "much smaller. auto: the least flash within the budget, or the fastest where that limits "
        "memory alone; without a budget, the least flash at a quarter more than the least time.",
        metavar="K|auto",
    ),
]
CalibrationRounds = Annotated[
    int | None,
    typer.Option(
        min=1, help=f"With --states: rounds of calibration at most, by default {DEFAULT_ROUNDS}."
    ),
]
ResidentWeights = Annotated[
    str | None,
    typer.Option(
        help="Copy weights that repeat from flash to SRAM once per inference; KIB: at most so much "
        "SRAM for them, all that repeat by default.",
        metavar="[KIB]",
    ),
]
ModelConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The layers, as model.to_json() returns them, where MODEL holds weights alone.",
        metavar="MODEL.json",
    ),
]


@dataclass(frozen=True)
class TargetOptions:
    """What to compile for."""

    accelerator: Annotated[
        str,
        typer.Option("--target", help="Accelerator, such as ethos-u55-128 or ethos-u85-256."),
    ] = "ethos-u55-128"
    system_config: Annotated[
        str | None,
        typer.Option(
            help="Vela's system configuration; by default Vela's own for the accelerator."
        ),
    ] = None
    memory_mode: Annotated[
        str | None,
        typer.Option(help="Vela's memory mode; by default Vela's own for the accelerator."),
    ] = None
    vela_config: VelaConfig = None
    call_microseconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="What a call costs beside the NPU's work, in driver and interpreter; assumed, for "
            "--steps-per-call.",
        ),
    ] = targets.CALL_MICROSECONDS

    def chosen(self) -> Target:
        """The target that the options name.

        Raises:
            UnspoolError: there is none.
        """
        return targets.target(
            self.accelerator,
            self.system_config,
            self.memory_mode,
            self.vela_config,
            self.call_microseconds,
        )


@dataclass(frozen=True)
class QuantizationOptions:
    """How a model is quantized."""

    calibration_method: Annotated[
        Method, typer.Option(help="How ranges are chosen from what the samples show.")
    ] = Method.mse
    activations: ActivationType = Activations.int8

    def options(self, target: Target) -> "Options":
        """The deployment's options."""
        from unspool.deployed import Options

        return Options(
            target=target,
            calibration_method=self.calibration_method.value,
            activations=self.activations.value,
        )


def resident_kib(text: str | None) -> float | None:
    """KiB of SRAM for resident weights: infinity for all, None for none.

    Raises:
        UnspoolError: not a positive number.
    """
    if text is None:
        return None
    try:
        kib = math.inf if text == ALL_RESIDENT else float(text)
    except ValueError:
        kib = math.nan
    if not kib > 0 or (math.isinf(kib) and text != ALL_RESIDENT):
        raise UnspoolError(
            f"--resident-weights {text}: expected a positive number of KiB, or nothing for all"
        )
    return kib
