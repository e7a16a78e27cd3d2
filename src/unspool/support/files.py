"""Files that a user names: read if they are files, and never half-written."""

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from unspool.errors import UnspoolError
from unspool.support.own_folders import own_folder
from unspool.support.signals import undisturbed

AnyPath: TypeAlias = str | os.PathLike[str]
"""A path of a file, as `open` takes it."""

_STAGED = ".unspool-staged-"


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


def output_file(path: Path) -> Path:
    """Create the folder of a file for results, and check before any work that it can be written.

    Raises:
        UnspoolError: it cannot, or is a folder itself.
    """
    output_folder(path.parent)
    if path.is_dir():
        raise UnspoolError(f"{path}: is a folder; expected a file, such as one in it")
    return path


def write(path: AnyPath, content: bytes | str) -> None:
    """Write a file under another name, then rename it: it is never there half-written.

    Raises:
        UnspoolError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    replace(path, lambda temporary: temporary.write_bytes(data))


def replace(path: AnyPath, make: Callable[[Path], object]) -> None:
    """Let `make` write a file of the same name beside `path`, then rename it to `path`.

    Raises:
        UnspoolError: it cannot be written.
    """
    path = Path(path)
    try:
        with own_folder(path.parent, _STAGED) as folder:
            make(folder / path.name)
            (folder / path.name).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> UnspoolError:
    """Of a path as the user knows it, where it is staged."""
    named = Path(*(part for part in path.parts if not part.startswith(_STAGED)))
    return UnspoolError(f"{named}: cannot be written ({error.strerror or error})")


@contextmanager
def together(folder: AnyPath) -> Iterator[Path]:
    """A place for files that belong together: all of them replace those in `folder`, or none.

    They are renamed when all are there, one right after the other; Ctrl-C does not come between.

    Raises:
        UnspoolError: they cannot be written.
    """
    folder = Path(folder)
    try:
        with own_folder(folder, _STAGED) as staged:
            yield staged
            with undisturbed():
                # Last, what says which files belong together.
                paths = (path for path in staged.rglob("*") if path.is_file())
                for path in sorted(paths, key=lambda path: (path.name == "report.json", path)):
                    target = folder / path.relative_to(staged)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(target)
    except OSError as error:
        raise _unwritable(folder, error) from None


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder, those that ask here; a kill ends that, too.

    Raises:
        UnspoolError: another one writes to it.
    """
    locked = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnspoolError(
                f"output folder {folder}: another command writes to it; wait until it has ended, "
                "or choose another (`out`)"
            ) from None
        except OSError:  # a file system that has no locks
            pass
        yield
    finally:
        os.close(locked)


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
        UnspoolError: it is one of these, or a name that no file can have.
    """
    try:
        status = Path(path).stat()
    except ValueError as error:
        raise UnspoolError(f"{path}: {error}") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise UnspoolError(f"{path}: {error.strerror}") from None
        return
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise UnspoolError(f"{path}: is a pipe or a device; expected a file on a disk")
    check_fits_memory(path, status.st_size)


def read(path: AnyPath) -> bytes:
    """Read a file that the user named.

    Raises:
        UnspoolError: it is missing, no file, larger than memory, or cannot be read.
    """
    check_regular(path)
    try:
        return Path(path).read_bytes()
    except IsADirectoryError:
        raise UnspoolError(f"{path}: is a folder; expected a file, such as one in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnspoolError(f"{path}: {reason}") from None
