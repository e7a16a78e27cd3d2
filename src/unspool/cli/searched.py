"""The search of `unspool compress`: shown while it runs, its best model saved."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import typer

from unspool.cli.compress_inputs import Inputs
from unspool.cli.console import BROKEN, console
from unspool.cli.search_options import SearchOptions

if TYPE_CHECKING:
    from unspool.compression.goal import Goal
    from unspool.compression.kernels import KernelSetting
    from unspool.compression.search_results import Search
    from unspool.report.compression import Compression


def search_for(
    inputs: Inputs, goal: "Goal", options: SearchOptions, *, keeps_units: bool
) -> "tuple[Any, Compression]":
    """The smallest model that holds the goal, which is saved; and what was tried.

    Args:
        inputs: what is compressed.
        goal: what is searched for.
        options: how.
        keeps_units: whether only what keeps all units is tried.

    Raises:
        UnspoolError: something does not fit, or the cluster does not answer.
        typer.Exit: none holds the goal.
    """
    from unspool.compression.cluster import on_cluster
    from unspool.compression.kernels import results
    from unspool.compression.searching import searchable
    from unspool.compression.space import SETTINGS
    from unspool.frontend.keras_file import load
    from unspool.report.compression import Compression, SearchTable

    arrays = inputs.arrays
    searchable(inputs.trained, arrays.data, arrays.labels, goal, inputs.tuning)
    place = on_cluster(options.cluster) if options.cluster else nullcontext(None)
    with place as workers:  # whether that answers is known before any work, too
        inputs = inputs.settled()
        before = inputs.before()
        settings = [each for each in SETTINGS if each.units is None or not keeps_units]
        result = _search(inputs, goal, options, settings, None if workers else options.jobs)
    if result.chosen is None:
        console().print(SearchTable(result))
        console().print(
            f"No setting holds {goal.metric} within {goal.max_loss:g} {goal.unit}; allow more, or "
            "train longer with --epochs."
        )
        raise typer.Exit(BROKEN)
    smaller = load(result.models[result.chosen.setting])
    inputs.save(smaller)
    return smaller, Compression(before, results(smaller), search=result)


def _search(
    inputs: Inputs,
    goal: "Goal",
    options: SearchOptions,
    settings: "Sequence[KernelSetting]",
    jobs: int | None,
) -> "Search":
    from unspool.cli.search_view import showing
    from unspool.compression.searching import search

    with showing(inputs.folder) as (on_candidate, watch):
        return search(
            inputs.trained,
            inputs.arrays.data,
            inputs.arrays.labels,
            inputs.folder / "search",
            goal=goal,
            settings=settings,
            previews=options.trials,
            calibration=inputs.arrays.calibration,
            fine_tuning=inputs.tuning,
            build=inputs.build(),
            jobs=jobs,
            on_candidate=on_candidate,
            watch=watch,
        )
