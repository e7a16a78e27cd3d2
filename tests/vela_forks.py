"""Vela in forks of one process for the whole run: importing it takes longer than a small network.

The compiler is the real one, and no compilation sees another. That it says the same as in a process
of its own, as users have it, is what the tests with `vela_alone` are about.
"""

import atexit
import functools
from pathlib import Path
from subprocess import CompletedProcess

from unspool.compilation.vela_host import Host


@functools.cache
def _host() -> Host:
    made = Host()
    atexit.register(made.__exit__, None, None, None)
    return made


def run(arguments: list[str], folder: Path) -> "CompletedProcess[str]":
    """Run Vela with these arguments in a folder that is empty but for its input."""
    return _host().run(arguments, folder)
