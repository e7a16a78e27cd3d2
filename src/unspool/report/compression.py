"""The results of compressing a model, kernels, epochs and a search, as tables and for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
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


_TEXTS = {"Setting": 22, "": 14}
"""Heading of a column of words -> the characters that it takes, in several lines."""
_NARROWER = 6
"""By so many at most, where no other column is left to do without."""
_DISPENSABLE = ("Seconds", "SRAM, KiB", "Epochs", "Flash, KiB")
"""Columns that a narrow terminal does without, one after the other."""


@dataclass(frozen=True)
class SearchTable:
    """What was tried, for a terminal of any width: the trained model first, then previews.

    Attributes:
        search: so far.
        left_out: how many of the first are not shown.
    """

    search: Search
    left_out: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        goal, full = self.search.goal, self.search.candidates
        tried = [*(one for one in self.search.previews if one not in full), *full]
        percent = " %" if goal.is_accuracy else ""
        yield (
            f"Tried: quantized, in LiteRT, on {self.search.samples:,} held-out samples, trained "
            f"{metric_number(goal, self.search.trained)}{percent}; cycles: Vela's estimate"
        )
        shown = (self.search.before, *tried[self.left_out :])
        rows = [_row(self.search, candidate) for candidate in shown]
        widths = _widths(rows, options.max_width)
        table = Table(box=None)
        for name, width in widths.items():
            table.add_column(name, justify="left" if name in _TEXTS else "right", width=width)
        for row in rows:
            table.add_row(*(row[name] for name in widths))
        yield table
        right, pairs = self.search.order
        if pairs:
            yield (
                f"Previews: {right} of {pairs} pairs of settings lie in the order in which they do "
                "with all epochs."
            )


def _widths(rows: Sequence[Mapping[str, str]], most: int) -> dict[str, int]:
    """Heading -> characters of the columns that fit into so many, each with a space on both sides.

    Headings, settings and notes take several lines where they have to, numbers do not.
    """
    full = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    least = {
        name: min(full[name], _TEXTS[name])
        if name in _TEXTS
        else max(map(len, [*name.split(), *(row[name] for row in rows)]))
        for name in rows[0]
    }
    if sum(full.values()) + 2 * len(full) <= most:
        return full
    for column in _DISPENSABLE:
        if sum(least.values()) + 2 * len(least) <= most:
            break
        del least[column]
    room = most - sum(least.values()) - 2 * len(least)
    for name in _TEXTS:
        more = min(room, full[name] - least[name]) if room > 0 else max(room // 2, -_NARROWER)
        least[name] += more
        room -= max(0, more)
    return least


def _row(search: Search, candidate: Candidate) -> dict[str, str]:
    """Heading -> what there is to say of a candidate."""
    goal = search.goal
    return {
        "Setting": str(candidate.setting),
        metric_label(goal): metric_number(goal, candidate.value),
        f"Lost, {goal.unit}": f"{search.lost(candidate):+.2f}",
        "Flash, KiB": f"{candidate.flash_kib:,.1f}",
        "SRAM, KiB": f"{candidate.sram_kib:,.1f}",
        "Cycles": f"{candidate.cycles:,}",
        "Epochs": str(candidate.epochs),
        "Seconds": f"{candidate.seconds:,.0f}",
        "": ", ".join(_notes(search, candidate)),
    }


def _notes(search: Search, candidate: Candidate) -> list[str]:
    """What there is to say of a candidate."""
    if any(candidate is preview for preview in search.previews):
        on_ladder = any(candidate is preview for preview in search.ladder)
        return ["preview, promising" if on_ladder else "preview"]
    notes = [] if search.holds(candidate) else ["loses too much"]
    notes += ["Pareto front"] if candidate in search.front else []
    return notes + (["chosen"] if candidate == search.chosen else [])
