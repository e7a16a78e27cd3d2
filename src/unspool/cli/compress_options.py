"""The options of `unspool compress`, in groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unspool.cli.options import MODEL, Out
from unspool.errors import UnspoolError
from unspool.support import files, sample_files, samples
from unspool.support.samples import Samples

if TYPE_CHECKING:
    from unspool.compression.fine_tuning_run import FineTuning


COMPRESSED_OUT = Path("unspool-compressed")


@dataclass(frozen=True)
class Arrays:
    """What a compression trains, calibrates and tests with.

    Attributes:
        data: training samples.
        labels: what the model's loss takes for them; None for none.
        calibration: samples to quantize with.
        test: test samples, and their classes or values.
    """

    data: Samples
    labels: Any
    calibration: Samples
    test: tuple[Samples, Samples] | None


@dataclass(frozen=True)
class TrainedFiles:
    """The trained model, and what to train, calibrate and test it with."""

    model: Annotated[
        Path, typer.Argument(help="A trained model (Keras, ONNX, .pt2).", metavar="MODEL")
    ]
    data: Annotated[Path, typer.Option(help="Training samples, as .npy or .npz.", metavar="X.npy")]
    labels: Annotated[
        Path | None,
        typer.Option(
            help="What the model's loss takes for them; without, the trained model's outputs are "
            "what is learned.",
            metavar="Y.npy",
        ),
    ] = None
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            help="Test samples, and their classes or values; .npz by output name for several.",
            metavar="X.npy Y.npy",
        ),
    ] = None
    calibration: Annotated[
        Path | None,
        typer.Option(
            help=f"Samples to quantize with; by default the first {samples.CALIBRATION_COUNT} of "
            "--data.",
            metavar="X.npy",
        ),
    ] = None

    def arrays(self) -> Arrays:
        """What is in the files.

        Raises:
            UnspoolError: one cannot be read, or does not hold what it should.
        """
        data = sample_files.load(self.data)
        labels = sample_files.load(self.labels) if self.labels else None
        few = sample_files.load(self.calibration) if self.calibration else None
        return Arrays(
            data=data,
            labels=labels,
            calibration=samples.first(data, samples.CALIBRATION_COUNT) if few is None else few,
            test=sample_files.load_pair(self.test),
        )


@dataclass(frozen=True)
class TrainingOptions:
    """How the compressed model is trained."""

    loss: Annotated[
        str | None,
        typer.Option(
            help="Keras's name of a loss for the labels, such as mse, where MODEL was saved "
            "without."
        ),
    ] = None
    epochs: Annotated[int, typer.Option(help="Passes over the samples.")] = 8
    batch_size: Annotated[int, typer.Option(help="Samples of a batch.")] = 64
    learning_rate: Annotated[float, typer.Option(help="Adam's, at its peak.")] = 1e-3
    distillation: Annotated[
        float,
        typer.Option(help="Weight of the trained model's outputs as a target, beside the labels."),
    ] = 4.0
    mixup: Annotated[
        bool,
        typer.Option(
            "--mixup",
            help="Compare with the trained model on mixtures of samples: for long trainings.",
        ),
    ] = False
    state_distillation: Annotated[
        float,
        typer.Option(
            help="Weight of the states of recurrent units that stay, beside those outputs: for "
            "models that lose many."
        ),
    ] = 0.0
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the samples.")] = 0

    def fine_tuning(self) -> "FineTuning":
        """All but the loss, which belongs to the model.

        Raises:
            UnspoolError: nothing can be trained so.
        """
        from unspool.compression.fine_tuning_run import FineTuning

        return FineTuning(
            self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            distillation=self.distillation,
            mixup=self.mixup,
            state_distillation=self.state_distillation,
            seed=self.seed,
        )


@dataclass(frozen=True)
class ResultOptions:
    """Where the results go."""

    out: Out = COMPRESSED_OUT
    out_onnx: Annotated[
        Path | None,
        typer.Option(
            "--out-onnx",
            help="The ONNX file that the model is of, with its new weights.",
            metavar="FILE.onnx",
        ),
    ] = None

    def onnx_file(self, model: Path, has_fewer_units: bool) -> Path | None:
        """The file for the ONNX graph, where one is asked for.

        Raises:
            UnspoolError: the model's own file would be overwritten by it, or by the results; or
                there can be no such graph.
        """
        if (self.out / MODEL).resolve() == model.resolve():
            raise UnspoolError(
                f"--out {self.out}: {model} would be overwritten; choose another folder"
            )
        if self.out_onnx is None:
            return None
        asked = f"--out-onnx {self.out_onnx}"
        if self.out_onnx.resolve() == model.resolve():
            raise UnspoolError(f"{asked}: {model} would be overwritten; choose another file")
        if model.suffix.lower() != ".onnx":
            raise UnspoolError(f"{asked}: {model} is not an ONNX file, which alone has it")
        if has_fewer_units:
            raise UnspoolError(
                f"{asked}: the ONNX graph has the sizes that it has; --units cannot be given with "
                "it; export model.keras of a run without it anew"
            )
        return files.output_file(self.out_onnx)
