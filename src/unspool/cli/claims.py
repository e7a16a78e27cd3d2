"""Folders for results: no two commands write to one at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from unspool.support import files
from unspool.support.signals import undisturbed

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

    One that is new, and empty in the end, as of a command that refuses what it was given, goes.

    Raises:
        UnspoolError: it cannot be written, or another command writes to it.
    """
    held, is_new = _HELD.get(), not out.exists()
    with undisturbed():  # or what was created just now would stay
        folder = files.output_folder(out)
        held.enter_context(files.alone_in(folder))
        if is_new:
            held.callback(_remove_if_empty, folder)
    return folder


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # there is something in it
        folder.rmdir()
