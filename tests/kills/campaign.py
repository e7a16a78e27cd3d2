"""Moments spread over the whole life of a command, each tried in a folder of its own."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import Signals
from statistics import median
from tempfile import TemporaryDirectory

from kills import results
from kills.killing import Ended, Moment, killed, prepare
from kills.verdict import wrong

_NEVER = 1e6  # seconds


@dataclass
class Result:
    """What came of moments.

    Attributes:
        outcomes: what lay there afterwards, or how it ended -> how many.
        faults: moments, with what was wrong.
        took: seconds from the signal to the end of the command, at most.
        outlived: seconds that a process lived longer than the command that started it, at most.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    took: float = 0.0
    outlived: float = 0.0

    @property
    def count(self) -> int:
        """Moments at which the command ran."""
        return sum(n for outcome, n in self.outcomes.items() if outcome != _OVER)

    def __str__(self) -> str:
        return (
            f"{self.count} moments: {dict(self.outcomes)}, {len(self.faults)} faults; ended "
            f"{self.took:.2f} s after the signal at most, its processes {self.outlived:.2f} s later"
        )


_OVER = "had ended before"


def run(
    command: str, by: Signals, moments: int, life: float, seed: int, jobs: int
) -> Iterator[Result]:
    """Kill a command at so many moments, and yield after each what came of all of them so far.

    Args:
        command: of `given.COMMANDS`.
        by: the signal.
        moments: at which the command runs; those that come too late are drawn again.
        life: seconds that it takes.
        seed: says which.
        jobs: commands at a time.
    """
    result = Result()
    with TemporaryDirectory(prefix="kills-") as folder, ThreadPoolExecutor(jobs) as pool:
        for turn in count():
            left = moments - result.count
            if left <= 0:
                return
            drawn = _drawn(command, by, left, life, random.Random(f"{command} {by} {seed} {turn}"))
            tries = (
                (moment, Path(folder, f"{turn}-{number}")) for number, moment in enumerate(drawn)
            )
            for moment, ended, outcome, faults in pool.map(_tried, *zip(*tries, strict=True)):
                _add(result, moment, ended, outcome, faults)
                yield result


def life(command: str, jobs: int) -> float:
    """Seconds that a command takes beside others of it, none of which is killed."""

    def lived(number: int) -> float:
        place = Path(folder, str(number))
        moment = Moment(command, Signals.SIGKILL, _NEVER, over=False)
        prepare(place, moment)
        begin = time.monotonic()
        ended = killed(moment, place)
        assert ended.status == 0, ended.stderr
        assert results.state(command, place / "out") == "whole"
        return time.monotonic() - begin - ended.outlived

    with TemporaryDirectory(prefix="kills-") as folder, ThreadPoolExecutor(jobs) as pool:
        return median(pool.map(lived, range(2 * jobs)))


def _drawn(
    command: str, by: Signals, moments: int, life: float, rng: random.Random
) -> Sequence[Moment]:
    """One moment in each of as many equal parts of the command's life, in a random order."""
    drawn = [
        Moment(command, by, (number + rng.random()) / moments * life, over=rng.random() < 0.5)
        for number in range(moments)
    ]
    rng.shuffle(drawn)
    return drawn


def _tried(moment: Moment, place: Path) -> tuple[Moment, Ended, str, list[str]]:
    prepare(place, moment)
    ended = killed(moment, place)
    faults = wrong(moment, ended, place) if ended.killed else []
    outcome = results.state(moment.command, place / "out").partition(":")[0]
    shutil.rmtree(place)
    return moment, ended, outcome, faults


def _add(result: Result, moment: Moment, ended: Ended, outcome: str, faults: list[str]) -> None:
    if not ended.killed:
        outcome = _OVER
    elif not ended.began:
        outcome = "before Unspool"
    elif ended.status == 0:
        outcome = "went on to its end"
    result.outcomes[outcome] += 1
    if ended.killed:
        result.took = max(result.took, ended.took)
        result.outlived = max(result.outlived, ended.outlived)
    result.faults += [f"{moment}: {fault}" for fault in faults]
