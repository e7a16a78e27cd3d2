"""A folder of its own for all that a command and its libraries put where temporary files go."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from unspool.support import own_folders
from unspool.support.signals import undisturbed


@contextmanager
def own_folder() -> Iterator[None]:
    """Let this process and those that it starts have their temporary files in a folder of its own.

    It is gone afterwards, and so are those of commands that were killed. Where none can be made,
    all is as it was.
    """
    with ExitStack() as afterwards:
        with undisturbed(), suppress(OSError):
            place = Path(tempfile.gettempdir())
            folder = afterwards.enter_context(own_folders.own_folder(place, "unspool-command-"))
            afterwards.callback(_use, tempfile.tempdir, os.environ.get("TMPDIR"))
            _use(str(folder), str(folder))
        yield


def _use(folder: str | None, variable: str | None) -> None:
    """Let temporary files go to a folder, here and in processes that are started from here."""
    tempfile.tempdir = folder
    if variable is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = variable
