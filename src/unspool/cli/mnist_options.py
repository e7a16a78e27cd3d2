"""The options of `unspool mnist`, in groups."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import typer

from unspool.cli.options import CalibrationRounds, States, StepsPerCall, TimeSteps
from unspool.cli.stream_options import StreamOptions
from unspool.errors import UnspoolError

FULL_UNITS, FULL_EPOCHS = 256, 1
QUICK_UNITS, QUICK_EPOCHS = 64, 2
_ROWS = "28 rows of an image: 1, 2, 4, 7, 14 or 28"


class Cell(str, Enum):
    """The recurrent layer to train."""

    gru = "gru"
    lstm = "lstm"
    simple = "simple"


@dataclass(frozen=True)
class Training:
    """What to train: the cell, its units, the seed, the passes over the images."""

    cell: str
    units: int
    seed: int
    epochs: int


@dataclass(frozen=True)
class TrainingOptions:
    """What to train."""

    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training images; 1, or 2 if quick.")
    ] = None
    units: Annotated[
        int | None, typer.Option(min=1, help="Width of the recurrent layer; 256, or 64 if quick.")
    ] = None
    cell: Annotated[Cell, typer.Option(help="Recurrent layer.")] = Cell.gru
    seed: Annotated[int, typer.Option(min=0, help="Of the initial weights and the order.")] = 0

    def chosen(self, quick: bool) -> Training:
        """What the options name; what they leave open is smaller if quick."""
        units, epochs = (QUICK_UNITS, QUICK_EPOCHS) if quick else (FULL_UNITS, FULL_EPOCHS)
        return Training(self.cell.value, self.units or units, self.seed, self.epochs or epochs)


@dataclass(frozen=True)
class RowOptions:
    """Whether whole images are unrolled or their rows are a stream, and how many at a time."""

    states: States = False
    time_steps: TimeSteps = None
    steps_per_call: StepsPerCall = None
    calibration_rounds: CalibrationRounds = None

    def chosen(self) -> StreamOptions:
        """The same for any model.

        Raises:
            UnspoolError: images cannot be cut so, or are not.
        """
        if self.time_steps and (not self.states or 28 % self.time_steps):
            raise UnspoolError(
                f"--time-steps {self.time_steps}: expected, with --states, a divisor of the {_ROWS}"
            )
        steps = self.steps_per_call or ""
        if steps.isdecimal() and (not int(steps) or 28 % int(steps)):
            raise UnspoolError(f"--steps-per-call {steps}: expected a divisor of the {_ROWS}")
        stream = StreamOptions(
            time_steps=self.time_steps,
            steps_per_call=self.steps_per_call,
            states=self.states,
            calibration_rounds=self.calibration_rounds,
        )
        stream.check()
        return stream
