"""Show a search while it runs: a live table above the progress of the current candidates."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress

from unspool.cli.console import bars, console, interrupted, lines
from unspool.errors import UnspoolError
from unspool.support import files
from unspool.support.progress import Watch

if TYPE_CHECKING:
    from unspool.compression.search_results import Search
    from unspool.report.compression import SearchTable

OnCandidate: TypeAlias = "Callable[[Search], None]"

_REFRESHES = 2
"""A second: trainings take minutes."""
_RUNNING = 5
"""Lines of a terminal for what is being tried."""


@contextmanager
def showing(folder: Path) -> Iterator[tuple[OnCandidate, Watch]]:
    """Show a search: a live table on a terminal, one line per candidate elsewhere.

    After Ctrl-C the best model so far is written to the folder.

    Yields:
        what to call with the search so far, and a watcher for what is being tried.
    """
    from unspool.report import listing

    screen = console(stderr=True)
    so_far: list[Search] = []
    show, watch, live = _live(screen) if screen.is_terminal else _plain(screen)

    def on_candidate(search: "Search") -> None:
        so_far.append(search)
        show(search)

    try:
        with live:
            yield on_candidate, watch
    except (KeyboardInterrupt, UnspoolError) as error:
        if isinstance(error, UnspoolError) and not interrupted.is_set():
            raise  # else it is of Vela, say, which the same Ctrl-C ended
        best = so_far[-1].chosen if so_far else None
        if best is not None:
            listing.begin_anew(folder)
            files.write(folder / "model.keras", so_far[-1].models[best.setting].read_bytes())
            screen.print(f"the best so far, {best.setting}, is kept: {folder / 'model.keras'}")
        screen.print(f"what was tried is kept in {folder}: the same command goes on from there")
        raise


def _live(screen: Console) -> "tuple[OnCandidate, Watch, AbstractContextManager[object]]":
    progress, watch = bars(screen, Running)
    live = Live(progress, console=screen, refresh_per_second=_REFRESHES)
    return lambda search: live.update(Group(last_rows(search, screen), progress)), watch, live


class Running(Progress):
    """Bars of what is being tried: what is done is a row of the table."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars."""
        yield self.make_tasks_table([task for task in self.tasks if not task.finished])


def last_rows(search: "Search", screen: Console) -> "SearchTable":
    """Of a long search, as much of what was tried last as fits above what is being tried."""
    from unspool.report.compression import SearchTable

    count = len(search.previews) + len(search.candidates)
    for left_out in range(count):
        table = SearchTable(search, left_out)
        if len(screen.render_lines(table)) <= screen.height - _RUNNING:
            return table
    return SearchTable(search, count)


def _plain(screen: Console) -> "tuple[OnCandidate, Watch, AbstractContextManager[object]]":
    from unspool.report.compression import metric_label, metric_number

    printed: set[object] = set()

    def show(search: "Search") -> None:
        goal = search.goal
        for candidate in (*search.previews, *search.candidates):
            if candidate not in printed:
                printed.add(candidate)
                screen.print(
                    f"{candidate.setting}, {candidate.epochs} epochs: {metric_label(goal)} "
                    f"{metric_number(goal, candidate.value)}, {candidate.flash_kib:.1f} KiB, "
                    f"{candidate.cycles:,} cycles"
                    + ("" if search.holds(candidate) else ", loses too much")
                )

    return show, lines(), nullcontext()
