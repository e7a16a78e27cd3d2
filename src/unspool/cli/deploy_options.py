"""The options of `unspool deploy`, in groups."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unspool.cli.options import (
    FullLength,
    ModelConfig,
    QuantizationOptions,
    ResidentWeights,
    resident_kib,
)
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError

if TYPE_CHECKING:
    from unspool.deployed import Options


@dataclass(frozen=True)
class ModelFiles:
    """The trained model, and the samples to calibrate and to test it with."""

    model: Annotated[Path, typer.Argument(help="A trained model: Keras or ONNX.", metavar="MODEL")]
    calibration: Annotated[
        Path,
        typer.Option(
            help="Samples that span what the model will meet: one array (samples, time, features) "
            "as .npy, or one array per input name as .npz.",
            metavar="X.npy",
        ),
    ]
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            help="Test samples, and their classes or values; .npz by output name for several.",
            metavar="X.npy Y.npy",
        ),
    ] = None
    config: ModelConfig = None


@dataclass(frozen=True)
class DeployOptions(QuantizationOptions):
    """How a user's own model is converted, quantized and compiled."""

    allow_cpu: Annotated[
        bool, typer.Option("--allow-cpu", help="Accept layers that the target's NPU does not run.")
    ] = False
    feature_scales: Annotated[
        bool,
        typer.Option(
            "--feature-scales",
            help="Give each feature of the inputs a scale of its own: for models trained on raw "
            "units.",
        ),
    ] = False
    refine: Annotated[
        bool,
        typer.Option(
            "--refine",
            help="Round weights by what their layers compute on the calibration samples, and cut "
            "LSTMs' cell states where it errs less.",
        ),
    ] = False
    full_length: FullLength = False
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="An input and an output that are a state: fed back, with one scale.",
            metavar="IN=OUT",
        ),
    ] = None
    resident_weights: ResidentWeights = None
    remedy_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="How long to try what helps where the error is too large, s; 0 tries nothing.",
        ),
    ] = 60.0

    def options(self, target: Target) -> "Options":
        """The deployment's options.

        Raises:
            UnspoolError: a text cannot be read as what it should be.
        """
        return replace(
            super().options(target),
            allow_cpu=self.allow_cpu,
            feature_scales=self.feature_scales,
            resident_weights=resident_kib(self.resident_weights),
            remedy_seconds=self.remedy_seconds,
            full_length=self.full_length,
            refine=self.refine,
            fed_back=_fed_back(self.state or []),
        )


def _fed_back(states: list[str]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in states]
    for text, (before, _, after) in zip(states, pairs, strict=True):
        if not before or not after:
            raise UnspoolError(f"--state {text}: expected INPUT=OUTPUT")
    return {before: after for before, _, after in pairs}
