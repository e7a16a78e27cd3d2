"""Compress a trained model as far as a goal allows: previews, then the promising ones in full."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from unspool.compression import candidates
from unspool.compression.build import Build
from unspool.compression.candidate_store import Store
from unspool.compression.candidates import Task
from unspool.compression.fewer_units import unit_scores
from unspool.compression.fine_tuning_run import FineTuning
from unspool.compression.goal import Goal
from unspool.compression.kernels import UNTOUCHED, KernelSetting
from unspool.compression.previews import PREVIEWS, shortened
from unspool.compression.running import runner
from unspool.compression.search_results import Search
from unspool.compression.space import SETTINGS, mildest, possible
from unspool.compression.trained_loss import check_compiled, losses, trainable, with_a_loss
from unspool.compression.training_data import SOME, Split, split
from unspool.compression.trials import Trials, bisected, previewed, recalled, refined
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend import structure
from unspool.support import files, samples
from unspool.support.files import AnyPath
from unspool.support.progress import Watch
from unspool.support.samples import Samples

_FEW = 4
_GOAL, _FINE_TUNING, _BUILD = Goal(), FineTuning(), Build()


def search(
    model: Any,
    data: Samples,
    labels: Samples,
    folder: AnyPath,
    *,
    goal: Goal = _GOAL,
    settings: Sequence[KernelSetting] = SETTINGS,
    previews: int = PREVIEWS,
    validation: tuple[Samples, np.ndarray] | None = None,
    calibration: Samples | None = None,
    fine_tuning: FineTuning = _FINE_TUNING,
    build: Build = _BUILD,
    jobs: int | None = None,
    on_candidate: Callable[[Search], None] = lambda search: None,
    watch: Watch | None = None,
) -> Search:
    """Compress a trained model as far as a goal allows, by units, zeros and shared values.

    First come previews, with a quarter of the epochs and at least 200 batches: settings that a
    model of what was tried so far (a tree-structured Parzen estimator) proposes. Those that
    none beats in metric and size at once are a ladder, from large to small, which is bisected with
    all epochs: the next one to try is between the smallest that held the goal and the largest below
    it that did not. Then at most four more are tried that leave less than the one and more than the
    other. (At most four settings are bisected as they are given, from mild to strong, and that is
    all.) Each is fine-tuned, quantized, compiled, and measured on validation samples, which it was
    not trained with.

    Finished candidates are kept in the folder: an interrupted search, started again, continues from
    there. They run in parallel through joblib: within `joblib.parallel_config(backend="dask")`, or
    any other backend of joblib's, they run there.

    Args:
        model: a built Keras model, compiled with a loss for one output, which is measured.
        data: samples, one array (samples, ...) per input.
        labels: of that output, or its name -> those: for the accuracy classes (samples,), or
            (samples, time) for an output in time, one-hot where the loss takes that, or yes and no;
            for another metric what it takes.
        folder: where finished candidates are kept.
        goal: the metric, how much worse it may become, and what is to be small.
        settings: that may be tried; those with units that the model cannot be left with are not.
        previews: how many are tried with a part of the epochs.
        validation: samples and labels; a part of `data` is held out where None.
        calibration: samples to quantize with; the first 200 of `data` where None.
        fine_tuning: how to train in each candidate.
        build: how candidates become binaries.
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
    measured, (arrays, training_labels, held) = searchable(
        model, data, labels, goal, fine_tuning, validation=validation
    )
    settings = possible(model, settings)
    turned = build.way.turned(model)
    build.way.check(turned.model, turned.samples(held[0]), "validation data")
    task = Task(
        trained=candidates.to_bytes(model),
        losses=losses(model),
        data=arrays,
        labels=training_labels,
        validation=held,
        goal=goal,
        output=structure.output_names(model)[measured],
        calibration=_calibration(model, calibration, arrays),
        unit_scores=_unit_scores(model, arrays, settings, fine_tuning.seed),
        fine_tuning=fine_tuning,
        build=build,
    )
    initial_search = _nothing_tried(model, task)
    output, running = files.output_folder(folder), runner(jobs, watch)
    trials, short = (
        Trials(each, Store(output, model, each), running, on_candidate)
        for each in (task, _short(task))
    )
    return _searched(initial_search, trials, short, settings, previews)


def _searched(
    current_search: Search,
    trials: Trials,
    short: Trials,
    settings: Sequence[KernelSetting],
    previews: int,
) -> Search:
    """Previews by short trials, and whole trials of what they promise; or of the few there are."""
    current_search = recalled(current_search, trials, settings)
    if len(settings) <= _FEW:
        return bisected(current_search, trials, settings)
    current_search = previewed(current_search, short, settings, previews)
    ladder = [candidate.setting for candidate in current_search.ladder]
    current_search = bisected(
        current_search, trials, tuple(dict.fromkeys([mildest(settings), *ladder]))
    )
    return refined(current_search, trials, settings)


def searchable(
    model: Any,
    data: Any,
    labels: Any,
    goal: Goal,
    fine_tuning: FineTuning,
    *,
    validation: tuple[Any, Any] | None = None,
) -> tuple[int, Split]:
    """The number of the output that a search measures, and its samples and labels.

    Args:
        model: as `search` takes it, and the others.

    Raises:
        UnspoolError: the model has no loss for one output, or data or labels do not fit it.
    """
    check_compiled(model)
    output = _measured_output(model)
    seed, are_classes = fine_tuning.seed, goal.is_accuracy
    return output, split(model, data, labels, validation, seed, are_classes, output)


def _measured_output(model: Any) -> int:
    """The number of the output that has a loss.

    Raises:
        UnspoolError: there are several.
    """
    numbers, names = with_a_loss(model), structure.output_names(model)
    if len(numbers) != 1:
        listed = ", ".join(names[number] for number in numbers)
        raise UnspoolError(
            f"a search measures one output, but the model's loss is of {listed or 'none'}; compile "
            "it with a loss for one, and None for others"
        )
    return numbers[0]


def _unit_scores(
    model: Any, arrays: list[np.ndarray], settings: Sequence[KernelSetting], seed: int
) -> np.ndarray | None:
    """How much each unit matters, which is the same for all settings; None where all stay."""
    if all(setting.units is None for setting in settings):
        return None
    return unit_scores(trainable(model), [array[:SOME] for array in arrays], seed)


def _calibration(
    model: Any, calibration: Samples | None, arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """Samples to quantize with: those that were given, or the first of the data."""
    chosen = (
        samples.first(arrays, samples.CALIBRATION_COUNT) if calibration is None else calibration
    )
    return samples.check(chosen, structure.inputs(model), "calibration data")


def _nothing_tried(model: Any, task: Task) -> Search:
    """A search before its first candidate: what they are compared with.

    It warns where quantization alone loses more than the goal allows.
    """
    data, labels = task.validation
    untried = Search(
        goal=task.goal,
        trained=task.goal.measured(model, data, labels, task.output),
        samples=len(labels),
        target=task.build.target,
        before=candidates.measure(task, model, UNTOUCHED, epochs=0),
    )
    if not untried.holds(untried.before):
        goal, lost = task.goal, untried.lost(untried.before)
        warnings.warn(
            f"quantized as it is, the trained model loses {lost:.3g} {goal.unit} of {goal.metric}, "
            f"more than the {goal.max_loss:g} that the search may; only what fine-tuning wins back "
            "can hold that",
            UnspoolWarning,
            stacklevel=3,
        )
    return untried


def _short(task: Task) -> Task:
    """The task of a preview."""
    tuning = shortened(task.fine_tuning, len(task.labels))
    return replace(task, fine_tuning=tuning, build=replace(task.build, training_way=None))
