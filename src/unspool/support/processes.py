"""Modules of Unspool as processes of their own."""

import os
import sys
from pathlib import Path

FOLDER = "/"
"""Where to start them: the user's folder may hold modules called as a library's are."""


def command(module: str) -> list[str]:
    """What runs a module, such as "unspool.compilation.vela_host"."""
    return [sys.executable, "-m", module]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with which the other finds this package, and more."""
    package = Path(__file__).resolve().parents[2]
    path = filter(None, [str(package), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), **more}
