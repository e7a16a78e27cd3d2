"""The options of `unspool compress` that search for a setting."""

import shlex
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from unspool.cli.grouping import words
from unspool.compression.previews import PREVIEWS
from unspool.errors import UnspoolError

if TYPE_CHECKING:
    from unspool.compression.goal import Goal


class Smaller(str, Enum):
    """What a search makes small."""

    cycles = "cycles"
    flash = "flash"
    sram = "sram"


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
        int, typer.Option(min=1, help="Settings that are tried with a part of the epochs.")
    ] = PREVIEWS
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
        limits = {
            "--max-accuracy-drop": self.max_accuracy_drop,
            "--max-metric-increase": self.max_metric_increase,
            "--max-metric-decrease": self.max_metric_decrease,
        }
        return next(
            (
                f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}"
                for flag, value in limits.items()
                if value is not None
            ),
            "",
        )

    def goal(self) -> "Goal | None":
        """What is searched for; None where nothing is.

        Raises:
            UnspoolError: the options do not go together, or are no numbers.
        """
        self._check()
        if not self.asked:
            return None
        from unspool.compression.goal import Goal  # with TensorFlow: not where none is searched

        if self.max_accuracy_drop is not None:
            if not 0 <= self.max_accuracy_drop <= 100:
                raise UnspoolError(f"{self.asked}: expected points from 0 to 100")
            return Goal(max_loss=self.max_accuracy_drop, minimise=self.minimise.value)
        text = self.max_metric_increase or self.max_metric_decrease or ""
        return Goal(
            metric=self.metric or "",
            max_loss=_percent(self.asked, text),
            higher_is_better=self.max_metric_increase is None,
            minimise=self.minimise.value,
        )

    def _check(self) -> None:
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
        if not count and (arguments := words(self)):
            raise UnspoolError(
                f"{shlex.join(arguments)}: expected with a search; ask for one with "
                "--max-accuracy-drop or --max-metric-increase, or leave it out"
            )
        if self.cluster and self.jobs > 1:
            raise UnspoolError(
                f"--jobs {self.jobs} and --cluster {self.cluster}: expected at most one, as a "
                "cluster tries as many settings at a time as it has workers"
            )


def _percent(option: str, text: str) -> float:
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        raise UnspoolError(f"{option}: expected percent, such as 2%") from None
