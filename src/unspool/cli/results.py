"""How `mnist` and `deploy` end: files written, the table printed."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from unspool import files, firmware
from unspool.deployment import Deployment, save
from unspool.drift import Drift
from unspool.errors import UnspoolError
from unspool.report.as_json import as_json
from unspool.report.html import as_html
from unspool.report.report import of_deployment
from unspool.report.table import as_table


def finish(
    deployment: Deployment,
    folder: Path,
    screen: Console,
    *,
    already: Mapping[str, int] | None = None,
    guide: Mapping[str, float] | None = None,
    seconds: Mapping[str, float] | None = None,
    drift: Drift | None = None,
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
    """
    sizes = {**(already or {}), **save(deployment, folder)}
    report = of_deployment(deployment, sizes, guide, seconds, drift)
    files.write(folder / "report.json", as_json(report))
    files.write(folder / "report.html", as_html(report))
    screen.print(as_table(report))
    written = [*sizes, "report.json", "report.html"]
    try:
        texts = firmware.bundle(deployment.quantized_tflite, deployment.compiled, "network")
        firmware.write(texts, folder / "firmware")
        written.append("firmware/")
    except UnspoolError as error:  # the models are good all the same
        screen.print(f"no firmware bundle: {error}")
    screen.print(f"written to {folder}: {', '.join(written)}")
