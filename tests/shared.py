"""What takes long to make is made once for all workers, and kept until a source changes."""

import fcntl
import functools
import hashlib
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import TypeVar

import unspool

_Made = TypeVar("_Made")
_TESTS = Path(__file__).parent
_SOURCES = Path(unspool.__file__).parent
_PLACE = _TESTS.parent / ".pytest_cache" / "made"
_STATES_KEPT = 3  # of the sources


def value(name: str, make: Callable[[], _Made]) -> _Made:
    """What `make` returns, pickled by whichever worker comes first."""

    def fill(folder: Path) -> None:
        (folder / "pickled").write_bytes(pickle.dumps(make()))

    made: _Made = pickle.loads((folder(name, fill) / "pickled").read_bytes())
    return made


def folder(name: str, fill: Callable[[Path], object]) -> Path:
    """A folder that `fill` wrote into; tests only read it."""
    place, done = _place() / name, _place() / f"{name}.done"
    with _alone(_place() / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            fill(place)
            done.touch()
    return place


@functools.cache
def _place() -> Path:
    """The folder of the present sources; those of long ago are removed."""
    place = _PLACE / _state()
    place.mkdir(parents=True, exist_ok=True)
    place.touch()
    by_age = sorted(_PLACE.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[_STATES_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return place


def _state() -> str:
    """A hash of all that the values depend on: our files, the tests', Python and the libraries."""
    libraries = sorted(f"{each.name} {each.version}" for each in distributions())
    digest = hashlib.sha256(repr([sys.version, libraries]).encode())
    for root in (_SOURCES, _TESTS):
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            if "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Other workers wait here for what this one makes."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
