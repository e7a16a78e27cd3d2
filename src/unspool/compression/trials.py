"""Which settings a search tries next: previews, a bisected ladder, and what lies between two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from unspool.compression.candidate_store import Store
from unspool.compression.candidates import Candidate, Task
from unspool.compression.kernels import KernelSetting
from unspool.compression.running import Runner
from unspool.compression.search_results import Search
from unspool.compression.space import Evaluation, between, evenly, proposed

_REFINEMENTS = 4
"""Settings that are tried with all epochs beside those of the ladder, at most."""


@dataclass(frozen=True)
class Trials:
    """How settings are tried.

    Attributes:
        task: what candidates share.
        store: of the task.
        running: where candidates run.
        on_candidate: called after each with the search so far.
    """

    task: Task
    store: Store
    running: Runner
    on_candidate: Callable[[Search], None]


def previewed(
    search: Search, trials: Trials, settings: Sequence[KernelSetting], count: int
) -> Search:
    """Try so many settings, as they are proposed by what was tried before.

    Args:
        search: the search so far.
        trials: of the short task.
        settings: that may be tried.
        count: how many, those that are in the store among them.
    """
    finished = (trials.store.candidate(setting) for setting in settings)
    search = replace(search, previews=tuple(one for one in finished if one))
    trials.on_candidate(search)
    while (remaining := min(count, len(settings)) - len(search.previews)) > 0:
        tried = [
            Evaluation(one.setting, search.lost(one), search.size(one)) for one in search.previews
        ]
        width = min(remaining, trials.running.width)
        chosen = proposed(settings, tried, width, trials.task.fine_tuning.seed)
        for candidate in trials.running.results(trials.task, trials.store, chosen):
            search = replace(search, previews=(*search.previews, candidate))
            trials.on_candidate(search)
    return search


def recalled(search: Search, trials: Trials, settings: Sequence[KernelSetting]) -> Search:
    """What was tried before with all epochs, wherever a search met it."""
    for setting in settings:
        candidate = trials.store.candidate(setting)
        if candidate:
            search = _with(search, candidate, trials.store)
    trials.on_candidate(search)
    return search


def bisected(search: Search, trials: Trials, settings: Sequence[KernelSetting]) -> Search:
    """Try settings, from mild to strong, until the strongest that holds the goal is known."""
    while chosen := undecided(settings, search, trials.running.width):
        search = _tried(search, trials, chosen)
    return search


def refined(search: Search, trials: Trials, settings: Sequence[KernelSetting]) -> Search:
    """Try what lies between the smallest that holds the goal and the next below that does not."""
    remaining = _REFINEMENTS
    while remaining > 0 and (held := search.chosen):
        smaller = [one for one in search.candidates if search.size(one) < search.size(held)]
        if not smaller:
            return search
        failed = max(smaller, key=search.size)
        tried = [one.setting for one in search.candidates]
        inside = between(settings, held.setting, failed.setting, tried)
        chosen = evenly(inside, min(trials.running.width, remaining))
        if not chosen:
            return search
        search = _tried(search, trials, chosen)
        remaining -= len(chosen)
    return search


def undecided(settings: Sequence[KernelSetting], search: Search, width: int) -> list[KernelSetting]:
    """Settings to try at once, spread evenly over the undecided ones; none when all is decided."""
    known = {t.setting: search.holds(t) for t in search.candidates}
    results = {index: known[each] for index, each in enumerate(settings) if each in known}
    low = max((index for index, holds in results.items() if holds), default=-1)
    failed = (index for index, holds in results.items() if not holds and index > low)
    high = min(failed, default=len(settings))
    untried = [settings[index] for index in range(low + 1, high) if index not in results]
    return evenly(untried, width)


def _tried(search: Search, trials: Trials, settings: Sequence[KernelSetting]) -> Search:
    """Try these settings with all epochs."""
    for candidate in trials.running.results(trials.task, trials.store, settings):
        search = _with(search, candidate, trials.store)
        trials.on_candidate(search)
    return search


def _with(search: Search, candidate: Candidate, store: Store) -> Search:
    tried = sorted((*search.candidates, candidate), key=search.size, reverse=True)
    models = {**search.models, candidate.setting: store.model(candidate.setting)}
    return replace(search, candidates=tuple(tried), models=models)
