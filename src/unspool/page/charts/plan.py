"""The memory plan: which tensor lies where, from when to when."""

from collections.abc import Mapping, Sequence

from unspool.compilation.allocations import Allocation
from unspool.page.charts.canvas import (
    HATCHES,
    INK,
    MUTED,
    PAPER,
    SERIES,
    Axes,
    Figure,
    draw,
    plain,
    shortened,
)
from unspool.report.numbers import kib
from unspool.tflite.names import Steps, last_part

_NAMED = 4  # roles with a colour of their own
STAGED = "weights on their way"


def role(allocation: Allocation, steps: Steps) -> str:
    """What a tensor is, whatever the step: its name's last part, as people read it."""
    if allocation.staged:
        return STAGED
    name = steps.role(last_part(allocation.name))
    return "/".join(name.split("/")[-3 if "/step/" in name else -2 :])


def plan(
    allocations: Sequence[Allocation], steps: Steps, used_kib: float, resident_kib: float = 0.0
) -> str:
    """Boxes on a plane of time and address, one per tensor.

    Args:
        allocations: of one memory, one or more.
        steps: reads the names of tensors.
        used_kib: what an inference needs of it, in KiB of 1024 bytes, resident weights included.
        resident_kib: weights that stay there during the inference, behind the rest.
    """
    named = _roomiest_roles(allocations, steps)
    others = [a for a in allocations if role(a, steps) not in named]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        plain(axes, "y")
        _paint_tensors(axes, named, others)
        if resident_kib:
            _paint_resident(axes, used_kib - resident_kib, used_kib)
        _paint_used(axes, max(a.end for a in allocations) + 1, used_kib)
        highest = max((a.address + a.size) / 1024 for a in allocations)
        axes.set_ylim(0, 1.12 * max(used_kib, highest))
        axes.set_ylabel("address, KiB")
        axes.set_xlabel("time, in Vela's schedule")
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.6, columnspacing=1.2)

    largest = max(allocations, key=lambda a: a.size)
    words = ", ".join(f"{name} ({len(tensors)} tensors)" for name, tensors in named.items())
    return draw(
        f"plan-{allocations[0].memory.lower()}",
        f"Memory plan of {allocations[0].memory}",
        f"{len(allocations)} tensors as boxes, time from left to right, address upwards, up to "
        f"{kib(used_kib)} KiB. Most space over time: {words}. Largest tensor: {largest.name}, "
        f"{largest.size:,} bytes.",
        (420, 330),
        paint,
    )


def _roomiest_roles(allocations: Sequence[Allocation], steps: Steps) -> dict[str, list[Allocation]]:
    """The roles that take the most space over time, the largest first, with their tensors."""
    by_role: dict[str, list[Allocation]] = {}
    for a in allocations:
        by_role.setdefault(role(a, steps), []).append(a)
    space = {
        name: sum(a.size * (a.end - a.start + 1) for a in tensors)
        for name, tensors in by_role.items()
    }
    largest = sorted(space, key=lambda name: -space[name])[:_NAMED]
    return {name: by_role[name] for name in largest}


def _paint_tensors(
    axes: Axes, named: Mapping[str, Sequence[Allocation]], others: Sequence[Allocation]
) -> None:
    """The tensors of each named role in its own colour, the others in one for all."""
    for number, (name, tensors) in enumerate(named.items()):
        _paint_boxes(axes, shortened(name, 34), tensors, SERIES[number], HATCHES[number])
    if others:
        _paint_boxes(axes, f"{len(others)} others", others, MUTED, "")


def _paint_boxes(
    axes: Axes, label: str, tensors: Sequence[Allocation], colour: str, hatch: str
) -> None:
    """The boxes of one role, as one shape."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    axes.add_patch(
        PathPatch(
            Path.make_compound_path(*(Path(_box(a)) for a in tensors)),
            facecolor=colour,
            hatch=hatch,
            edgecolor=PAPER,
            linewidth=0.2,
            label=label,
        )
    )


def _paint_resident(axes: Axes, low_kib: float, high_kib: float) -> None:
    """A band over all of the time."""
    axes.axhspan(
        low_kib,
        high_kib,
        facecolor=SERIES[5],
        hatch=HATCHES[5],
        edgecolor=PAPER,
        linewidth=0,
        label="resident weights",
    )


def _paint_used(axes: Axes, end: int, used_kib: float) -> None:
    """A line at what an inference needs, up to the end of the time, which is the axis's too."""
    axes.axhline(used_kib, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.text(
        end,
        used_kib,
        f"{kib(used_kib)} KiB ",
        ha="right",
        va="bottom",
        color=INK,
        fontsize=10.5,
    )
    axes.set_xlim(0, end)


def _box(a: Allocation) -> list[tuple[float, float]]:
    low, high = a.address / 1024, (a.address + a.size) / 1024
    left, right = a.start, a.end + 1
    return [(left, low), (right, low), (right, high), (left, high), (left, low)]
