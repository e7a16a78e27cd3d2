"""Files that a user names: read if they are files, and never half-written."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from unspool.errors import UnspoolError

AnyPath: TypeAlias = str | os.PathLike[str]
"""A path of a file, as `open` takes it."""


def output_folder(path: AnyPath) -> Path:
    """Create a folder for results, and check before any work that it can be written to.

    Raises:
        UnspoolError: it cannot be created or written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UnspoolError(
            f"output folder {path}: cannot be written ({error.strerror or error}); "
            "choose another (`out`)"
        ) from None
    return path


def write(path: AnyPath, content: bytes | str) -> None:
    """Write a file under a temporary name, then rename it: it is never there half-written.

    Raises:
        UnspoolError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    replace(path, lambda temporary: temporary.write_bytes(data))


def replace(path: AnyPath, make: Callable[[Path], object]) -> None:
    """Let `make` write a file of the same suffix beside `path`, then rename it to `path`.

    Raises:
        UnspoolError: it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        make(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UnspoolError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def check_fits_memory(path: AnyPath, size: int, what: str = "") -> None:
    """Refuse content that would not fit in this machine's memory, before any is allocated.

    Args:
        path: the file, for the message.
        size: bytes that its content takes.
        what: stands before the size in the message.

    Raises:
        UnspoolError: it would not fit.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise UnspoolError(
            f"{path}: {what}{size / 2**30:.1f} GiB, but this machine has {memory / 2**30:.1f} GiB"
        )


def check_regular(path: AnyPath) -> None:
    """Refuse a pipe or a device, which may never end, and a file larger than memory.

    What is missing, and a folder, are left to who opens it.

    Raises:
        UnspoolError: it is one of these.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise UnspoolError(f"{path}: is a pipe or a device; expected a file on a disk")
    check_fits_memory(path, found.st_size)


def read(path: AnyPath) -> bytes:
    """Read a file that the user named.

    Raises:
        UnspoolError: it is missing, no file, larger than memory, or cannot be read.
    """
    check_regular(path)
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnspoolError(f"{path}: {reason}") from None
