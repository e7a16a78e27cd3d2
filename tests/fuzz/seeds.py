"""Whole files to damage: of PyTorch's exporters, and small graphs around each operator of ONNX."""

import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx_rounded
import torch_archive
from onnx_forms.tables import MODELS


@cache
def exported(ending: str) -> Mapping[str, bytes]:
    """Files that exporters wrote, by their names."""
    with TemporaryDirectory() as folder:
        files = sorted(torch_archive.unpacked(Path(folder)).iterdir())
        return {path.name: path.read_bytes() for path in files if path.name.endswith(ending)}


@cache
def _small() -> tuple[Callable[[], bytes], ...]:
    made = [*(MODELS[name] for name in sorted(MODELS)), *[lambda: onnx_rounded.aware(5)] * 20]
    return tuple(lambda make=make: bytes(make().SerializeToString()) for make in made)


def drawn(rng: random.Random, kind: str) -> bytes:
    """The content of a whole file."""
    if kind == "onnx" and rng.random() < 0.6:
        return rng.choice(_small())()
    files = exported(f".{kind}")
    names = sorted(files)
    weights = [len(files[name]) ** -2 for name in names]  # a large one takes seconds to read
    return files[rng.choices(names, weights)[0]]
