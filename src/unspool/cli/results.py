"""How the commands that deploy end: write files, print the table, check the budget."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import typer
from rich.console import Console

from unspool import firmware
from unspool.cli.console import BROKEN
from unspool.compilation.budgets import Budget
from unspool.deployment import Deployment, save
from unspool.errors import UnspoolError
from unspool.page.html import as_html
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.making import Beside, of_deployment
from unspool.report.report import Report
from unspool.report.terminal.report import as_table, what_next
from unspool.support import files
from unspool.unrolling.stream_checks import is_streamable


def finish(
    deployment: Deployment,
    folder: Path,
    screen: Console,
    *,
    written: Mapping[str, int] | None = None,
    beside: Beside | None = None,
    budget: Budget | None = None,
    model: Path | None = None,
    config: Path | None = None,
    again: str = "",
) -> None:
    """Write models, firmware and the reports to a folder, and print the table.

    Args:
        deployment: what was deployed.
        folder: for the results.
        screen: where to print.
        written: file name -> bytes of the files that were written before.
        beside: what the figures are shown beside.
        budget: what the deployment may cost.
        model: the trained model's file, for the advice; the one in the folder where None.
        config: the model's layers in JSON, where its file has weights alone.
        again: the command that deploys the model again, for the advice; the one given where empty.

    Raises:
        typer.Exit: with status 1, where the budget is broken; the files are written all the same.
    """
    sizes = {**(written or {}), **save(deployment, folder)}
    request = _request(deployment, folder, model, config, again)
    report = of_deployment(deployment, sizes, request, budget, beside or Beside())
    files.write(folder / "report.json", as_json(report))
    files.write(folder / "report.html", as_html(report))
    screen.print(as_table(report))
    screen.print(what_next(report), soft_wrap=True)
    names = [*sizes, "report.json", "report.html", *_bundle(deployment, folder, screen)]
    screen.print(f"written to {folder}: {', '.join(names)}")
    exit_if_broken(report)


def _request(
    deployment: Deployment, folder: Path, model: Path | None, config: Path | None, again: str
) -> Request:
    is_stream = bool(deployment.calibration.rounds)
    return Request(
        quantized=str(folder / f"model_{deployment.activations}.tflite"),
        out=str(folder),
        model=str(model or folder / "model.keras"),
        config=str(config or ""),
        again=again or command_line(),
        activations=deployment.activations,
        streamable=not is_stream and is_streamable(deployment.trained),
    )


def _bundle(deployment: Deployment, folder: Path, screen: Console) -> list[str]:
    """Write the firmware bundle, if there can be one; returns what was written, for people."""
    try:
        texts = firmware.bundle(deployment.quantized_tflite, deployment.compiled, "network")
        firmware.write(texts, folder / "firmware")
    except UnspoolError as error:  # the models are good all the same
        screen.print(f"no firmware bundle: {error}")
        return []
    return ["firmware/"]


def exit_if_broken(report: Report) -> None:
    """End with status 1 where the report breaks its budget."""
    if report.breaches:
        raise typer.Exit(BROKEN)


def command_line() -> str:
    """The command that the user gave, to be given again with other options."""
    return shlex.join(["unspool", *sys.argv[1:]])
