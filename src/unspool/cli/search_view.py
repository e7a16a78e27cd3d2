"""Show a search while it runs: a live table above the progress of the current candidates."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console, Group
from rich.live import Live

from unspool.cli.console import bars, console, lines
from unspool.support import files
from unspool.support.progress import Watch

if TYPE_CHECKING:
    from unspool.compression.search_results import Search

OnCandidate: TypeAlias = "Callable[[Search], None]"


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
    except KeyboardInterrupt:
        best = so_far[-1].chosen if so_far else None
        if best is not None:
            listing.begin_anew(folder)
            files.write(folder / "model.keras", so_far[-1].models[best.setting].read_bytes())
            screen.print(f"the best so far, {best.setting}, is kept: {folder / 'model.keras'}")
        screen.print(f"what was tried is kept in {folder}: the same command goes on from there")
        raise


def _live(screen: Console) -> "tuple[OnCandidate, Watch, AbstractContextManager[object]]":
    from unspool.report.compression import search_table

    progress, watch = bars(screen)
    live = Live(progress, console=screen)
    return lambda search: live.update(Group(search_table(search), progress)), watch, live


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
