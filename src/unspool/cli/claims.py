"""Folders for results: no two commands write to one at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from unspool.support import files

_HELD: ContextVar[ExitStack] = ContextVar("_HELD")


@contextmanager
def claims() -> Iterator[None]:
    """While a command runs: what it claims is free again afterwards, however it ends."""
    with ExitStack() as held:
        token = _HELD.set(held)
        try:
            yield
        finally:
            _HELD.reset(token)


def claimed(out: Path) -> Path:
    """A folder for the results of this command, created; other commands are told so.

    Raises:
        UnspoolError: it cannot be written, or another command writes to it.
    """
    folder = files.output_folder(out)
    _HELD.get().enter_context(files.alone_in(folder))
    return folder
