"""Output files: never half-written."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from unspool.errors import UnspoolError

AnyPath: TypeAlias = str | os.PathLike[str]
"""What names a file: what `open` takes."""


def output_folder(path: AnyPath) -> Path:
    """Create a folder for results, and make sure that it can be written before any work is done.

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
    """Write a file beside its place, then rename it: it is there whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    replace(path, lambda temporary: temporary.write_bytes(data))


def replace(path: AnyPath, make: Callable[[Path], object]) -> None:
    """Let `make` write a file of the same suffix beside `path`, then rename it to `path`."""
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


def read(path: AnyPath) -> bytes:
    """Read a file that the user named.

    Raises:
        UnspoolError: it is missing or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnspoolError(f"{path}: {error.strerror or error}") from None
