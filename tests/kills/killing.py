"""One command, one signal, one moment: how it ended, and when the last of its processes did."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from kills import given

_MARK = "UNSPOOL_KILLS"
_PATIENCE = 60.0
"""Seconds that a command may take to end, and what it started after it, until it counts as hung."""


@dataclass(frozen=True)
class Moment:
    """When a command is killed.

    Attributes:
        command: of `given.COMMANDS`.
        by: SIGINT, to all processes of it, as a terminal does for Ctrl-C; or SIGTERM or SIGKILL, to
            itself.
        seconds: after its start.
        over: whether there is an older result already.
    """

    command: str
    by: signal.Signals
    seconds: float
    over: bool

    def __str__(self) -> str:
        before = "over an older result" if self.over else "into a new folder"
        return f"{self.command} {before}, {self.by.name} after {self.seconds:.3f} s"


@dataclass(frozen=True)
class Ended:
    """How it ended.

    Attributes:
        status: as `subprocess` has it.
        stderr: what it wrote there.
        began: whether Python had handed over to Unspool, which takes signals then.
        killed: whether it ran when the signal came.
        took: seconds from the signal to its end.
        outlived: seconds from its end to that of the last process that it started.
        left: processes that never ended.
    """

    status: int
    stderr: str
    began: bool
    killed: bool
    took: float
    outlived: float
    left: tuple[str, ...]


def prepare(place: Path, moment: Moment) -> None:
    """Make a folder for a command: what it is given, a TMPDIR, and an older result."""
    (place / "temporary").mkdir(parents=True)
    (place / "given").symlink_to(given.folder())
    if moment.over:
        shutil.copytree(given.results(given.OLDER, moment.command) / "out", place / "out")
    elif moment.command == "simulate":  # which writes a file, not a folder
        (place / "out").mkdir()


def environment(place: Path) -> dict[str, str]:
    """In which a command's processes are known, and their temporary files."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TMPDIR": str(place / "temporary"), _MARK: str(place)}


def killed(moment: Moment, place: Path) -> Ended:
    """Run a command in a folder of its own, and kill it."""
    with (place.parent / f"{place.name}.stderr").open("w+") as stderr:
        running = subprocess.Popen(
            given.arguments(moment.command),
            cwd=place,
            env=environment(place),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(moment.seconds)
        began, runs, sent = _has_begun(running.pid), running.poll() is None, time.monotonic()
        if runs:
            to = os.killpg if moment.by == signal.SIGINT else os.kill
            to(running.pid, moment.by)
        status = _status(running)
        ended = time.monotonic()
        while (left := _of_mark(str(place))) and time.monotonic() < ended + _PATIENCE:
            time.sleep(0.02)
        outlived = time.monotonic() - ended
        stderr.seek(0)
        text = stderr.read()
    return Ended(status, text, began, runs, ended - sent, outlived, tuple(left))


def _status(running: "subprocess.Popen[bytes]") -> int:
    try:
        return running.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return -1000


def _has_begun(process: int) -> bool:
    """Whether a process takes SIGTERM, as Unspool does from its first line on."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigCgt", "SigIgn"))]
    return any(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)


def _of_mark(mark: str) -> list[str]:
    """Processes that run in an environment with the mark."""
    command_lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={mark}\0".encode() in (process / "environ").read_bytes() + b"\0":
                command_lines.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it is another user's, or gone
            continue
    return command_lines
