"""A process that puts architectures through flows; where it crashes, another takes over."""

import multiprocessing
import os
import signal
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from unspool.support._tensorflow import keras
from zoo import architecture, measure, trained

FLOWS = {"train": 900, "unspool": 1800, "guide": 1200}
"""What is done with each architecture, and for how many seconds at most."""


class Worker:
    """Runs flows in a process of its own, which lives on from one to the next.

    Args:
        folder: of the results; `models` and `logs` are below it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Any = None

    def run(self, name: str, flow: str) -> dict[str, Any]:
        """The row of one flow: what it gave, or how it ended."""
        if self._process is None:
            self._start()
        start = time.perf_counter()
        self._pipe.send((name, flow))
        if not self._pipe.poll(FLOWS[flow]):
            self.stop()
            return {"fails": f"took more than {FLOWS[flow]} s"}
        try:
            row: dict[str, Any] = self._pipe.recv()
        except EOFError:
            self._process.join()
            status = self._process.exitcode
            self._process = None
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            return {"crashes": how}
        return {**row, "wall_seconds": time.perf_counter() - start}

    def stop(self) -> None:
        """End the process, and those that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._folder))
        self._process.start()
        theirs.close()  # the end of the process is then the end of the pipe


def _serve(pipe: Connection, folder: Path) -> None:
    os.setsid()
    # One core: Unspool then starts no processes, which take longer than they save here.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    while True:
        try:
            name, flow = pipe.recv()
        except EOFError:  # nobody asks any more
            return
        with (folder / "logs" / f"{architecture(name).slug}-{flow}.txt").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        try:
            row = _row(name, flow, folder)
        except Exception as error:
            traceback.print_exc()
            lines = [line for line in str(error).splitlines() if line.strip()] or [""]
            # TensorFlow's last line is often a pointer at the one before.
            row = {"fails": f"{type(error).__name__}: {lines[0]}"}
        pipe.send(row)


def _row(name: str, flow: str, folder: Path) -> dict[str, Any]:
    entry = architecture(name)
    keras.backend.clear_session()
    start = time.perf_counter()
    model = trained(entry, folder / "models")
    if flow == "train":
        return {"seconds": time.perf_counter() - start, "parameters": model.count_params()}
    return {"unspool": measure.by_unspool, "guide": measure.by_guide}[flow](entry, model)
