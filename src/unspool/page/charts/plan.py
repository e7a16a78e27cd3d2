"""The memory plan: which tensor lies where, from when to when."""

from collections.abc import Sequence

from unspool.compilation.allocations import Allocation
from unspool.page.charts.canvas import (
    HATCHES,
    INK,
    MUTED,
    PAPER,
    SERIES,
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
    by_role: dict[str, list[Allocation]] = {}
    for a in allocations:
        by_role.setdefault(role(a, steps), []).append(a)
    weights = {
        name: sum(a.size * (a.end - a.start + 1) for a in group) for name, group in by_role.items()
    }
    named = sorted(weights, key=lambda name: -weights[name])[:_NAMED]
    groups = {name: by_role[name] for name in named}
    rest = [a for a in allocations if role(a, steps) not in groups]
    end = max(a.end for a in allocations) + 1

    def paint(figure: Figure) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        axes = figure.subplots()
        plain(axes, "y")
        labels = [shortened(name, 34) for name in named]
        looks = [(SERIES[k], HATCHES[k]) for k in range(len(named))]
        layers = list(zip(labels, groups.values(), looks, strict=True))
        if rest:
            layers.append((f"{len(rest)} others", rest, (MUTED, "")))
        for label, tensors, (colour, hatch) in layers:
            shapes = [_box(a) for a in tensors]
            axes.add_patch(
                PathPatch(
                    Path.make_compound_path(*map(Path, shapes)),
                    facecolor=colour,
                    hatch=hatch,
                    edgecolor=PAPER,
                    linewidth=0.2,
                    label=label,
                )
            )
        if resident_kib:
            axes.axhspan(
                used_kib - resident_kib,
                used_kib,
                facecolor=SERIES[5],
                hatch=HATCHES[5],
                edgecolor=PAPER,
                linewidth=0,
                label="resident weights",
            )
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
        axes.set_ylim(
            0, 1.12 * max(used_kib, max((a.address + a.size) / 1024 for a in allocations))
        )
        axes.set_ylabel("address, KiB")
        axes.set_xlabel("time, in Vela's schedule")
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.6, columnspacing=1.2)

    largest = max(allocations, key=lambda a: a.size)
    words = ", ".join(f"{name} ({len(groups[name])} tensors)" for name in named)
    return draw(
        f"plan-{allocations[0].memory.lower()}",
        f"Memory plan of {allocations[0].memory}",
        f"{len(allocations)} tensors as boxes, time from left to right, address upwards, up to "
        f"{kib(used_kib)} KiB. Most space over time: {words}. Largest tensor: {largest.name}, "
        f"{largest.size:,} bytes.",
        (420, 330),
        paint,
    )


def _box(a: Allocation) -> list[tuple[float, float]]:
    low, high = a.address / 1024, (a.address + a.size) / 1024
    left, right = a.start, a.end + 1
    return [(left, low), (right, low), (right, high), (left, high), (left, low)]
