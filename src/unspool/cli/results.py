"""How the commands that deploy end: write files, print the table, check the budget."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from unspool import firmware
from unspool.cli.console import BROKEN, console
from unspool.cli.options import MODEL
from unspool.cli.trained import training_of
from unspool.compilation.budgets import Budget
from unspool.deployed import Deployment, save
from unspool.errors import UnspoolError
from unspool.frontend.time_first import time_first
from unspool.page.html import as_html
from unspool.parts.deployment import DeploymentInParts
from unspool.parts.saving import bundle_in_parts
from unspool.parts.saving import save as save_parts
from unspool.report import document, listing
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.listing import digest
from unspool.report.making import Beside, of_deployment, of_parts
from unspool.report.report import Report
from unspool.report.terminal.report import as_table, what_next
from unspool.support import files
from unspool.tflite import flatbuffer, marks
from unspool.tflite.signature import Signature
from unspool.unrolling.stream_checks import smallest_chunk

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Source:
    """Where a deployed model is from, for the advice.

    Attributes:
        model: the trained model's file; model.keras in the folder of the results where None.
        config: the model's layers in JSON, where its file has weights alone.
        command: deploys the model again; the one given where empty.
        options: how it is deployed, as `unspool compress` is told it, too.
    """

    model: Path | None = None
    config: Path | None = None
    command: str = ""
    options: Sequence[str] = ()


def finish(
    deployment: Deployment | DeploymentInParts,
    folder: Path,
    source: Source,
    budget: Budget | None = None,
    beside: Beside | None = None,
) -> None:
    """Write models, firmware and the reports to a folder, and print the table.

    Args:
        deployment: what was deployed.
        folder: for the results.
        source: where the model is from.
        budget: what the deployment may cost.
        beside: what the figures are shown beside.

    Raises:
        typer.Exit: with status 1, where the budget is broken; the files are written all the same.
    """
    screen, beside = console(), beside or Beside()
    with files.together(folder) as staged:
        sizes = _trained(folder, source)
        if isinstance(deployment, DeploymentInParts):
            sizes |= save_parts(deployment, staged)
            report = of_parts(
                deployment, sizes, _request_in_parts(deployment, folder, source), budget, beside
            )
        else:
            sizes |= save(deployment, staged)
            request = _request(deployment, folder, source)
            report = of_deployment(deployment, sizes, request, budget, beside)
        bundled, problem = _bundle(deployment, staged)
        trained = {name: folder / name for name in sizes if not (staged / name).exists()}
        listed = write(report, staged, {n: digest(files.read(p)) for n, p in trained.items()})
        older = listing.beside(folder)
    listing.remove_older(folder, older, listed)
    show(report, screen)
    if problem:
        screen.print(f"no firmware bundle: {problem}")
    names = [*sizes, "report.json", "report.html", *bundled]
    screen.print(f"written to {folder}: {', '.join(names)}")
    exit_if_broken(report)


def write(report: Report, staged: Path, more: Mapping[str, str] = _NOTHING) -> dict[str, str]:
    """Write report.json and report.html beside the files that they describe.

    Args:
        report: what is said of them.
        staged: where all others lie already.
        more: files that lie where these will, and what stands for them.

    Returns:
        all files that the report describes.
    """
    files.write(staged / "report.html", as_html(report))
    listed = {**more, **listing.of_folder(staged)}
    files.write(staged / document.NAME, as_json(report, listed))
    return listed


def show(report: Report, screen: Console) -> None:
    """Print the table and what to do next."""
    screen.print(as_table(report))
    # On a terminal sentences are wrapped by their words; elsewhere each is a line.
    screen.print(what_next(report), crop=False, soft_wrap=not screen.is_terminal)


def _trained(folder: Path, source: Source) -> dict[str, int]:
    """File name -> bytes of the trained model, where the command itself wrote it."""
    return {} if source.model else {MODEL: (folder / MODEL).stat().st_size}


def _request(deployment: Deployment, folder: Path, source: Source) -> Request:
    signature = Signature(deployment.quantized_tflite)
    chunk = smallest_chunk(deployment.trained)
    at_once = not marks.read(flatbuffer.look(deployment.quantized_tflite)).carried
    by_calls = chunk or not (signature.masks or time_first(deployment.trained).notes)
    return Request(
        quantized=str(folder / f"model_{deployment.activations}.tflite"),
        out=str(folder),
        model=str(source.model or folder / MODEL),
        config=str(source.config or ""),
        again=source.command or command_line(),
        options=tuple(source.options),
        activations=deployment.activations,
        time_steps=signature.time_steps if at_once and by_calls else 0,
        chunk=chunk,
        training=training_of(deployment.trained),
    )


def _request_in_parts(deployment: DeploymentInParts, folder: Path, source: Source) -> Request:
    return Request(
        quantized="",  # there are several
        out=str(folder),
        model=str(source.model or folder / MODEL),
        again=source.command or command_line(),
        activations=deployment.activations,
    )


def _bundle(deployment: Deployment | DeploymentInParts, folder: Path) -> tuple[list[str], str]:
    """Write the firmware bundle: (what was written, for people, why there can be none)."""
    try:
        if isinstance(deployment, DeploymentInParts):
            texts = bundle_in_parts(deployment, "network")
        else:
            texts = firmware.bundle(deployment.quantized_tflite, deployment.compiled, "network")
    except UnspoolError as error:  # the models are good all the same
        return [], str(error)
    firmware.write(texts, folder / "firmware")
    return ["firmware/"], ""


def exit_if_broken(report: Report) -> None:
    """End with status 1 where the report breaks its budget."""
    if report.breaches:
        raise typer.Exit(BROKEN)


def command_line() -> str:
    """The command that the user gave, to be given again with other options."""
    return shlex.join(["unspool", *sys.argv[1:]])
