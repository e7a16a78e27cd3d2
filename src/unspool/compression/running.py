"""Candidates run side by side, through joblib; what is finished is kept."""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import joblib

from unspool.compression import candidates
from unspool.compression.candidate_store import Store
from unspool.compression.candidates import Candidate, Task
from unspool.compression.kernels import KernelSetting
from unspool.support.processes import end_with, without_interrupts
from unspool.support.progress import Watch


@dataclass(frozen=True)
class Runner:
    """Where candidates run, and where they are kept.

    Attributes:
        parallel: joblib's pool.
        width: how many run at once.
        watch: of those that run in this process; None elsewhere, as a screen cannot be sent there.
    """

    parallel: Any
    width: int
    watch: Watch | None

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
            own = os.getpid()
            calls = (joblib.delayed(_tried)(own, task, each, self.watch) for each in missing)
            with without_interrupts():
                results = self.parallel(calls)
            for candidate, content in _quietly(results):
                store.keep(candidate, content)
                yield candidate


def runner(jobs: int | None, watch: Watch | None) -> Runner:
    """As many candidates at once as asked for; None: as joblib is configured, else one."""
    # Without memory maps: joblib's clean-up of them stumbles where results come one by one.
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    width = joblib.effective_n_jobs(jobs) if jobs else parallel.n_jobs
    return Runner(parallel, width, watch if width == 1 else None)


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
