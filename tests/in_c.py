"""A bundle's C, compiled for this machine and called from Python."""

import ctypes as c
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from unspool.firmware import write

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")


def build(made: Mapping[str, str], folder: Path) -> c.CDLL:
    """Compile a bundle's C with the host's compiler; the library that comes out."""
    write(made, folder)
    sources = [name for name in made if name.endswith(".c")]
    made_of = ("-shared", "-fPIC", *sources, "-o", "it.so", "-lm")
    run("gcc", "-std=c99", "-O2", *STRICT, *made_of, at=folder)
    return c.CDLL(str(folder / "it.so"))


def run(*command: str, at: Path) -> None:
    """Run a compiler, or skip the test where it is not installed."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def address(array: np.ndarray) -> c.c_void_p:
    """Where an array lies, as C takes it."""
    return c.c_void_p(array.ctypes.data)
