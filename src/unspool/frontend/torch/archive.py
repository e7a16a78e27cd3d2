"""A .pt2 file: a zip of JSON and raw weights. A pickle in it is never opened.

What torch.export.save writes: https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/export/pt2_archive.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import ml_dtypes
import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import MOST, check_entries
from unspool.support import files
from unspool.support.text import brief

_DTYPES: dict[int, Any] = {
    1: np.uint8,
    2: np.int8,
    3: np.int16,
    4: np.int32,
    5: np.int64,
    6: np.float16,
    7: np.float32,
    8: np.float64,
    12: np.bool_,
    13: ml_dtypes.bfloat16,
}
"""PyTorch's number of a type in the file -> NumPy's."""


@dataclass(frozen=True)
class Program:
    """An exported program.

    Attributes:
        graph: its graph module, as JSON has it.
        weights: parameter, buffer or constant -> its values, by their names in the model.
    """

    graph: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]


def is_program(path: Path) -> bool:
    """Whether a file is a zip that torch.export.save wrote."""
    return has_member(path, "/archive_format")


def has_member(path: Path, ending: str) -> bool:
    """Whether a file is a zip with a member whose name ends so."""
    try:
        with ZipFile(path) as archive:
            return any(name.endswith(ending) for name in archive.namelist())
    except Exception:  # not a zip, or one that is damaged in any way
        return False


def read(path: Path) -> Program:
    """Read an exported program.

    Raises:
        UnspoolError: it is damaged, or too large, or of a form that is not known.
    """
    try:
        with ZipFile(path) as archive:
            _check_sizes(archive, path)
            return _program(archive)
    except UnspoolError:
        raise
    except KeyError as error:
        raise UnspoolError(f"a .pt2 file without {error}; save it with torch.export.save") from None
    except Exception as error:  # of zip, JSON and what is in it
        reason = f"{type(error).__name__}: {brief(error)}"
        raise UnspoolError(f"a damaged .pt2 file: {reason}") from None


def _check_sizes(archive: ZipFile, path: Path) -> None:
    """Check what a file says that it unpacks to; `_member` unpacks no more than that."""
    packed, members = path.stat().st_size, archive.infolist()
    size = sum(member.file_size for member in members)
    files.check_fits_memory(path, size, "unpacks to ")
    if any(member.compress_size > packed for member in members) or size > max(packed, MOST):
        raise UnspoolError(
            f"a .pt2 file of {packed:,} bytes, which says that it unpacks to {size:,}; save it "
            "with torch.export.save, which does not compress"
        )


def _member(archive: ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        return member.read(archive.getinfo(name).file_size)


def _program(archive: ZipFile) -> Program:
    names = archive.namelist()
    models = [name for name in names if name.endswith(".json") and "/models/" in name]
    if len(models) != 1:
        raise UnspoolError(f"a .pt2 file of {len(models)} programs; expected one")
    root = models[0].split("/models/")[0]
    if f"{root}/byteorder" in names and _member(archive, f"{root}/byteorder").strip() != b"little":
        raise UnspoolError("a .pt2 file of a big-endian machine; expected little-endian")
    described = json.loads(_member(archive, models[0]))
    weights: dict[str, np.ndarray] = {}
    for kind in ("weights", "constants"):
        config = f"{root}/data/{kind}/model_{kind}_config.json"
        if config in names:
            for name, entry in json.loads(_member(archive, config))["config"].items():
                weights[name] = _array(archive, f"{root}/data/{kind}", name, entry)
                check_entries("weights", [sum(value.size for value in weights.values())])
    return Program(described["graph_module"], weights)


def _array(archive: ZipFile, folder: str, name: str, entry: Mapping[str, Any]) -> np.ndarray:
    if entry["use_pickle"]:
        raise UnspoolError(f"weights {name!r} are pickled, which Unspool never opens")
    meta = entry["tensor_meta"]
    shape = [size["as_int"] for size in meta["sizes"]]
    strides = [stride["as_int"] for stride in meta["strides"]]
    dtype = np.dtype(_DTYPES[meta["dtype"]])
    check_entries(f"weights {name!r}", shape)
    raw = _member(archive, f"{folder}/{entry['path_name']}")
    flat = np.frombuffer(raw, dtype, offset=meta["storage_offset"]["as_int"] * dtype.itemsize)
    reach = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if prod(shape) and (min([0, *strides]) < 0 or reach > flat.size):
        raise UnspoolError(f"weights {name!r}: {flat.size} entries are no {tuple(shape)}")
    whole = np.lib.stride_tricks.as_strided(
        flat, shape, [step * dtype.itemsize for step in strides], writeable=False
    )
    values = np.ascontiguousarray(whole)
    return values.astype(np.float32, copy=False) if values.dtype.kind not in "iub" else values
