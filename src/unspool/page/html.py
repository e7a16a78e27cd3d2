"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from unspool.page.sections.accuracy import accuracy
from unspool.page.sections.compressed import compressed
from unspool.page.sections.cycles import cycles
from unspool.page.sections.details import details
from unspool.page.sections.graph import graph
from unspool.page.sections.keys import keys
from unspool.page.sections.memory import memory
from unspool.page.sections.parts import Page, Section
from unspool.page.sections.ranges import ranges
from unspool.page.sections.stream import drift, stream
from unspool.page.templates import environment
from unspool.report.report import Report
from unspool.runtime.drift import Drift
from unspool.support.text import visible


def as_html(report: Report) -> str:
    """Render a report as a page."""
    values = {"page": _page(report), "report": report}
    return visible(environment().get_template("report.html.jinja").render(values))


def add_drift(page: str, stream_drift: Drift) -> str:
    """Put how far a stream strays into a page that `as_html` made without it, or with another.

    The page itself where it is not one of these.
    """
    parts = environment().get_template("parts.html.jinja").module
    section = drift(stream_drift)
    for part in ("link", "section"):
        start, end = f"<!-- drift {part} -->", f"<!-- /drift {part} -->"
        before, opened, rest = page.partition(start)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            return page
        page = f"{before}{start}{visible(getattr(parts, part)(section))}{end}{after}"
    return page


def _page(report: Report) -> Page:
    every = (
        accuracy(report),
        compressed(report.compression),
        cycles(report),
        memory(report),
        ranges(report),
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
            if not section.filled and section.id in _MISSING and _is_missed(section, report)
        ),
    )


def _is_missed(section: Section, report: Report) -> bool:
    """Whether what is not there could be: of parts, each has a memory plan of its own."""
    return not (report.parts and section.id == "memory")


_MISSING = {
    "accuracy": "Accuracy: there were no test samples.",
    "cycles": "Cycles: nothing runs on the NPU.",
    "memory": "Memory plan: Vela printed none.",
    "ranges": "Ranges: a file was compiled that had been quantized before.",
    "graph": "One step: no tensor's name says which step it belongs to.",
}
