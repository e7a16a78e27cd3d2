"""What all commands share: where they print, how they show progress, how they end."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from unspool.support.progress import Watch

BROKEN = 1
"""Exit status where a budget is broken."""

MISTAKE = 2
"""Exit status where the user's input cannot be worked with."""

DEFECT = 70
"""Exit status where neither is so, and it cannot go on: a defect, no memory, a full disk."""

_PLAIN_WIDTH = 160
_BAR = 20
# A name with brackets or colons is no mark-up.
_AS_IT_IS: Any = {"highlight": False, "markup": False, "emoji": False}


class _Console(Console):
    """Leaves it to the command to end where nobody reads on; Rich would, as if a budget broke."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(stderr: bool = False) -> Console:
    """A console for results (stdout) or for progress and errors (stderr).

    Plain, without colours and escape codes, where the stream is not a terminal or NO_COLOR is set.
    """
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty():
        return _Console(file=stream, width=_PLAIN_WIDTH, force_terminal=False, **_AS_IT_IS)
    plain = bool(os.environ.get("NO_COLOR"))
    return _Console(file=stream, force_terminal=not plain, no_color=plain, **_AS_IT_IS)


interrupted = threading.Event()
"""Set by Ctrl-C and SIGTERM, since libraries sometimes swallow the exception."""


@contextmanager
def watching() -> Iterator[Watch]:
    """Show stages as they go: bars on a terminal, one line per finished stage elsewhere.

    Yields:
        a function of a stage's name, how much of it is done, and how much there is.
    """
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lines()
        return
    progress, watch = bars(screen)
    with progress:
        yield watch


def bars(screen: Console, kind: type[Progress] = Progress) -> tuple[Progress, Watch]:
    """Progress bars, one per stage, and the function that moves them."""
    columns = [
        TextColumn("{task.description}", table_column=Column(no_wrap=False)),
        BarColumn(bar_width=_BAR),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    progress = kind(*columns, console=screen)
    tasks: dict[str, TaskID] = {}

    def show(stage: str, done: int, total: int) -> None:
        name, _, detail = stage.partition(":")
        if name not in tasks:
            tasks[name] = progress.add_task(name, total=total)
        description = name + (f" ({detail.strip()})" if detail else "")
        progress.update(tasks[name], completed=done, total=total, description=description)

    return progress, _stoppable(show)


def _stoppable(show: Watch) -> Watch:
    """After a Ctrl-C that a library swallowed, stop at the next report of progress."""

    def watch(stage: str, done: int, total: int) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        show(stage, done, total)

    return watch


def lines() -> Watch:
    """One line on stderr for each stage that is finished."""
    started: dict[str, float] = {}

    def show(stage: str, done: int, total: int) -> None:
        name, _, detail = stage.partition(":")
        start = started.setdefault(name, time.perf_counter())
        if done >= total and start >= 0:
            started[name] = -1.0  # said once
            seconds = time.perf_counter() - start
            suffix = f" ({detail.strip()})" if detail else ""
            print(f"{name}: {seconds:.1f} s{suffix}", file=sys.stderr, flush=True)

    return _stoppable(show)
