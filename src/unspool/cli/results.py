"""How the commands that deploy end: files written, the table printed, the budget held."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console

from unspool import budgets, files, firmware
from unspool.budgets import Budget
from unspool.cli.console import BROKEN
from unspool.deployment import Deployment, save
from unspool.drift import Drift
from unspool.errors import UnspoolError
from unspool.report.advice import Subject, advise
from unspool.report.as_json import as_json
from unspool.report.compression import Compression
from unspool.report.page.html import as_html
from unspool.report.report import Report, of_deployment
from unspool.report.table import as_table, what_next
from unspool.unrolling import is_streamable


def finish(
    deployment: Deployment,
    folder: Path,
    screen: Console,
    *,
    already: Mapping[str, int] | None = None,
    guide: Mapping[str, float] | None = None,
    seconds: Mapping[str, float] | None = None,
    drift: Drift | None = None,
    budget: Budget | None = None,
    model: Path | None = None,
    again: str = "",
    compression: Compression | None = None,
) -> None:
    """Write models, firmware and the reports to a folder, and print the table.

    Args:
        deployment: what was deployed.
        folder: for the results.
        screen: where to print.
        already: file name -> bytes of what was written before.
        guide: figure id -> the guide's value, where it is known.
        seconds: stage -> seconds of what was done before.
        drift: of a stream, where it was measured.
        budget: what the deployment may cost.
        model: the trained model's file, for the advice; the one in the folder where None.
        again: the command that deploys the model again, for the advice; the one given where empty.
        compression: how the model was compressed, where it was.

    Raises:
        typer.Exit: with status 1, where the budget is broken; the files are written all the same.
    """
    sizes = {**(already or {}), **save(deployment, folder)}
    is_stream = bool(deployment.calibration.rounds)
    subject = Subject(
        quantized=str(folder / f"model_{deployment.activations}.tflite"),
        out=str(folder),
        model=str(model or folder / "model.keras"),
        again=again or command_line(),
        activations=deployment.activations,
        streamable=not is_stream and is_streamable(deployment.trained),
    )
    found = of_deployment(deployment, sizes, guide, seconds, drift, compression)
    report = judge(found, budget, subject)
    files.write(folder / "report.json", as_json(report))
    files.write(folder / "report.html", as_html(report))
    screen.print(as_table(report))
    screen.print(what_next(report), soft_wrap=True)
    written = [*sizes, "report.json", "report.html"]
    try:
        texts = firmware.bundle(deployment.quantized_tflite, deployment.compiled, "network")
        firmware.write(texts, folder / "firmware")
        written.append("firmware/")
    except UnspoolError as error:  # the models are good all the same
        screen.print(f"no firmware bundle: {error}")
    screen.print(f"written to {folder}: {', '.join(written)}")
    exit_if_broken(report)


def judge(report: Report, budget: Budget | None, subject: Subject) -> Report:
    """The report with the limits that it breaks, and with advice."""
    breaches = budgets.check(report.values, budget) if budget else ()
    report = replace(report, budget=budget, breaches=breaches)
    return replace(report, advice=advise(report, subject))


def exit_if_broken(report: Report) -> None:
    """End with status 1 where the report breaks its budget."""
    if report.breaches:
        raise typer.Exit(BROKEN)


def command_line() -> str:
    """The command that the user gave, to be given again with other options."""
    return shlex.join(["unspool", *sys.argv[1:]])
