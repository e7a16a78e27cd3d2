"""The options of `unspool compress` alone."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from unspool.support import samples


class Smaller(str, Enum):
    """What a search makes small."""

    cycles = "cycles"
    flash = "flash"


TrainedModel = Annotated[Path, typer.Argument(help="A trained Keras model.", metavar="MODEL")]
Data = Annotated[Path, typer.Option(help="Training samples, as .npy or .npz.", metavar="X.npy")]
Labels = Annotated[
    Path, typer.Option(help="What the model's loss takes for them.", metavar="Y.npy")
]
Test = Annotated[
    tuple[Path, Path] | None,
    typer.Option(help="Test samples and their classes.", metavar="X.npy Y.npy"),
]
CalibrationData = Annotated[
    Path | None,
    typer.Option(
        help=f"Samples to quantize with; by default the first {samples.CALIBRATION_COUNT} of "
        "--data.",
        metavar="X.npy",
    ),
]
Sparsity = Annotated[
    float | None, typer.Option(help="Share of the weights that become 0; by default 0.8.")
]
Clusters = Annotated[
    int | None,
    typer.Option(help="Distinct values of the others; by default 16, 0 leaves them free."),
]
Layer = Annotated[
    list[str] | None,
    typer.Option(
        help="A layer's own setting, such as gru=0.9:16; may be given again.",
        metavar="NAME=SPARSITY:CLUSTERS",
    ),
]
QuantizationAware = Annotated[
    bool,
    typer.Option(
        "--quantization-aware",
        help="Then train with the errors of int8; without the options above, only that.",
    ),
]
SearchedDrop = Annotated[
    float | None,
    typer.Option(
        "--max-accuracy-drop",
        help="Search for the strongest setting that loses at most so many points.",
        metavar="POINTS",
    ),
]
Minimise = Annotated[Smaller, typer.Option(help="What the search makes small.")]
Jobs = Annotated[int, typer.Option(min=1, help="Settings that are tried at a time.")]
Loss = Annotated[
    str | None,
    typer.Option(help="Keras's name of a loss, such as mse, where MODEL was saved without."),
]
Epochs = Annotated[int, typer.Option(help="Passes over the samples.")]
BatchSize = Annotated[int, typer.Option(help="Samples of a batch.")]
LearningRate = Annotated[float, typer.Option(help="Adam's, at its peak.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the order of the samples.")]
TimeSteps = Annotated[
    int | None,
    typer.Option(min=1, help="Steps to unroll where the model leaves them open."),
]
