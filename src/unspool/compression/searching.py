"""Compress a trained model as far as a goal allows: previews, then the promising ones in full."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from unspool.compilation import targets
from unspool.compilation.targets import Target
from unspool.compression import candidates
from unspool.compression.candidate_store import Store
from unspool.compression.candidates import Candidate, Task
from unspool.compression.fine_tuning_run import FineTuning
from unspool.compression.goal import Goal
from unspool.compression.kernels import UNTOUCHED, KernelSetting
from unspool.compression.running import Runner, runner
from unspool.compression.search_results import Search
from unspool.compression.space import SETTINGS, Tried, between, evenly, mildest, possible, proposed
from unspool.compression.trained_loss import check_compiled, losses
from unspool.compression.training_data import split
from unspool.errors import UnspoolError
from unspool.support import files, samples
from unspool.support.files import AnyPath
from unspool.support.progress import Watch
from unspool.support.samples import Samples
from unspool.unrolling import taken

PREVIEWS = 12
PREVIEW_SHARE = 1 / 4
"""Of the epochs, that a preview trains."""
_FEW = 4
_REFINEMENTS = 4
"""Settings that are tried with all epochs beside those of the ladder, at most."""
_GOAL, _FINE_TUNING = Goal(), FineTuning()


def search(
    model: Any,
    data: Samples,
    labels: np.ndarray,
    folder: AnyPath,
    *,
    goal: Goal = _GOAL,
    settings: Sequence[KernelSetting] = SETTINGS,
    previews: int = PREVIEWS,
    validation: tuple[Samples, np.ndarray] | None = None,
    calibration: Samples | None = None,
    quantization_aware: bool = False,
    fine_tuning: FineTuning = _FINE_TUNING,
    target: Target | None = None,
    resident_kib: float | None = None,
    time_steps: int | None = None,
    jobs: int | None = None,
    on_candidate: Callable[[Search], None] = lambda search: None,
    watch: Watch | None = None,
) -> Search:
    """Compress a trained model as far as a goal allows, by units, zeros and shared values.

    First come previews, with a quarter of the epochs: settings that a model of what was tried so
    far (a tree-structured Parzen estimator) proposes. Those that none beats in metric and size at
    once are a ladder, from large to small, which is bisected with all epochs: the next one to try
    is between the smallest that held the goal and the largest below it that did not. Then at most
    four more are tried that leave less than the one and more than the other. (At most four settings
    are bisected as they are given, from mild to strong, and that is all.) Each is fine-tuned,
    quantized, compiled, and measured on validation samples, which it was not trained with.

    Finished candidates are kept in the folder: an interrupted search, started again, continues from
    there. They run in parallel through joblib: within `joblib.parallel_config(backend="dask")`, or
    any other backend of joblib's, they run there.

    Args:
        model: a built, compiled Keras model with one output.
        data: samples, one array (samples, ...) per input.
        labels: classes (samples,), or one-hot (samples, classes) where the loss takes that; for
            another metric than the accuracy what it takes.
        folder: where finished candidates are kept.
        goal: the metric, how much worse it may become, and what is to be small.
        settings: that may be tried; those with units that the model cannot be left with are not.
        previews: how many are tried with a quarter of the epochs.
        validation: samples and labels; a part of `data` is held out where None.
        calibration: samples to quantize with; the first 200 of `data` where None.
        quantization_aware: train with the errors of int8 too, as `compress` does with calibration
            samples.
        fine_tuning: how to train in each candidate.
        target: what to compile for; ethos-u55-128 with Vela's defaults where None.
        resident_kib: SRAM for resident weights, as `keep_resident` takes it; None for none.
        time_steps: length of the sequence where the model leaves it open.
        jobs: candidates at a time; None: as many as joblib is configured for, else one.
        on_candidate: called after each candidate with the search so far.
        watch: is called with the progress of candidates that run in this process.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.

    Example:
        >>> search = unspool.search(
        ...     classifier,
        ...     data,
        ...     labels,
        ...     tmp_path / "search",
        ...     goal=unspool.Goal(max_loss=100),
        ...     settings=[unspool.KernelSetting(sparsity=0.5, clusters=16)],
        ...     fine_tuning=unspool.FineTuning(epochs=2),
        ... )
        >>> print(search.chosen.setting)
        50 % zeros, 16 values
    """
    if previews < 1:
        raise UnspoolError(f"previews {previews}: expected at least 1")
    check_compiled(model)
    settings = possible(model, settings)
    arrays, kept, held = split(
        model, data, labels, validation, fine_tuning.seed, are_classes=goal.is_accuracy
    )
    if calibration is None:
        calibration = samples.first(arrays, samples.CALIBRATION_COUNT)
    taken.check_sequences(model, held[0], "validation data", time_steps)
    task = Task(
        trained=candidates.to_bytes(model),
        losses=losses(model),
        data=arrays,
        labels=kept,
        validation=held,
        goal=goal,
        calibration=calibration,
        quantization_aware=quantization_aware,
        fine_tuning=fine_tuning,
        target=target or targets.target(),
        resident_kib=resident_kib,
        time_steps=time_steps,
    )
    found = _nothing_tried(model, task)
    output, running = files.output_folder(folder), runner(jobs, watch)
    store = Store(output, model, task)
    if len(settings) <= _FEW:
        return _bisected(found, task, settings, store, running, on_candidate)
    short = _short(task)
    previewing = Store(output, model, short)
    found = _previewed(found, short, settings, previews, previewing, running, on_candidate)
    ladder = [candidate.setting for candidate in found.ladder]
    rungs = tuple(dict.fromkeys([mildest(settings), *ladder]))
    found = _bisected(found, task, rungs, store, running, on_candidate)
    return _refined(found, task, settings, store, running, on_candidate)


def _nothing_tried(model: Any, task: Task) -> Search:
    """A search before its first candidate: what they are compared with."""
    data, labels = task.validation
    return Search(
        goal=task.goal,
        trained=task.goal.measured(model, data, task.goal.targets(labels)),
        samples=len(labels),
        target=task.target,
        before=candidates.measure(task, model, UNTOUCHED, epochs=0),
    )


def _short(task: Task) -> Task:
    """The task of a preview."""
    tuning = task.fine_tuning
    epochs = max(2, round(tuning.epochs * PREVIEW_SHARE))
    return replace(task, fine_tuning=replace(tuning, epochs=epochs), quantization_aware=False)


def _previewed(
    found: Search,
    task: Task,
    settings: Sequence[KernelSetting],
    count: int,
    store: Store,
    running: Runner,
    on_candidate: Callable[[Search], None],
) -> Search:
    """Try what is proposed, with a part of the epochs."""
    finished = (store.candidate(setting) for setting in settings)
    found = replace(found, previews=tuple(one for one in finished if one))
    on_candidate(found)
    while (left := min(count, len(settings)) - len(found.previews)) > 0:
        tried = [Tried(one.setting, found.lost(one), found.size(one)) for one in found.previews]
        width = min(left, running.width)
        chosen = proposed(settings, tried, width, task.fine_tuning.seed)
        for candidate in running.results(task, store, chosen):
            found = replace(found, previews=(*found.previews, candidate))
            on_candidate(found)
    return found


def _bisected(
    found: Search,
    task: Task,
    settings: Sequence[KernelSetting],
    store: Store,
    running: Runner,
    on_candidate: Callable[[Search], None],
) -> Search:
    """Try settings, from mild to strong, until the strongest that holds the goal is known."""
    for setting in settings:
        candidate = store.candidate(setting)
        if candidate:
            found = _with(found, candidate, store)
    on_candidate(found)
    while chosen := _next(settings, found, running.width):
        found = _tried(found, task, chosen, store, running, on_candidate)
    return found


def _refined(
    found: Search,
    task: Task,
    settings: Sequence[KernelSetting],
    store: Store,
    running: Runner,
    on_candidate: Callable[[Search], None],
) -> Search:
    """Try what lies between the smallest that holds the goal and the next below that does not."""
    left = _REFINEMENTS
    while left > 0 and (held := found.chosen):
        smaller = [one for one in found.candidates if found.size(one) < found.size(held)]
        if not smaller:
            return found
        failed = max(smaller, key=found.size)
        tried = [one.setting for one in found.candidates]
        inside = between(settings, held.setting, failed.setting, tried)
        chosen = evenly(inside, min(running.width, left))
        if not chosen:
            return found
        found = _tried(found, task, chosen, store, running, on_candidate)
        left -= len(chosen)
    return found


def _tried(
    found: Search,
    task: Task,
    settings: Sequence[KernelSetting],
    store: Store,
    running: Runner,
    on_candidate: Callable[[Search], None],
) -> Search:
    """Try these settings with all epochs."""
    for candidate in running.results(task, store, settings):
        found = _with(found, candidate, store)
        on_candidate(found)
    return found


def _with(found: Search, candidate: Candidate, store: Store) -> Search:
    tried = sorted((*found.candidates, candidate), key=found.size, reverse=True)
    models = {**found.models, candidate.setting: store.model(candidate.setting)}
    return replace(found, candidates=tuple(tried), models=models)


def _next(settings: Sequence[KernelSetting], found: Search, width: int) -> list[KernelSetting]:
    """Settings to try at once, spread evenly over the undecided ones; none when all is decided."""
    results = {settings.index(t.setting): found.holds(t) for t in found.candidates}
    low = max((index for index, holds in results.items() if holds), default=-1)
    failed = (index for index, holds in results.items() if not holds and index > low)
    high = min(failed, default=len(settings))
    untried = [settings[index] for index in range(low + 1, high) if index not in results]
    return evenly(untried, width)
