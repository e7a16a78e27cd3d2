"""A search as it goes: a live table over the progress of what is tried."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Group
from rich.live import Live

from unspool.cli.console import bars, console, lines
from unspool.progress import Watch

if TYPE_CHECKING:
    from unspool.searching import Search

OnCandidate: TypeAlias = "Callable[[Search], None]"


@contextmanager
def showing() -> Iterator[tuple[OnCandidate, Watch]]:
    """Show a search: a live table on a terminal, one line per candidate elsewhere.

    Yields:
        what to call with the search so far, and a watcher for what is being tried.
    """
    from unspool.report.compression import search_table

    screen = console(stderr=True)
    if not screen.is_terminal:
        told: set[object] = set()

        def tell(search: "Search") -> None:
            for candidate in search.candidates:
                if candidate.setting not in told:
                    told.add(candidate.setting)
                    screen.print(
                        f"{candidate.setting}: {candidate.accuracy:.2f} %, "
                        f"{candidate.flash_kib:.1f} KiB, {candidate.cycles:,} cycles"
                        + ("" if search.holds(candidate) else ", loses too much")
                    )

        yield tell, lines()
        return
    progress, watch = bars(screen)
    with Live(progress, console=screen) as live:
        yield lambda search: live.update(Group(search_table(search), progress)), watch
