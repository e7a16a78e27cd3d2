"""Samples in NumPy's files, which may be damaged, or promise more than there is."""

import math
import sys
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from unspool.errors import UnspoolError
from unspool.support import files
from unspool.support.files import AnyPath
from unspool.support.samples import Samples
from unspool.support.text import brief


def load(path: AnyPath) -> Samples:
    """Read samples from a .npy file, or from a .npz file with one array per input name.

    Raises:
        UnspoolError: the file is missing, is not NumPy's format, holds pickled objects, or is
            larger than this machine's memory.
    """
    path = Path(path)
    try:
        _check_size(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise UnspoolError(f"{path}: no such file") from None
    except UnspoolError:
        raise
    except Exception as error:  # of zip, its ways to pack, and NumPy's header
        reason = brief(error)
        if "allow_pickle" in reason:  # NumPy's advice, to allow it, is to run what the file says
            reason = "it holds Python objects, which may run code when they are read"
        raise UnspoolError(
            f"{path}: cannot be read as a NumPy .npy or .npz file of numbers ({reason}); write it "
            "with numpy.save or numpy.savez, of arrays of numbers"
        ) from None


def load_pair(paths: tuple[AnyPath, AnyPath] | None) -> tuple[Samples, Samples] | None:
    """Read samples, and what the outputs should be for them; None of None.

    Raises:
        UnspoolError: as `load`.
    """
    return (load(paths[0]), load(paths[1])) if paths else None


def _check_size(path: Path) -> None:
    """Refuse a file whose arrays would not fit in memory, before any is allocated."""
    files.check_regular(path)
    with path.open("rb") as file:
        is_array, size = file.read(2) != b"PK", path.stat().st_size
        file.seek(0)
        if is_array:
            _check_header(file, path.name, size)
        else:
            size = _unpacked_size(file)
    files.check_fits_memory(path, size)


def _unpacked_size(file: BinaryIO) -> int:
    """Bytes that the arrays of a .npz take; ValueError where one promises more than is there."""
    with ZipFile(file) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                _check_header(member, info.filename, info.file_size)
        return sum(info.file_size for info in archive.infolist())


def _check_header(file: Any, name: str, size: int) -> None:
    """Refuse an array that promises more than a file of so many bytes holds (ValueError)."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.names:
        raise ValueError(f"{name} is of records, {dtype}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"{name} promises {shape} {dtype}, but is shorter")
    if math.prod(filter(None, shape)) * max(1, dtype.itemsize) > sys.maxsize:
        raise ValueError(f"{name} is empty, but of the shape {shape}")  # which is not to be joined
