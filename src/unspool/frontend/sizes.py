"""How much a Keras file holds, before Keras reads it: no more is unpacked, and no more is built.

A zip of some kB unpacks to gigabytes, an HDF5 data set may declare what was never written or lie in
another file, and a configuration of a few lines has layers of any size.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import h5py

from unspool.errors import UnspoolError
from unspool.support import files
from unspool.support._tensorflow import keras
from unspool.support.text import brief

_WEIGHTS = "model.weights.h5"
_TEXT = 2**26
"""Bytes that a file's JSON may have; of a thousand layers, it has less than two million."""

_LEAST = 2**26
"""Bytes that any file may unpack to."""

_TIMES = 100
"""How many times its size a larger one may; zeros and shared values pack to a fiftieth."""

_PIECE = 2**20

_TRIALS = 4
"""How often the weights may be made: Keras is asked again with less, where it fails."""


def entries(path: Path) -> int:
    """How many numbers the weights in a file have.

    Args:
        path: of a .keras or an HDF5 file.

    Raises:
        UnspoolError: it holds more than it has bytes for, or refers to another file.
    """
    try:
        return _of_hdf5(path) if path.suffix != ".keras" else _of_archive(path)
    except UnspoolError:
        raise
    except Exception as error:  # of zip and HDF5, and others where numbers in it are damaged
        raise UnspoolError(f"a corrupt {path.suffix} file ({brief(error)})") from None


def _of_archive(path: Path) -> int:
    with ZipFile(path) as archive:
        _check_members(archive, path)
        if _WEIGHTS not in archive.namelist():  # as the first versions of Keras 3 wrote them
            return sum(member.file_size for member in archive.infolist())
        with archive.open(_WEIGHTS) as weights:
            return _of_hdf5(weights)


def _check_members(archive: ZipFile, path: Path) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise UnspoolError("a zip file with two members of one name; save the model again")
    size, most = sum(m.file_size for m in members), max(_LEAST, _TIMES * path.stat().st_size)
    files.check_fits_memory(path, size, "unpacks to ")
    if size > most:
        raise UnspoolError(f"unpacks to {size:,} bytes; expected at most {most:,} for its size")
    for member in members:
        if member.filename.endswith(".json") and member.file_size > _TEXT:
            raise UnspoolError(
                f"its {member.filename} has {member.file_size:,} bytes; expected at most {_TEXT:,}"
            )
        with archive.open(member) as content:  # a piece at a time: its directory may lie
            while content.read(_PIECE):
                pass


def _of_hdf5(file: Path | IO[bytes]) -> int:
    total = 0
    with h5py.File(file) as opened:
        for dataset in _data_sets(opened):
            if dataset.is_virtual or dataset.external:
                raise UnspoolError(
                    f"its {dataset.name} lies in another file, which Unspool never opens"
                )
            # What is packed may be of any size.
            if not dataset.compression and dataset.nbytes > dataset.id.get_storage_size():
                raise UnspoolError(
                    f"its {dataset.name} of the shape {dataset.shape} holds "
                    f"{dataset.id.get_storage_size():,} bytes; expected {dataset.nbytes:,}"
                )
            total += dataset.size
            files.check_fits_memory(opened.filename, 4 * total, "weights of ")
    return total


def _data_sets(file: Any) -> Iterator[Any]:
    """Each data set, of a file whose groups lie in no other file and not in each other."""
    seen, waiting = set(), [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise UnspoolError(f"its {name!r} is a link, which Unspool never follows")
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            if place in seen:
                raise UnspoolError(f"its {name!r} stands there twice")
            seen.add(place)
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                yield item


@contextmanager
def built_of(stored: int) -> Iterator[None]:
    """Let layers have no more weights than their file has, before memory is taken for them.

    Raises:
        UnspoolError: they declare more.
    """
    most, declared = _TRIALS * stored + 1000, 0
    layers = keras.layers.Layer
    whole = layers.add_weight

    def add_weight(layer: Any, *args: Any, **options: Any) -> Any:
        nonlocal declared
        shape = options.get("shape", args[0] if args else None)
        if declared <= most:
            declared += math.prod(shape) if isinstance(shape, tuple | list) else 1
        _check(declared, most, stored)
        return whole(layer, *args, **options)

    layers.add_weight = add_weight
    try:
        yield
    except Exception:
        _check(declared, most, stored)  # Keras makes another exception of it
        raise
    finally:
        layers.add_weight = whole


def _check(declared: int, most: int, stored: int) -> None:
    if declared > most:
        raise UnspoolError(
            f"its layers declare {declared:,} weights or more, but it holds {stored:,}; it is "
            "damaged, or these are the weights of another model"
        )
