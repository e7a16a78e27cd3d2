"""Whole files to damage: of PyTorch's exporters, and small graphs around each operator of ONNX."""

import random
import tarfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from onnx_forms.tables import MODELS

ARCHIVE = Path(__file__).parents[1] / "frontend" / "torch" / "torch.tar.xz"


@cache
def exported(ending: str) -> Mapping[str, bytes]:
    """Files that exporters wrote, by their names."""
    found = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if member.name.endswith(ending) and content is not None:
                found[member.name] = content.read()
    return found


@cache
def _small() -> tuple[Callable[[], bytes], ...]:
    made = [MODELS[name] for name in sorted(MODELS)]
    return tuple(lambda make=make: bytes(make().SerializeToString()) for make in made)


def drawn(rng: random.Random, kind: str) -> bytes:
    """The content of a whole file."""
    if kind == "onnx" and rng.random() < 0.6:
        return rng.choice(_small())()
    files = exported(f".{kind}")
    names = sorted(files)
    weights = [len(files[name]) ** -2 for name in names]  # a large one takes seconds to read
    return files[rng.choices(names, weights)[0]]
