"""What a search tried."""

from collections.abc import Sequence

from unspool.report.charts.pareto import Candidate, pareto
from unspool.report.document import Picture, Section, Table


def search(points: Sequence[Candidate]) -> Section:
    """What a search tried."""
    if not points:
        return Section("search", "Search")
    front = sum(p.on_front for p in points)
    picture = Picture(
        "Accuracy against flash and cycles",
        f"{len(points)} models, {front} of them on the front: none is at least as good in "
        "everything and better in something.",
        "%, KiB (1024 bytes), cycles",
        "estimated",
        "accuracy: measured; flash and cycles: Vela's estimate",
        (pareto(points),),
        table=Table(
            "Models of the search",
            ("Model", ">Accuracy, %", ">Flash, KiB", ">Cycles", "On the front", "Chosen"),
            [
                (
                    p.label,
                    f"{p.accuracy_percent:.2f}",
                    f"{p.flash_kib:,.1f}",
                    f"{p.cycles:,}",
                    "yes" if p.on_front else "no",
                    "yes" if p.chosen else "",
                )
                for p in points
            ],
        ),
    )
    return Section("search", "Search", (picture,))
