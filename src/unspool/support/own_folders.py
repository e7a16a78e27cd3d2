"""Folders of a process's own, which do not outlive it for long.

A kill -9 leaves them, and the next process that makes one there removes them: nobody holds their
locks any more.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from unspool.support.signals import undisturbed


@contextmanager
def own_folder(place: Path, start: str) -> Iterator[Path]:
    """A new folder in another, that nobody else can guess or write to; it is gone afterwards.

    Args:
        place: the other one; what processes that were killed left there goes, too.
        start: of its name; nothing else has one that starts so.

    Raises:
        OSError: none can be made.
    """
    with ExitStack() as afterwards:
        with undisturbed():
            _remove_left(place, start)
            folder = _locked(place, start, afterwards)
            afterwards.callback(_remove, folder)
        yield folder


def _remove(folder: Path) -> None:
    with undisturbed():
        shutil.rmtree(folder, ignore_errors=True)


def _locked(place: Path, start: str, afterwards: ExitStack) -> Path:
    """A new folder, locked; another process may take it for one that was left until it is."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=start, dir=place))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            afterwards.callback(os.close, lock)
            with suppress(OSError):  # a file system that has no locks: then none is removed, too
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder


def _remove_left(place: Path, start: str) -> None:
    """Remove the folders of processes that were killed."""
    for folder in place.glob(f"{start}*"):
        with suppress(OSError):  # a live process's, another user's, or gone by now
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
