"""A folder of its own for all that a command and its libraries put where temporary files go.

A kill -9 leaves it, and the next command removes it: nobody holds its lock any more.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from unspool.support.signals import undisturbed

_START = "unspool-command-"


@contextmanager
def own_folder() -> Iterator[None]:
    """Let this process and those that it starts have their temporary files in a folder of its own.

    It is gone afterwards, and so are those of commands that were killed. Where none can be made,
    all is as it was.
    """
    with ExitStack() as afterwards:
        with undisturbed(), suppress(OSError):
            place = tempfile.gettempdir()
            _remove_left(Path(place))
            folder = _locked(place, afterwards)
            afterwards.callback(_remove, folder)
            afterwards.callback(_use, tempfile.tempdir, os.environ.get("TMPDIR"))
            _use(folder, folder)
        yield


def _use(folder: str | None, variable: str | None) -> None:
    """Let temporary files go to a folder, here and in processes that are started from here."""
    tempfile.tempdir = folder
    if variable is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = variable


def _remove(folder: str) -> None:
    with undisturbed():
        shutil.rmtree(folder, ignore_errors=True)


def _locked(place: str, afterwards: ExitStack) -> str:
    """A new folder, locked; another command may take it for one that was left until it is."""
    while True:
        folder = tempfile.mkdtemp(prefix=_START, dir=place)
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            afterwards.callback(os.close, lock)
            with suppress(OSError):  # a file system that has no locks: then none is removed, too
                fcntl.flock(lock, fcntl.LOCK_EX)
            if Path(folder).exists():
                return folder


def _remove_left(place: Path) -> None:
    """Remove the folders of commands that were killed."""
    for folder in place.glob(f"{_START}*"):
        with suppress(OSError):  # a live command's, another user's, or gone by now
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
