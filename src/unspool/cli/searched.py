"""The search of `unspool compress`: shown while it runs, its best model saved."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import typer

from unspool.cli.compress_inputs import Inputs
from unspool.cli.console import BROKEN, console
from unspool.cli.search_options import SearchOptions
from unspool.errors import UnspoolError

if TYPE_CHECKING:
    from unspool.compression.goal import Goal
    from unspool.compression.search_results import Search
    from unspool.report.compression import Compression


def search_for(inputs: Inputs, goal: "Goal", options: SearchOptions) -> "tuple[Any, Compression]":
    """The smallest model that holds the goal, which is saved; and what was tried.

    Raises:
        UnspoolError: something does not fit, or the cluster does not answer.
        typer.Exit: none holds the goal.
    """
    from unspool.compression.cluster import on_cluster
    from unspool.compression.kernels import results
    from unspool.frontend.keras_file import load
    from unspool.report.compression import Compression, search_table

    _check_steps_in_front(inputs)
    place = on_cluster(options.cluster) if options.cluster else nullcontext(None)
    with place as workers:  # whether the cluster answers is known before any work
        inputs = inputs.settled()
        before = inputs.before()
        result = _search(inputs, goal, options, None if workers else options.jobs)
    if result.chosen is None:
        console().print(search_table(result))
        console().print(
            f"No setting holds {goal.metric} within {goal.max_loss:g} {goal.unit}; allow more, or "
            "train longer with --epochs."
        )
        raise typer.Exit(BROKEN)
    smaller = load(result.models[result.chosen.setting])
    inputs.save(smaller)
    return smaller, Compression(before, results(smaller), search=result)


def _check_steps_in_front(inputs: Inputs) -> None:
    """Check that candidates can be cut into calls as they are trained.

    Raises:
        UnspoolError: what moves their time steps to the front would have to be left out.
    """
    from unspool.frontend.time_first import time_first

    if not (inputs.stream.states or inputs.stream.steps_per_call):
        return
    if notes := time_first(inputs.trained).notes:
        raise UnspoolError(
            f"a search tries whole calls of what is trained, but of this model first {notes[0]}; "
            "give a setting instead, such as --sparsity 0.8"
        )


def _search(inputs: Inputs, goal: "Goal", options: SearchOptions, jobs: int | None) -> "Search":
    from unspool.cli.search_view import showing
    from unspool.compression.searching import search

    with showing(inputs.folder) as (on_candidate, watch):
        return search(
            inputs.trained,
            inputs.arrays.data,
            inputs.arrays.labels,
            inputs.folder / "search",
            goal=goal,
            previews=options.trials,
            calibration=inputs.arrays.calibration,
            quantization_aware=inputs.quantization_aware,
            fine_tuning=inputs.tuning,
            target=inputs.options.target,
            resident_kib=inputs.options.resident_weights,
            time_steps=inputs.whole_length,
            way=inputs.stream.way(inputs.trained, inputs.options),
            jobs=jobs,
            on_candidate=on_candidate,
            watch=watch,
        )
