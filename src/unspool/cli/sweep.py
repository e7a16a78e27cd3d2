"""`unspool sweep`: one .tflite file on many targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unspool.cli.budget_options import CostOptions
from unspool.cli.claims import claimed
from unspool.cli.console import BROKEN, console, watching
from unspool.cli.grouping import grouped
from unspool.cli.options import DEFAULT_OUT, Out, VelaConfig
from unspool.compilation.target_selection import all_targets
from unspool.compilation.targets import Target
from unspool.support import files

if TYPE_CHECKING:
    from unspool.compilation.sweeping import Sweep, Trial


class Sort(str, Enum):
    """What the rows are sorted by."""

    cycles = "cycles"
    ms = "ms"
    sram = "sram"
    flash = "flash"
    dram = "dram"
    cpu = "cpu"
    target = "target"


@dataclass(frozen=True)
class SweptTargets:
    """What to compile for: any of the accelerators, on any of the systems."""

    accelerator: Annotated[
        list[str] | None,
        typer.Option(
            "--target", help="Accelerator; may be repeated. All by default.", metavar="NAME"
        ),
    ] = None
    system_config: Annotated[
        list[str] | None,
        typer.Option(help="Vela's system configuration; may be repeated.", metavar="NAME"),
    ] = None
    memory_mode: Annotated[
        list[str] | None,
        typer.Option(help="Vela's memory mode; may be repeated.", metavar="NAME"),
    ] = None
    vela_config: VelaConfig = None

    def chosen(self) -> Sequence[Target]:
        """The targets that the options name.

        Raises:
            UnspoolError: there is none.
        """
        return all_targets(
            self.accelerator or (),
            self.system_config or (),
            self.memory_mode or (),
            self.vela_config,
        )


@grouped
def sweep_command(
    *,
    file: Annotated[Path, typer.Argument(help="An int8 .tflite file.", metavar="FILE.tflite")],
    targets: SweptTargets,
    sort: Annotated[Sort, typer.Option(help="Sort the rows by this, least first.")] = Sort.ms,
    out: Out = DEFAULT_OUT,
    budget: CostOptions,
) -> None:
    """Compile a quantized .tflite file for many targets and say what it costs on each.

    All targets of Vela's configuration file by default; combinations that do not exist are left
    out. With a budget, the exit status is 1 where no target keeps it.
    """
    limits = budget.chosen("sweep")
    chosen = targets.chosen()

    from unspool.compilation import sweeping
    from unspool.report.terminal.sweep import as_sweep_table

    content = files.read(file)
    folder = claimed(out)
    with watching() as watch:
        sweep = sweeping.sweep(content, chosen, limits, watch)
    trials = sweeping.order(sweep.trials, sort.value)
    _write(sweep, trials, file.name, folder)
    screen = console()
    screen.print(as_sweep_table(sweep, trials, file.name, screen.width))
    screen.print(f"written to {folder}: sweep.json, sweep.csv, sweep.html")
    if limits and not any(trial.fits for trial in trials):
        raise typer.Exit(BROKEN)


def _write(sweep: "Sweep", trials: "Sequence[Trial]", name: str, folder: Path) -> None:
    from unspool.page.sweep import sweep_html
    from unspool.report.sweep_files import sweep_csv, sweep_json

    created = datetime.now(timezone.utc)
    with files.together(folder) as staged:
        files.write(staged / "sweep.json", sweep_json(sweep, trials, name, created))
        files.write(staged / "sweep.csv", sweep_csv(sweep, trials))
        files.write(staged / "sweep.html", sweep_html(sweep, trials, name, created))
