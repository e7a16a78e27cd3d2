"""Try compression settings until the strongest that holds an accuracy is found."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from unspool.compilation import targets
from unspool.compilation.targets import Target
from unspool.compression import candidates
from unspool.compression.candidate_store import Store
from unspool.compression.candidates import Candidate, Task
from unspool.compression.fine_tuning_run import FineTuning
from unspool.compression.kernels import UNTOUCHED, KernelSetting
from unspool.compression.search_results import MINIMISE, Search
from unspool.compression.trained_loss import check_compiled, losses
from unspool.compression.training_data import classes_of, split
from unspool.errors import UnspoolError
from unspool.runtime.evaluation import accuracy
from unspool.support import files, samples
from unspool.support.files import AnyPath
from unspool.support.progress import Watch
from unspool.support.samples import Samples
from unspool.unrolling import taken

LADDER = (
    KernelSetting(0.4, 32),
    KernelSetting(0.5, 32),
    KernelSetting(0.6, 32),
    KernelSetting(0.6, 16),
    KernelSetting(0.7, 16),
    KernelSetting(0.75, 16),
    KernelSetting(0.8, 16),
    KernelSetting(0.8, 8),
    KernelSetting(0.85, 16),
    KernelSetting(0.85, 8),
    KernelSetting(0.9, 16),
    KernelSetting(0.9, 8),
    KernelSetting(0.95, 16),
    KernelSetting(0.95, 8),
)
"""Settings from mild to strong: Vela encodes the kernels of each in fewer bytes than the last."""

_FINE_TUNING = FineTuning()


def search(
    model: Any,
    data: Samples,
    labels: np.ndarray,
    folder: AnyPath,
    *,
    max_accuracy_drop: float = 0.2,
    minimise: str = "cycles",
    settings: Sequence[KernelSetting] = LADDER,
    validation: tuple[Samples, np.ndarray] | None = None,
    calibration: Samples | None = None,
    quantization_aware: bool = False,
    fine_tuning: FineTuning = _FINE_TUNING,
    target: Target | None = None,
    time_steps: int | None = None,
    jobs: int | None = None,
    on_candidate: Callable[[Search], None] = lambda search: None,
    watch: Watch | None = None,
) -> Search:
    """Compress a trained classifier as far as an accuracy allows.

    The settings are bisected: the next ones to try are between the strongest that held the accuracy
    and the mildest beyond it that did not. With each the model is fine-tuned, quantized, compiled,
    and measured on validation samples, which it was not trained with. Finished candidates are kept
    in the folder: an interrupted search, started again, continues from there.

    Candidates run in parallel through joblib: within `joblib.parallel_config(backend="dask")`, or
    any other backend of joblib's, they run there.

    Args:
        model: a built, compiled Keras model with one output, a value per class.
        data: samples, one array (samples, ...) per input.
        labels: classes (samples,), or one-hot (samples, classes) where the loss takes that.
        folder: where finished candidates are kept.
        max_accuracy_drop: points by which the int8 accuracy may be below the trained model's.
        minimise: "cycles" or "flash".
        settings: from mild to strong.
        validation: samples and classes; a part of `data` is held out where None.
        calibration: samples to quantize with; the first 200 of `data` where None.
        quantization_aware: train with the errors of int8 too, as `compress` does with calibration
            samples.
        fine_tuning: how to train in each candidate.
        target: what to compile for; ethos-u55-128 with Vela's defaults where None.
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
        ...     max_accuracy_drop=100,
        ...     settings=[unspool.KernelSetting(sparsity=0.5, clusters=16)],
        ...     fine_tuning=unspool.FineTuning(epochs=2),
        ... )
        >>> print(search.chosen.setting)
        50 % zeros, 16 values
    """
    settings = _checked(settings, minimise, max_accuracy_drop)
    check_compiled(model)
    arrays, kept, held = split(model, data, labels, validation, fine_tuning.seed)
    if calibration is None:
        calibration = samples.first(arrays, samples.CALIBRATION_COUNT)
    taken.check_sequences(model, held[0], "validation data", time_steps)
    task = Task(
        trained=candidates.to_bytes(model),
        losses=losses(model),
        data=arrays,
        labels=kept,
        validation=held,
        calibration=calibration,
        quantization_aware=quantization_aware,
        fine_tuning=fine_tuning,
        target=target or targets.target(),
        time_steps=time_steps,
    )
    start = _nothing_tried(model, task, max_accuracy_drop, minimise)
    store = Store(files.output_folder(folder), model, task)
    return _bisected(start, task, settings, store, jobs, on_candidate, watch)


def _checked(
    settings: Sequence[KernelSetting], minimise: str, max_accuracy_drop: float
) -> tuple[KernelSetting, ...]:
    """The settings, each once; refuses what nothing can be searched with."""
    if minimise not in MINIMISE:
        raise UnspoolError(f"minimise {minimise!r}: expected {' or '.join(MINIMISE)}")
    if not 0 <= max_accuracy_drop <= 100:
        raise UnspoolError(f"accuracy drop {max_accuracy_drop}: expected points from 0 to 100")
    if not settings:
        raise UnspoolError("settings: expected at least one to try")
    return tuple(dict.fromkeys(settings))


def _nothing_tried(model: Any, task: Task, max_accuracy_drop: float, minimise: str) -> Search:
    """A search before its first candidate: what they are compared with."""
    data, labels = task.validation
    return Search(
        trained_accuracy=accuracy(model, data, classes_of(labels)).percent,
        samples=len(labels),
        max_accuracy_drop=max_accuracy_drop,
        minimise=minimise,
        target=task.target,
        before=candidates.measure(task, model, UNTOUCHED),
    )


def _bisected(
    search: Search,
    task: Task,
    settings: Sequence[KernelSetting],
    store: Store,
    jobs: int | None,
    on_candidate: Callable[[Search], None],
    watch: Watch | None,
) -> Search:
    """Try settings until the strongest that holds the accuracy is known."""
    # Without memory maps: joblib's clean-up of them stumbles where results come one by one.
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    width = joblib.effective_n_jobs(jobs) if jobs else parallel.n_jobs
    watch = watch if width == 1 else None  # a screen cannot be sent to other processes
    for setting in settings:
        candidate = store.candidate(setting)
        if candidate:
            search = _with(search, candidate, store.model(setting), settings)
    on_candidate(search)
    while chosen := _next(settings, search, width):
        calls = (joblib.delayed(candidates.run)(task, setting, watch) for setting in chosen)
        for candidate, content in _quietly(parallel(calls)):
            path = store.keep(candidate, content)
            search = _with(search, candidate, path, settings)
            on_candidate(search)
    return search


def _quietly(results: Iterator[Any]) -> Iterator[Any]:
    """Without joblib's warning that it renewed a process which TensorFlow had made large."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        yield from results


def _with(
    search: Search, candidate: Candidate, path: Path, settings: Sequence[KernelSetting]
) -> Search:
    tried = sorted((*search.candidates, candidate), key=lambda t: settings.index(t.setting))
    return replace(
        search, candidates=tuple(tried), models={**search.models, candidate.setting: path}
    )


def _next(settings: Sequence[KernelSetting], search: Search, width: int) -> list[KernelSetting]:
    """Settings to try at once, spread evenly over the undecided ones; none when all is decided."""
    results = {settings.index(t.setting): search.holds(t) for t in search.candidates}
    low = max((index for index, holds in results.items() if holds), default=-1)
    failed = (index for index, holds in results.items() if not holds and index > low)
    high = min(failed, default=len(settings))
    untried = [index for index in range(low + 1, high) if index not in results]
    count = min(width, len(untried))
    picks = {((2 * k + 1) * len(untried)) // (2 * count) for k in range(count)}
    return [settings[untried[pick]] for pick in sorted(picks)]
