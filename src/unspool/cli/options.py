"""Options that several commands take, and what they mean together."""

import math
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from unspool.compilation.budgets import Budget
from unspool.compilation.targets import Target, target
from unspool.errors import UnspoolError
from unspool.support import samples

if TYPE_CHECKING:
    from unspool.deployment import Options

DEFAULT_ACCELERATOR = "ethos-u55-128"
DEFAULT_OUT = Path("unspool-out")
DEFAULT_ROUNDS = 6
DEFAULT_REMEDY_SECONDS = 60.0


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
CalibrationMethod = Annotated[
    Method, typer.Option(help="How ranges are chosen from what the samples show.")
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
        min=1, help="Steps to unroll where the model leaves them open; with --states, of a chunk."
    ),
]
CalibrationRounds = Annotated[
    int | None,
    typer.Option(
        min=1, help=f"With --states: rounds of calibration at most, by default {DEFAULT_ROUNDS}."
    ),
]
RemedySeconds = Annotated[
    float,
    typer.Option(
        min=0, help="How long to try what helps where the error is too large, s; 0 tries nothing."
    ),
]
FeatureScales = Annotated[
    bool,
    typer.Option(
        "--feature-scales",
        help="Give each feature of the inputs a scale of its own: for models trained on raw units.",
    ),
]
CarryStates = Annotated[
    bool,
    typer.Option(
        "--carry-states", help="With --states: the device never resets its states; calibrate so."
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
MaxMs = Annotated[
    float | None,
    typer.Option(help="Budget: ms of an inference, Vela's estimate.", metavar="MS"),
]
MaxSram = Annotated[
    float | None,
    typer.Option("--max-sram-kib", help="Budget: KiB of SRAM.", metavar="KIB"),
]
MaxFlash = Annotated[
    float | None,
    typer.Option("--max-flash-kib", help="Budget: KiB of flash.", metavar="KIB"),
]
MaxAccuracyDrop = Annotated[
    float | None,
    typer.Option(
        help="Budget: points by which the quantized model may be below the trained one; needs "
        "--test.",
        metavar="POINTS",
    ),
]
NoAccuracyDrop = Annotated[  # known, so that it can be said why it is not possible
    float | None, typer.Option("--max-accuracy-drop", hidden=True)
]
MaxOutputError = Annotated[
    float | None,
    typer.Option(
        help="Budget: mean error of the worst column of the outputs, percent of its range, against "
        "the trained model.",
        metavar="PERCENT",
    ),
]
NoCpu = Annotated[bool, typer.Option("--no-cpu", help="Budget: no operator may run on the CPU.")]
ModelConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The layers, as model.to_json() returns them, where MODEL holds weights alone.",
        metavar="MODEL.json",
    ),
]
ALL_RESIDENT = "all"


def chosen_target(
    accelerator: str, system_config: str | None, memory_mode: str | None, config: Path | None
) -> Target:
    """The target that the options name.

    Raises:
        UnspoolError: there is none.
    """
    return target(accelerator, system_config, memory_mode, config)


def classes(path: Path) -> np.ndarray:
    """The classes of samples, from a .npy file.

    Raises:
        UnspoolError: it cannot be read, or holds several arrays.
    """
    labels = samples.load(path)
    if not isinstance(labels, np.ndarray):
        raise UnspoolError(f"{path}: expected one array of classes (.npy), got several (.npz)")
    return labels


def chosen_budget(
    max_ms: float | None,
    max_sram_kib: float | None,
    max_flash_kib: float | None,
    max_accuracy_drop: float | None,
    no_cpu: bool,
    max_output_error: float | None = None,
) -> Budget | None:
    """The budget that the options name; None where they name none.

    Raises:
        UnspoolError: a limit is not a finite number, or negative.
    """
    budget = Budget(
        max_ms=max_ms,
        max_sram_kib=max_sram_kib,
        max_flash_kib=max_flash_kib,
        max_accuracy_drop=max_accuracy_drop,
        max_output_error=max_output_error,
        no_cpu=no_cpu,
    )
    return budget if budget.limits else None


def refuse_accuracy_drop(limit: float | None, command: str) -> None:
    """Refuse a limit on the accuracy, for a command that measures none.

    Raises:
        UnspoolError: a limit is given.
    """
    if limit is not None:
        raise UnspoolError(
            f"--max-accuracy-drop {limit:g}: unspool {command} measures no accuracy; give it to "
            "unspool deploy with --test, or to unspool check with the report of that"
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


def chosen_options(
    chosen: Target,
    method: Method,
    activations: Activations,
    allow_cpu: bool = False,
    resident_weights: str | None = None,
) -> "Options":
    """The deployment's options that the command line names."""
    from unspool.deployment import Options

    return Options(
        target=chosen,
        calibration_method=method.value,
        activations=activations.value,
        allow_cpu=allow_cpu,
        resident_weights=resident_kib(resident_weights),
    )
