"""Which files a report describes: their hashes stand in report.json, and are compared.

Files of a deployment replace an older one's one by one, report.json last; a command that is killed
in between leaves a mixture, which the hashes tell.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from unspool.errors import UnspoolError
from unspool.support import files

KEY = "files"

_OURS = ("model_*.tflite", "firmware/*.[ch]", "firmware/README.md", "report.html")
"""What a deployment may remove that an older one wrote."""


def digest(content: bytes) -> str:
    """What stands for a file."""
    return hashlib.sha256(content).hexdigest()


def of_folder(folder: Path) -> dict[str, str]:
    """Name of each file in a folder, with those of folders in it -> what stands for it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in paths}


def read(content: Mapping[str, Any]) -> dict[str, str]:
    """The files that a report lists; none in one of before Unspool 0.3.

    Raises:
        ValueError: they are no files of its folder.
    """
    listed = content.get(KEY, {})
    if not isinstance(listed, dict):
        raise ValueError(f"{KEY} is {type(listed).__name__}, expected names and hashes")
    for name in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise ValueError(f"{KEY} has {name!r}, which is not in its folder")
    return {name: str(hashed) for name, hashed in listed.items()}


def beside(folder: Path) -> dict[str, str]:
    """The files that the report in a folder lists; none where there is no report of ours."""
    try:
        return read(json.loads(files.read(folder / "report.json")))
    except (UnspoolError, ValueError, AttributeError, RecursionError):
        return {}


def check(folder: Path, listed: Mapping[str, str]) -> None:
    """Check that the files of a folder are those that its report lists; some may be gone.

    Raises:
        UnspoolError: one is another.
    """
    for name, hashed in listed.items():
        path = folder / name
        if path.is_file() and digest(files.read(path)) != hashed:
            raise UnspoolError(
                f"{path}: is not the file that {folder / 'report.json'} describes: a command that "
                "wrote there was killed, or it was replaced; deploy again"
            )


def remove_older(folder: Path, older: Mapping[str, str], newer: Mapping[str, str]) -> None:
    """Remove what an older deployment wrote, as it wrote it, and the newer one has not.

    Args:
        folder: of both.
        older: the files that the older report lists.
        newer: the files of the newer one.
    """
    for name, hashed in older.items():
        path = folder / name
        if name in newer or path.is_symlink() or not path.is_file():
            continue
        if any(fnmatchcase(name, ours) for ours in _OURS) and digest(files.read(path)) == hashed:
            path.unlink()
            if path.parent != folder:
                with suppress(OSError):  # something else lies in it
                    path.parent.rmdir()


def begin_anew(folder: Path) -> None:
    """Remove an older deployment, as it was written: the folder is to hold another model.

    Its report goes first, so that none describes the files of both.
    """
    older = beside(folder)
    if older:
        (folder / "report.json").unlink()
        remove_older(folder, older, {})


def check_listed(path: Path, listed: Mapping[str, str]) -> None:
    """Check that a file, which is the one listed if it is, is listed at all.

    Raises:
        UnspoolError: it is of another deployment than the report.
    """
    if listed and path.name not in listed:
        raise UnspoolError(
            f"{path}: {path.parent / 'report.json'} describes another network, of "
            f"{', '.join(listed)}; deploy again"
        )
