"""What `unspool compress` works on, and how the model is deployed, before and after."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unspool.cli.compress_options import Arrays, TrainedFiles, TrainingOptions
from unspool.cli.console import watching
from unspool.cli.deploy_options import DeployOptions
from unspool.cli.grouping import words
from unspool.cli.kernel_options import KernelOptions
from unspool.cli.options import MODEL, Activations, TargetOptions
from unspool.cli.search_options import SearchOptions
from unspool.cli.stream_options import StreamOptions
from unspool.errors import UnspoolError
from unspool.support import files

if TYPE_CHECKING:
    from unspool.compression.build import Build
    from unspool.compression.fine_tuning_run import FineTuning
    from unspool.deployed import Deployment, Options
    from unspool.stages import Way


@dataclass(frozen=True)
class Inputs:
    """What a compression works on.

    Attributes:
        trained: the model.
        arrays: what to train, calibrate and test it with.
        tuning: how to train it.
        quantization_aware: whether to train with the errors of int8.
        stream: whether it is deployed for sequences or for a stream.
        options: how it is quantized and compiled.
        folder: for the results.
    """

    trained: Any
    arrays: Arrays
    tuning: "FineTuning"
    quantization_aware: bool
    stream: StreamOptions
    options: "Options"
    folder: Path

    def deployed(self, model: Any, options: "Options", prefix: str = "") -> "Deployment":
        """A model, the trained or the compressed one, taken to the NPU."""
        with watching() as watch:
            return self.stream.deploy(
                model,
                self.arrays.calibration,
                self.arrays.test,
                options,
                lambda stage, done, total: watch(prefix + stage, done, total),
            )

    def settled(self) -> "Inputs":
        """The same with a number of steps per call in place of "auto"."""
        with watching() as watch:
            stream, _ = self.stream.settled(
                self.trained, self.arrays.calibration, self.options, None, watch
            )
        return replace(self, stream=stream)

    def before(self) -> dict[str, float]:
        """Figures of the model as it is; before training, as it may turn out undeployable."""
        from unspool.report.making import values_of

        # Only its values are shown: no remedies are tried against its errors.
        options = replace(self.options, remedy_seconds=0)
        return values_of(self.deployed(self.trained, options, "as it is, "))

    def save(self, model: Any) -> Path:
        """Write a Keras model where the results will be; returns its path."""
        from unspool.report import listing

        path = self.folder / MODEL
        listing.begin_anew(self.folder)
        files.replace(path, model.save)
        return path

    def build(self) -> "Build":
        """How the candidates of a search become binaries."""
        from unspool.compilation import targets
        from unspool.compression.build import Build

        return Build(
            self.stream.way(self.trained, self.options),
            self.options.target or targets.target(),
            self.options.resident_weights,
            self.training_way,
        )

    @property
    def training_way(self) -> "Way | None":
        """How whole sequences are quantized in training for int8; None to train without.

        What no NPU runs is trained for, too: that it is accepted is asked where it is deployed.
        """
        if not self.quantization_aware:
            return None
        from unspool import stages

        return stages.sequences(
            self._whole_length,
            method=self.options.calibration_method,
            allow_cpu=True,
            full_length=self.options.full_length,
            fed_back=self.options.fed_back,
        )

    @property
    def _whole_length(self) -> int | None:
        """Time steps of the sequences that are trained on, where the model leaves them open."""
        from unspool.frontend import structure
        from unspool.support import samples
        from unspool.unrolling import taken

        if not self.stream.states:
            return self.stream.time_steps
        inputs = structure.inputs(self.trained)
        arrays = samples.check(self.arrays.data, inputs, "training data")
        return taken.steps_of(self.trained, arrays)


def deploy_command(
    trained_files: TrainedFiles,
    stream: StreamOptions,
    quantization: DeployOptions,
    target: TargetOptions,
    folder: Path,
) -> str:
    """The command that deploys the compressed model, for the advice to add options to."""
    command = ["unspool", "deploy", folder / MODEL]
    command += ["--calibration", trained_files.calibration or trained_files.data]
    command += ["--test", *trained_files.test] if trained_files.test else []
    command += [*words(stream), *words(quantization), *words(target)]
    return shlex.join(map(str, [*command, "--out", folder / "again"]))


def check_labels(
    trained_files: TrainedFiles, searched: SearchOptions, training: TrainingOptions
) -> None:
    """Check that what needs labels has them.

    Raises:
        UnspoolError: it has not.
    """
    if trained_files.labels:
        return
    if searched.asked:
        raise UnspoolError(f"{searched.asked}: it is measured beside labels; add --labels Y.npy")
    if training.loss:
        raise UnspoolError(
            f"--loss {training.loss}: is one of labels, and there are none; add --labels Y.npy, or "
            "leave it out"
        )


def check_together(
    kernels: KernelOptions,
    searched: SearchOptions,
    stream: StreamOptions,
    quantization: DeployOptions,
) -> None:
    """Check that options fit each other.

    Raises:
        UnspoolError: some cannot be given together.
    """
    stream.check()
    if searched.asked and kernels.are_given:
        raise UnspoolError(
            f"{searched.asked} searches for a setting: --units, --sparsity, --clusters and --layer "
            "cannot be given with it"
        )
    if not kernels.quantization_aware:
        return
    if quantization.activations != Activations.int8:
        raise UnspoolError(
            "--quantization-aware and --activations int16: expected at most one, as it is the "
            "errors of int8 that are trained with"
        )
    if quantization.feature_scales:
        raise UnspoolError(
            "--quantization-aware and --feature-scales: expected at most one, as what is trained "
            "has one scale for each input"
        )
