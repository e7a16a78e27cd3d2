"""Damaged .keras and .h5 files: other bytes, members, configurations, and links that lead out."""

import json
import random
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import h5py
import numpy as np

from fuzz.damage import INTEGERS, TEXTS, damaged
from fuzz.pt2_files import OF_MEMBERS, changed_json, lying, zipped

CONFIG = "model_config"


def drawn_keras(rng: random.Random, content: bytes) -> bytes:
    """The content of a damaged .keras file.

    Args:
        rng: what is damaged.
        content: of a whole file.
    """
    kind = rng.random()
    if kind < 0.15:
        return damaged(rng, content)
    with ZipFile(BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(rng.choice((1, 1, 2, 3))):
        if kind < 0.6:
            _other_config(rng, members)
        elif kind < 0.75:
            _other_weights(rng, members)
        else:
            rng.choice(OF_MEMBERS)(rng, members)
    result = zipped(members, ZIP_DEFLATED if rng.random() < 0.3 else ZIP_STORED)
    return lying(rng, result) if rng.random() < 0.1 else result


def _other_config(rng: random.Random, members: list[tuple[str, bytes]]) -> None:
    for at, (name, content) in enumerate(members):
        if name == "config.json":
            members[at] = (name, _hostile(rng, content))


def _hostile(rng: random.Random, content: bytes) -> bytes:
    """A configuration of which some entry is another, or names what is no layer."""
    if rng.random() < 0.7:
        return changed_json(rng, content)
    kind = rng.choice((b"class_name", b"module", b"registered_name"))
    names = ("os", "builtins", "exec", "Lambda", "keras.src.utils", "subprocess", "Popen", "eval")
    at = [n for n in range(len(content)) if content.startswith(b'"' + kind + b'": ', n)]
    if not at:
        return changed_json(rng, content)
    start = rng.choice(at) + len(kind) + 4
    ends = [content.find(end, start) for end in (b",", b"}")]
    end = min((end for end in ends if end > 0), default=len(content))
    name = json.dumps(rng.choice((*names, *TEXTS))).encode()
    return content[:start] + name + content[end:]


def _other_weights(rng: random.Random, members: list[tuple[str, bytes]]) -> None:
    for at, (name, content) in enumerate(members):
        if name.endswith(".h5"):
            members[at] = (name, drawn_h5(rng, content))


def drawn_h5(rng: random.Random, content: bytes) -> bytes:
    """The content of a damaged HDF5 file."""
    kind = rng.random()
    if kind < 0.3:
        return damaged(rng, content)
    made = BytesIO(content)
    try:
        with h5py.File(made, "r+") as file:
            for _ in range(rng.choice((1, 1, 2))):
                if CONFIG in file.attrs and kind < 0.6:
                    config = file.attrs[CONFIG]
                    raw = config if isinstance(config, bytes) else config.encode()
                    file.attrs[CONFIG] = _hostile(rng, raw)
                else:
                    rng.choice(_OF_SETS)(rng, file)
    except Exception:  # what the format cannot hold, or another change has broken
        return damaged(rng, content)
    return made.getvalue()


def _set_names(file: Any) -> list[str]:
    names: list[str] = []

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            names.append(name)

    file.visititems(collect)
    return names


def _replaced(make: Callable[[random.Random, Any, str], None]) -> Callable[..., None]:
    """A data set in whose place `make` puts something else."""

    def change(rng: random.Random, file: Any) -> None:
        names = _set_names(file)
        if names:
            name = rng.choice(names)
            del file[name]
            make(rng, file, name)

    return change


def _external_link(rng: random.Random, file: Any, name: str) -> None:
    outside = rng.choice(("../outside.h5", "/etc/passwd", "outside.bin", "link.bin"))
    file[name] = h5py.ExternalLink(outside, rng.choice(("/x", name, "/")))


def _soft_link(rng: random.Random, file: Any, name: str) -> None:
    file[name] = h5py.SoftLink(rng.choice(("/", name, "/nowhere", "..")))


def _external_data(rng: random.Random, file: Any, name: str) -> None:
    places = [(rng.choice(("/etc/passwd", "../outside.bin", "weights.bin")), 0, 64)]
    file.create_dataset(name, (16,), "f4", external=places)


def _virtual(rng: random.Random, file: Any, name: str) -> None:
    layout = h5py.VirtualLayout((4, 24), "f4")
    layout[:] = h5py.VirtualSource("../outside.h5", "x", (4, 24))
    file.create_virtual_dataset(name, layout)


def _huge(rng: random.Random, file: Any, name: str) -> None:
    """Declared, and never written: no more than some bytes of the file."""
    shape = (rng.choice((2**20, 2**31, 2**40)), rng.choice((1, 24, 2**10)))
    file.create_dataset(name, shape, "f4", chunks=(2**10, 1))


def _other_shape(rng: random.Random, file: Any, name: str) -> None:
    shape = rng.choice(((), (0,), (1,), (4, 24), (24, 4), (8, 24, 1)))
    kind = rng.choice(("f4", "f8", "i4", "S3", "f2", "c8"))
    file.create_dataset(name, data=np.zeros(shape, kind))


def _numbers(rng: random.Random, file: Any) -> None:
    names = _set_names(file)
    if names:
        values = file[rng.choice(names)]
        if values.size < 10**6:  # another change may have made it huge
            values[...] = rng.choice((np.nan, np.inf, -np.inf, 1e38, 0.0, 1e-40))


def _other_attribute(rng: random.Random, file: Any) -> None:
    owners = [file, *(file[name] for name in _all(file))]
    owner = rng.choice([one for one in owners if len(one.attrs)] or [file])
    if len(owner.attrs):
        name = rng.choice(sorted(owner.attrs))
        wrong = (*INTEGERS[:20], *(text for text in TEXTS if "\0" not in text), [b"x"], [], 1.5)
        owner.attrs[name] = rng.choice(wrong)


def _all(file: Any) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return names


def _removed(rng: random.Random, file: Any) -> None:
    names = _all(file)
    if names:
        del file[rng.choice(names)]


_OF_SETS: tuple[Callable[[random.Random, Any], None], ...] = (
    *map(
        _replaced,
        (_external_link, _soft_link, _external_data, _virtual, _huge, _other_shape, _other_shape),
    ),
    *(_numbers, _other_attribute, _removed),
)
