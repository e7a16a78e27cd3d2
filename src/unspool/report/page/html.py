"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from functools import cache
from importlib.resources import files
from typing import Any

from unspool.drift import Drift
from unspool.report.page.keys import keys
from unspool.report.page.parts import Page
from unspool.report.page.sections.accuracy import accuracy
from unspool.report.page.sections.compressed import compressed
from unspool.report.page.sections.cycles import cycles
from unspool.report.page.sections.details import details
from unspool.report.page.sections.graph import graph
from unspool.report.page.sections.memory import memory
from unspool.report.page.sections.ranges import ranges
from unspool.report.page.sections.stream import drift, stream
from unspool.report.report import Report


def as_html(report: Report) -> str:
    """Render a report as a page."""
    values = {"page": _page(report), "report": report}
    return str(_environment().get_template("report.html.jinja").render(values))


def add_drift(page: str, found: Drift) -> str:
    """Put how far a stream strays into a page that `as_html` made without it, or with another.

    The page itself where it is not one of these.
    """
    parts = _environment().get_template("parts.html.jinja").module
    section = drift(found)
    for part in ("link", "section"):
        start, end = f"<!-- drift {part} -->", f"<!-- /drift {part} -->"
        before, opened, rest = page.partition(start)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            return page
        page = f"{before}{start}{getattr(parts, part)(section)}{end}{after}"
    return page


def _page(report: Report) -> Page:
    every = (
        accuracy(report),
        compressed(report.compression),
        cycles(report),
        memory(report),
        ranges(report.calibration),
        stream(report),
        drift(report.drift),
        graph(report),
        details(report),
    )
    return Page(
        title=f"{report.model['name']} on {report.compiled.target.accelerator}",
        keys=keys(report),
        sections=every,
        missing=tuple(
            _MISSING[section.id]
            for section in every
            if not section.filled and section.id in _MISSING
        ),
    )


_MISSING = {
    "accuracy": "Accuracy: there were no test samples (unspool deploy --test X.npy Y.npy).",
    "cycles": "Cycles: nothing runs on the NPU.",
    "memory": "Memory plan: Vela printed none.",
    "ranges": "Ranges: a file was compiled that had been quantized before.",
    "graph": "One step: no tensor's name says which step it belongs to.",
}


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("unspool.report.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("unspool.report.page").joinpath("report.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(style)
    environment.filters["picture"] = Markup  # of the charts, which escape what they are given
    return environment
