"""The options of `unspool compress`, in groups."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unspool.cli.options import classes
from unspool.errors import UnspoolError
from unspool.support import samples
from unspool.support.samples import Samples

if TYPE_CHECKING:
    from unspool.compression.fine_tuning_run import FineTuning
    from unspool.compression.goal import Goal
    from unspool.compression.kernels import KernelSetting


class Smaller(str, Enum):
    """What a search makes small."""

    cycles = "cycles"
    flash = "flash"
    sram = "sram"


TimeSteps = Annotated[
    int | None,
    typer.Option(min=1, help="Steps to unroll where the model leaves them open."),
]


@dataclass(frozen=True)
class Arrays:
    """What a compression trains, calibrates and tests with.

    Attributes:
        data: training samples.
        labels: what the model's loss takes for them; classes for a search.
        calibration: samples to quantize with.
        test: test samples and their classes.
    """

    data: Samples
    labels: Any
    calibration: Samples
    test: tuple[Samples, np.ndarray] | None


@dataclass(frozen=True)
class TrainedFiles:
    """The trained model, and what to train, calibrate and test it with."""

    model: Annotated[
        Path, typer.Argument(help="A trained model (Keras, ONNX, .pt2).", metavar="MODEL")
    ]
    data: Annotated[Path, typer.Option(help="Training samples, as .npy or .npz.", metavar="X.npy")]
    labels: Annotated[
        Path, typer.Option(help="What the model's loss takes for them.", metavar="Y.npy")
    ]
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Test samples and their classes.", metavar="X.npy Y.npy"),
    ] = None
    calibration: Annotated[
        Path | None,
        typer.Option(
            help=f"Samples to quantize with; by default the first {samples.CALIBRATION_COUNT} of "
            "--data.",
            metavar="X.npy",
        ),
    ] = None

    def arrays(self, read_labels: Callable[[Path], Any]) -> Arrays:
        """What is in the files; labels are read as what is done with them needs them.

        Raises:
            UnspoolError: one cannot be read, or does not hold what it should.
        """
        data = samples.load(self.data)
        labels = read_labels(self.labels)
        few = samples.load(self.calibration) if self.calibration else None
        return Arrays(
            data=data,
            labels=labels,
            calibration=samples.first(data, samples.CALIBRATION_COUNT) if few is None else few,
            test=(samples.load(self.test[0]), classes(self.test[1])) if self.test else None,
        )


@dataclass(frozen=True)
class KernelOptions:
    """How far kernels are compressed."""

    sparsity: Annotated[
        float | None, typer.Option(help="Share of the weights that become 0; by default 0.8.")
    ] = None
    clusters: Annotated[
        int | None,
        typer.Option(help="Distinct values of the others; by default 16, 0 leaves them free."),
    ] = None
    units: Annotated[
        list[str] | None,
        typer.Option(
            help="Units that stay, the others are taken out: a share of all layers' such as 0.5, a "
            "number, or a layer's own, such as gru=128; may be given again.",
            metavar="[NAME=]UNITS",
        ),
    ] = None
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer's own setting, such as gru=0.9:16; may be given again.",
            metavar="NAME=SPARSITY:CLUSTERS",
        ),
    ] = None
    quantization_aware: Annotated[
        bool,
        typer.Option(
            "--quantization-aware",
            help="Then train with the errors of int8; without the options above, only that.",
        ),
    ] = False

    @property
    def are_given(self) -> bool:
        """Whether an option says how far."""
        numbers = (self.sparsity, self.clusters)
        return bool(self.layer or self.units) or any(number is not None for number in numbers)

    def setting(self) -> "KernelSetting":
        """The setting of kernels that have none of their own.

        Raises:
            UnspoolError: a value is none that a kernel can have.
        """
        from unspool.compression.kernels import UNTOUCHED, KernelSetting

        only_for_int8 = self.quantization_aware and not self.are_given
        setting = UNTOUCHED if only_for_int8 else KernelSetting()
        if self.sparsity is not None:
            setting = replace(setting, sparsity=self.sparsity)
        if self.clusters is not None:
            setting = replace(setting, clusters=self.clusters or None)
        for name, units in self._units():
            setting = setting if name else replace(setting, units=units)
        return setting

    def layers(self) -> "dict[str, KernelSetting]":
        """Layer name -> its own setting.

        Raises:
            UnspoolError: a text cannot be read as that.
        """
        general = self.setting()
        own = {
            name: replace(layer, units=general.units)
            for name, layer in map(_layer, self.layer or [])
        }
        for name, units in self._units():
            if name:
                own[name] = replace(own.get(name, general), units=units)
        return own

    def _units(self) -> list[tuple[str, float]]:
        """A layer's name, "" for all, and how many of its units stay."""
        return [_units(text) for text in self.units or []]


def _layer(text: str) -> "tuple[str, KernelSetting]":
    """A layer's name and setting, of NAME=SPARSITY:CLUSTERS."""
    from unspool.compression.kernels import KernelSetting

    name, _, values = text.rpartition("=")
    sparsity, _, clusters = values.partition(":")
    try:
        return name, KernelSetting(float(sparsity), int(clusters or 0) or None)
    except ValueError:
        raise UnspoolError(
            f"--layer {text}: expected NAME=SPARSITY:CLUSTERS, such as gru=0.9:16"
        ) from None


def _units(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise UnspoolError(
            f"--units {text}: expected a share or a number of units, or a layer's, such as 0.5, 64 "
            "or gru=128"
        ) from None


@dataclass(frozen=True)
class SearchOptions:
    """Whether a setting is searched for, and which."""

    max_accuracy_drop: Annotated[
        float | None,
        typer.Option(
            "--max-accuracy-drop",
            help="Search for the smallest model that loses at most so many points.",
            metavar="POINTS",
        ),
    ] = None
    metric: Annotated[
        str | None,
        typer.Option(help="Keras's name of a metric for the search, such as mae.", metavar="NAME"),
    ] = None
    max_metric_increase: Annotated[
        str | None,
        typer.Option(
            "--max-metric-increase",
            help="Search for the smallest model whose error, --metric, grows by at most so much.",
            metavar="PERCENT",
        ),
    ] = None
    max_metric_decrease: Annotated[
        str | None,
        typer.Option(
            "--max-metric-decrease",
            help="The same for a metric that is good where it is high.",
            metavar="PERCENT",
        ),
    ] = None
    minimise: Annotated[Smaller, typer.Option(help="What the search makes small.")] = Smaller.cycles
    trials: Annotated[
        int, typer.Option(min=1, help="Settings that are tried with a quarter of the epochs.")
    ] = 12
    jobs: Annotated[int, typer.Option(min=1, help="Settings that are tried at a time.")] = 1
    cluster: Annotated[
        str | None,
        typer.Option(
            help="A Dask or Ray cluster whose workers try them, ray://HOST:PORT or the like.",
            metavar="dask://HOST:PORT",
        ),
    ] = None

    @property
    def asked(self) -> str:
        """The option that asks for a search, as it was given; "" where none did."""
        given = {
            "--max-accuracy-drop": self.max_accuracy_drop,
            "--max-metric-increase": self.max_metric_increase,
            "--max-metric-decrease": self.max_metric_decrease,
        }
        return next((f"{flag} {v}" for flag, v in given.items() if v is not None), "")

    def goal(self) -> "Goal | None":
        """What is searched for; None where nothing is.

        Raises:
            UnspoolError: the options do not go together, or are no numbers.
        """
        from unspool.compression.goal import Goal

        limits = (self.max_accuracy_drop, self.max_metric_increase, self.max_metric_decrease)
        count = sum(limit is not None for limit in limits)
        if count > 1:
            raise UnspoolError(f"{self.asked}: only one such option can be given")
        if (self.metric is not None) != (count == 1 and self.max_accuracy_drop is None):
            raise UnspoolError(
                f"--metric {self.metric}: expected with --max-metric-increase or "
                "--max-metric-decrease, and not with --max-accuracy-drop"
                if self.metric is not None
                else f"{self.asked}: say which metric with --metric, such as mae"
            )
        if not count:
            return None
        if self.max_accuracy_drop is not None:
            return Goal(max_loss=self.max_accuracy_drop, minimise=self.minimise.value)
        text = self.max_metric_increase or self.max_metric_decrease or ""
        return Goal(
            metric=self.metric or "",
            max_loss=_percent(self.asked, text),
            higher_is_better=self.max_metric_increase is None,
            minimise=self.minimise.value,
        )


def _percent(option: str, text: str) -> float:
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        raise UnspoolError(f"{option}: expected percent, such as 2%") from None


@dataclass(frozen=True)
class TrainingOptions:
    """How the compressed model is trained."""

    loss: Annotated[
        str | None,
        typer.Option(help="Keras's name of a loss, such as mse, where MODEL was saved without."),
    ] = None
    epochs: Annotated[int, typer.Option(help="Passes over the samples.")] = 8
    batch_size: Annotated[int, typer.Option(help="Samples of a batch.")] = 64
    learning_rate: Annotated[float, typer.Option(help="Adam's, at its peak.")] = 1e-3
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
            seed=self.seed,
        )
