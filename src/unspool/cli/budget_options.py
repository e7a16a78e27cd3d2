"""Options that limit what a network may cost."""

from dataclasses import dataclass
from typing import Annotated

import typer

from unspool.compilation.budgets import Budget
from unspool.errors import UnspoolError

NoCpu = Annotated[bool, typer.Option("--no-cpu", help="Budget: no operator may run on the CPU.")]


@dataclass(frozen=True)
class _Limits:
    """What every command can hold a network against."""

    max_ms: Annotated[
        float | None,
        typer.Option(help="Budget: ms of an inference, Vela's estimate.", metavar="MS"),
    ] = None
    max_sram_kib: Annotated[
        float | None,
        typer.Option("--max-sram-kib", help="Budget: KiB of SRAM.", metavar="KIB"),
    ] = None
    max_flash_kib: Annotated[
        float | None,
        typer.Option("--max-flash-kib", help="Budget: KiB of flash.", metavar="KIB"),
    ] = None


@dataclass(frozen=True)
class BudgetOptions(_Limits):
    """The budget, for commands that know how good the outputs are."""

    max_accuracy_drop: Annotated[
        float | None,
        typer.Option(
            help="Budget: points by which the quantized model may be below the trained one; needs "
            "--test.",
            metavar="POINTS",
        ),
    ] = None
    max_output_error: Annotated[
        float | None,
        typer.Option(
            help="Budget: mean error of the worst column of the outputs, percent of its range, "
            "against the trained model.",
            metavar="PERCENT",
        ),
    ] = None
    no_cpu: NoCpu = False

    def chosen(self) -> Budget | None:
        """The budget that the options name; None where they name none.

        Raises:
            UnspoolError: a limit is not a finite number, or negative.
        """
        budget = Budget(
            max_ms=self.max_ms,
            max_sram_kib=self.max_sram_kib,
            max_flash_kib=self.max_flash_kib,
            max_accuracy_drop=self.max_accuracy_drop,
            max_output_error=self.max_output_error,
            no_cpu=self.no_cpu,
        )
        return budget if budget.limits else None


@dataclass(frozen=True)
class CostOptions(_Limits):
    """The budget, for commands that compile alone and so measure no accuracy."""

    max_accuracy_drop: Annotated[  # known, so that it can be said why it is not possible
        float | None, typer.Option("--max-accuracy-drop", hidden=True)
    ] = None
    no_cpu: NoCpu = False

    def chosen(self, command: str) -> Budget | None:
        """The budget that the options of a command name; None where they name none.

        Raises:
            UnspoolError: a limit is not a finite number, or negative, or it is on the accuracy.
        """
        if self.max_accuracy_drop is not None:
            raise UnspoolError(
                f"--max-accuracy-drop {self.max_accuracy_drop:g}: unspool {command} measures no "
                "accuracy; give it to unspool deploy with --test, or to unspool check with the "
                "report of that"
            )
        limits = self.max_ms, self.max_sram_kib, self.max_flash_kib
        return BudgetOptions(*limits, no_cpu=self.no_cpu).chosen()
