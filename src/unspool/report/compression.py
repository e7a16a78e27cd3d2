"""The results of compressing a model, kernels, epochs and a search, as tables and for JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from unspool.compression.candidates import Candidate
from unspool.compression.fine_tuning import Epoch
from unspool.compression.goal import Goal
from unspool.compression.kernels import KernelResult
from unspool.compression.search_results import Search
from unspool.compression.units.removal import UnitsResult


@dataclass(frozen=True)
class Compression:
    """How a model was compressed.

    Attributes:
        before: figure id -> value, of the trained model deployed as it is.
        kernels: what each kernel holds.
        epochs: of fine-tuning; empty after a search, whose candidates each have their own.
        best: number of the epoch that was kept.
        search: where there was one.
        units: of each layer that lost some, how many are left.
    """

    before: Mapping[str, float]
    kernels: tuple[KernelResult, ...]
    epochs: tuple[Epoch, ...] = ()
    best: int = 0
    search: Search | None = None
    units: tuple[UnitsResult, ...] = ()


def compression_document(compression: Compression) -> dict[str, Any]:
    """The part of report.json that says how the model was compressed."""
    document: dict[str, Any] = {"kernels": [asdict(kernel) for kernel in compression.kernels]}
    if compression.units:
        document["units"] = [asdict(layer) for layer in compression.units]
    if compression.epochs:
        document["epochs"] = [asdict(epoch) for epoch in compression.epochs]
        document["best_epoch"] = compression.best
    if compression.search is not None:
        document["search"] = _search_document(compression.search)
    return document


def _search_document(search: Search) -> dict[str, Any]:
    def described(candidate: Candidate) -> dict[str, Any]:
        return {
            **asdict(candidate),
            "lost": search.lost(candidate),
            "holds": search.holds(candidate),
            "on_front": candidate in search.front,
        }

    return {
        "goal": asdict(search.goal),
        "samples": search.samples,
        "trained": search.trained,
        "before": described(search.before),
        "previews": [described(candidate) for candidate in search.previews],
        "candidates": [described(candidate) for candidate in search.candidates],
        "chosen": asdict(search.chosen.setting) if search.chosen else None,
    }


def kernel_table(kernels: tuple[KernelResult, ...]) -> RenderableType:
    """Render what the kernels hold."""
    table = Table(title="Kernels", box=None, title_justify="left")
    for column in ("Kernel", "Weights", "Zeros, %", "Distinct values"):
        table.add_column(column, justify="left" if column == "Kernel" else "right")
    for kernel in kernels:
        share = f"{100 * kernel.zeros / kernel.weights:.1f}"
        table.add_row(kernel.path, f"{kernel.weights:,}", share, str(kernel.values))
    return table


def units_table(units: tuple[UnitsResult, ...]) -> RenderableType:
    """Render how many units the layers have left."""
    table = Table(title="Units", box=None, title_justify="left")
    for column in ("Layer", "Before", "Left"):
        table.add_column(column, justify="left" if column == "Layer" else "right")
    for layer in units:
        table.add_row(layer.layer, f"{layer.before:,}", f"{layer.units:,}")
    return table


def metric_label(goal: Goal) -> str:
    """A heading for the goal's metric."""
    return "Accuracy, %" if goal.is_accuracy else goal.metric


def metric_number(goal: Goal, value: float) -> str:
    """A value of the goal's metric."""
    return f"{value:.2f}" if goal.is_accuracy else f"{value:.4g}"


def search_table(search: Search) -> RenderableType:
    """Render what was tried, the trained model first, then previews."""
    goal = search.goal
    title = (
        f"Tried: quantized, in LiteRT, on {search.samples:,} held-out samples, trained "
        f"{metric_number(goal, search.trained)}{' %' if goal.is_accuracy else ''}; cycles: Vela's "
        "estimate"
    )
    table = Table(title=title, box=None, title_justify="left")
    lost = f"Lost, {goal.unit}"
    columns = ("Setting", metric_label(goal), lost, "Flash, KiB", "SRAM, KiB", "Cycles", "Epochs")
    for column in (*columns, "Seconds"):
        table.add_column(column, justify="left" if column == "Setting" else "right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for candidate in (search.before, *search.previews, *search.candidates):
        table.add_row(
            str(candidate.setting),
            metric_number(goal, candidate.value),
            f"{search.lost(candidate):+.2f}",
            f"{candidate.flash_kib:,.1f}",
            f"{candidate.sram_kib:,.1f}",
            f"{candidate.cycles:,}",
            str(candidate.epochs),
            f"{candidate.seconds:,.0f}",
            ", ".join(_notes(search, candidate)),
        )
    return table


def _notes(search: Search, candidate: Candidate) -> list[str]:
    """What there is to say of a candidate."""
    if any(candidate is preview for preview in search.previews):
        on_ladder = any(candidate is preview for preview in search.ladder)
        return ["preview, promising" if on_ladder else "preview"]
    notes = [] if search.holds(candidate) else ["loses too much"]
    notes += ["Pareto front"] if candidate in search.front else []
    return notes + (["chosen"] if candidate == search.chosen else [])
