"""Damaged files, one after the other, each loaded in a process that is replaced where it dies."""

import collections
import hashlib
import json
import os
import random
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fuzz.kinds import KINDS, place, whole

WORKER: tuple[str, ...] = ("-m", "fuzz.worker")

SECONDS = 20.0
"""How long reading one file may take."""

_START = 180.0
_FILES_OF_A_WORKER = 3000


@dataclass
class Result:
    """What came of files.

    Attributes:
        outcomes: "taken", "refused" or "fault" -> how many.
        faults: file -> what was wrong.
        slowest: seconds.
        memory: bytes, the most that one took.
    """

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    faults: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0
    memory: int = 0

    def __str__(self) -> str:
        return (
            f"{sum(self.outcomes.values())} files: {dict(self.outcomes)}, "
            f"slowest {self.slowest:.1f} s, at most {self.memory / 2**20:.0f} MiB"
        )


class Worker:
    """The process, started when it is first asked."""

    def __init__(self, folder: Path, inside: Path) -> None:
        self._log, self._folder = folder / "worker.log", inside
        self._process: subprocess.Popen[str] | None = None
        self._done = 0

    def ask(self, path: Path, inspected: bool, command: str, patience: int) -> dict[str, Any]:
        """What came of a file: loaded, inspected, or given to a command, which may take long."""
        if self._process is None or self._done >= _FILES_OF_A_WORKER:
            self.close()
            self._start()
        assert self._process is not None and self._process.stdin is not None
        order = json.dumps(
            {
                "path": str(path),
                "inspected": inspected,
                "command": shlex.split(command),
                "folder": str(self._folder),
            }
        )
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        self._done += 1
        # inspecting compiles each layer
        answer = self._answer(SECONDS * (9 if inspected else patience))
        if command and answer["outcome"] == "fault":
            answer["text"] = f"{command}: {answer['text']}"
        return answer

    def _start(self) -> None:
        command = [sys.executable, *WORKER, str(self._log), str(SECONDS - 1)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._done = 0
        self._answer(_START)

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()
        why = "the process died" if ready else f"took more than {seconds:.0f} s"
        where = self._log.read_text()[-4000:] if self._log.exists() else ""
        return {"outcome": "fault", "text": f"{why}\n{where}", "memory": 0, "seconds": 0.0}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            for end in (self._process.stdin, self._process.stdout):
                if end is not None:
                    end.close()
            self._process.wait()
            self._process = None


def run(
    damaged: Iterator[tuple[str, bytes]],
    corpus: Path | None = None,
    seconds: float = float("inf"),
    inspected: float = 0.0,
) -> Iterator[Result]:
    """Try files, and yield after each what came of all of them so far.

    Args:
        damaged: kind, of `KINDS`, and content of each.
        corpus: where faulty files are kept, by a hash of their content, with what was wrong.
        seconds: when to stop.
        inspected: the share of files that are loaded of which the model is inspected.
    """
    result, end, rng = Result(), time.monotonic() + seconds, random.Random(0)
    with TemporaryDirectory(prefix="fuzz-") as name:
        folder = _surroundings(Path(name))
        worker = Worker(Path(name), folder)
        try:
            for kind, content in damaged:
                path = place(folder, KINDS[kind].name)
                command = rng.choice(KINDS[kind].commands or ("",))
                before = path.read_bytes() if path.exists() else b""
                path.write_bytes(content)
                is_inspected = not command and rng.random() < inspected
                answer = worker.ask(path, is_inspected, command, KINDS[kind].patience)
                path.write_bytes(before)  # another kind may need it
                for worst, amount in (("slowest", answer["seconds"]), ("memory", answer["memory"])):
                    if amount > getattr(result, worst):
                        setattr(result, worst, amount)
                        _write(corpus, f"{worst}.{kind}", content)
                result.outcomes[answer["outcome"]] += 1
                if answer["outcome"] == "fault":
                    _keep(result, content, kind, answer["text"], corpus)
                yield result
                if time.monotonic() > end:
                    return
        finally:
            worker.close()


def _surroundings(folder: Path) -> Path:
    """A folder of whole files, with others beside them, above it, and a link that leads out."""
    inside = shutil.copytree(whole(), folder / "model")
    (inside / "sub").mkdir()
    for each in (folder / "outside.bin", inside / "weights.bin", inside / "sub" / "weights.bin"):
        each.write_bytes(bytes(range(256)) * 4)
    (inside / "link.bin").symlink_to(folder / "outside.bin")
    return inside


def _keep(result: Result, content: bytes, kind: str, text: str, corpus: Path | None) -> None:
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    result.faults[name] = text
    _write(corpus, name, content)
    _write(corpus, f"{name}.txt", text.encode())


def _write(corpus: Path | None, name: str, content: bytes) -> None:
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_bytes(content)


def drawn(kinds: Sequence[str], seed: int, first: int = 0) -> Iterator[tuple[str, bytes]]:
    """Damaged files without end, of each kind in turn; a seed and a number say which."""
    for number in count(first):
        for kind in kinds:
            yield kind, KINDS[kind].drawn(random.Random(f"{kind} {seed} {number}"))
