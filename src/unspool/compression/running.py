"""Candidates run side by side, through joblib or elsewhere; what is finished is kept."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import joblib

from unspool.compression import candidates
from unspool.compression.candidate_store import Store
from unspool.compression.candidates import Candidate, Task
from unspool.compression.kernels import KernelSetting
from unspool.support.processes import end_with, without_interrupts
from unspool.support.progress import Watch

Attempts: TypeAlias = Callable[[Task, Sequence[KernelSetting]], Iterator[tuple[Candidate, bytes]]]
"""Tries settings side by side: each one's candidate and its model's bytes, as they are finished."""


@dataclass(frozen=True)
class Runner:
    """Where candidates run, and where they are kept.

    Attributes:
        attempts: tries settings there.
        width: how many run at once.
    """

    attempts: Attempts
    width: int

    def results(
        self, task: Task, store: Store, settings: Sequence[KernelSetting]
    ) -> Iterator[Candidate]:
        """Each setting's candidate, as they are finished; their models are in the store.

        Args:
            task: what the candidates share.
            store: of the task; what is there is not tried again.
            settings: to try.
        """
        missing = []
        for setting in settings:
            candidate = store.candidate(setting)
            if candidate is None:
                missing.append(setting)
            else:
                yield candidate
        if missing:
            for candidate, content in self.attempts(task, missing):
                store.keep(candidate, content)
                yield candidate


_elsewhere: ContextVar[Runner | None] = ContextVar("_elsewhere", default=None)


@contextmanager
def running_on(elsewhere: Runner) -> Iterator[None]:
    """Let the candidates of searches in the block run there, in place of joblib's processes."""
    before = _elsewhere.set(elsewhere)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def runner(jobs: int | None, watch: Watch | None) -> Runner:
    """As many candidates at once as asked for; None: as joblib is configured, else one.

    Args:
        jobs: how many.
        watch: of those that run in this process; a screen cannot be sent elsewhere.
    """
    if elsewhere := _elsewhere.get():
        return replace(elsewhere, width=jobs or elsewhere.width)
    # Without memory maps: joblib's clean-up of them stumbles where results come one by one.
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    width = joblib.effective_n_jobs(jobs) if jobs else parallel.n_jobs
    return Runner(_Processes(parallel, watch if width == 1 else None), width)


@dataclass(frozen=True)
class _Processes:
    """Those of joblib's pool, or this one.

    Attributes:
        parallel: the pool.
        watch: of candidates that run in this process.
    """

    parallel: Any
    watch: Watch | None

    def __call__(
        self, task: Task, settings: Sequence[KernelSetting]
    ) -> Iterator[tuple[Candidate, bytes]]:
        """Each setting's candidate and its model, as they are finished."""
        own = os.getpid()
        calls = (joblib.delayed(_tried)(own, task, each, self.watch) for each in settings)
        with without_interrupts():
            results = self.parallel(calls)
        yield from _quietly(results)


def _tried(
    parent: int, task: Task, setting: KernelSetting, watch: Watch | None
) -> tuple[Candidate, bytes]:
    """`candidates.run`; a process of this machine that does it ends with the search's own."""
    if os.getppid() == parent:
        end_with(parent)
    return candidates.run(task, setting, watch)


def _quietly(results: Iterator[Any]) -> Iterator[Any]:
    """Without joblib's warning that it renewed a process which TensorFlow had made large."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        yield from results
