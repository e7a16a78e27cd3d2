"""Run modules as separate processes."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path

FOLDER = "/"
"""Where to start them: the user's folder may hold modules with the names of a library's."""


def command(module: str) -> list[str]:
    """The command that runs a module, such as "ethosu.vela", which ends when this process does."""
    return [sys.executable, "-m", "unspool.support.child", str(os.getpid()), module]


def environment(**more: str) -> dict[str, str]:
    """This process's environment with `more`, in which another process finds this package."""
    package = Path(__file__).resolve().parents[2]
    path = filter(None, [str(package), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), **more}


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start joblib's processes so that a terminal's Ctrl-C does not reach them.

    Python that is being started there would end with a traceback. It comes to this process, with
    which they end.
    """
    resource_tracker.ensure_running()  # or the first of them starts it, and it unmasks
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which they inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with(parent: int) -> None:
    """In a process that another one started: end when that one does, whatever it dies of.

    Args:
        parent: the other one's number.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_OFTEN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_OFTEN = 0.5  # seconds
_SIGNAL_AT_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def die_with(parent: int) -> None:
    """In a fork that a main thread made: end when that process does, whatever this one is at.

    A library that never gives Python its turn does not let `end_with`'s thread look.

    Args:
        parent: the other one's number.
    """
    with suppress(AttributeError, OSError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    end_with(parent)  # where it has ended before, too


def killer(status: int) -> str:
    """The signal that a process died of, such as "SIGSEGV"; empty where it ended by itself.

    Args:
        status: as `subprocess` has it: a signal's number is below zero.
    """
    if status >= 0:
        return ""
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return f"signal {-status}"
