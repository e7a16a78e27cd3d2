"""How long-running work reports its progress."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Progress: TypeAlias = Callable[[int], None]
"""Called with the number of samples that were finished since the last call."""

Watch: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage's name, how much of it is done, and how much there is in all."""


def unwatched(stage: str, done: int, total: int) -> None:
    """The watch that ignores what it is called with."""


class Clock:
    """Times stages, and reports them.

    Attributes:
        seconds: stage -> wall-clock time that it took.
    """

    def __init__(self, watch: Watch | None) -> None:
        self.seconds: dict[str, float] = {}
        self._watch = watch or unwatched

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Progress]:
        """A stage of `total` parts; yields a function to call with the number of parts done."""
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            self._watch(name, done, total)

        start = time.perf_counter()
        self._watch(name, 0, total)
        yield progress
        self._watch(name, total, total)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
