"""Places the boxes of a small directed graph in layers, so that arrows point down and cross little.

The method of Sugiyama, Tagawa and Toda (1981): layers by longest path, stand-ins on edges that span
several layers, order within a layer by the neighbours' mean position, then coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 24


@dataclass(frozen=True)
class Layout:
    """Where boxes and arrows are, in units of `gap` and layers.

    Attributes:
        places: the centre (x, layer) of each box.
        routes: the points (x, layer) of each edge, its ends included.
        width: from the left edge of the leftmost box to the right edge of the rightmost.
        layers: how many.
    """

    places: tuple[tuple[float, int], ...]
    routes: tuple[tuple[tuple[float, int], ...], ...]
    width: float
    layers: int


def lay_out(
    widths: Sequence[float], edges: Sequence[tuple[int, int]], gap: float, stand_in: float = 16.0
) -> Layout:
    """Place boxes.

    Args:
        widths: of the boxes.
        edges: (from, to), positions in `widths`; without a cycle.
        gap: between boxes of a layer.
        stand_in: room for an arrow that passes a layer.
    """
    level, sizes = _levels(len(widths), edges), list(widths)
    chains = [_chain(edge, level, sizes, stand_in) for edge in edges]
    rows: list[list[int]] = [[] for _ in range(max(level, default=0) + 1)]
    for box, layer in enumerate(level):
        rows[layer].append(box)
    above: dict[int, list[int]] = {box: [] for box in range(len(sizes))}
    below: dict[int, list[int]] = {box: [] for box in range(len(sizes))}
    for chain in chains:
        for a, b in pairwise(chain):
            below[a].append(b)
            above[b].append(a)
    rows = _ordered(rows, above, below)
    x = _coordinates(rows, sizes, above, below, gap, len(widths))
    left = min((x[box] - sizes[box] / 2 for box in x), default=0.0)
    right = max((x[box] + sizes[box] / 2 for box in x), default=0.0)
    return Layout(
        tuple((x[box] - left, level[box]) for box in range(len(widths))),
        tuple(tuple((x[box] - left, level[box]) for box in chain) for chain in chains),
        right - left,
        len(rows),
    )


def _chain(
    edge: tuple[int, int], level: list[int], sizes: list[float], stand_in: float
) -> list[int]:
    """The boxes along an edge, with a new stand-in of its own in each layer that it passes.

    Puts the stand-ins behind the boxes in `level` and `sizes`.
    """
    source, target = edge
    passed = range(level[source] + 1, level[target])
    first = len(sizes)
    level.extend(passed)
    sizes.extend([stand_in] * len(passed))
    return [source, *range(first, len(sizes)), target]


def _levels(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Longest path from above; what nothing goes into stands right above its first user."""
    level = [0] * count
    for _ in range(count):
        changed = False
        for source, target in edges:
            if level[target] <= level[source]:
                level[target], changed = level[source] + 1, True
        if not changed:
            break
    else:
        if edges:
            raise ValueError("the graph has a cycle")
    fed = {target for _, target in edges}
    for box in range(count):
        users = [level[target] for source, target in edges if source == box]
        if box not in fed and users:
            level[box] = min(users) - 1
    return level


def _crossings(rows: Sequence[Sequence[int]], above: dict[int, list[int]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        place = {box: k for k, box in enumerate(upper)}
        ends = [(place[a], k) for k, box in enumerate(lower) for a in above[box]]
        total += sum(
            (a - c) * (b - d) < 0 for i, (a, b) in enumerate(ends) for c, d in ends[i + 1 :]
        )
    return total


def _ordered(
    rows: list[list[int]], above: dict[int, list[int]], below: dict[int, list[int]]
) -> list[list[int]]:
    best, least = [list(row) for row in rows], _crossings(rows, above)
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        pairs = list(pairwise(rows))
        if sweep % 2:
            pairs = [(lower, upper) for upper, lower in reversed(pairs)]
        for fixed, moved in pairs:
            place = {box: k for k, box in enumerate(fixed)}
            now = {box: k for k, box in enumerate(moved)}
            means = {
                box: sum(place[n] for n in neighbours[box]) / len(neighbours[box])
                if neighbours[box]
                else now[box]
                for box in moved
            }
            moved.sort(key=lambda box, means=means: means[box])  # type: ignore[misc]
        crossings = _crossings(rows, above)
        if crossings < least:
            best, least = [list(row) for row in rows], crossings
    return best


def _coordinates(
    rows: Sequence[Sequence[int]],
    sizes: Sequence[float],
    above: dict[int, list[int]],
    below: dict[int, list[int]],
    gap: float,
    boxes: int,
) -> dict[int, float]:
    x: dict[int, float] = {}
    for row in rows:
        at = 0.0
        for box in row:
            x[box] = at + sizes[box] / 2
            at += sizes[box] + gap
        for box in row:
            x[box] -= (at - gap) / 2
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_pulled(box, above[box] + below[box], x, boxes) for box in row]
            for box, place in zip(row, _apart(wanted, row, sizes, gap), strict=True):
                x[box] = place
    return x


def _pulled(box: int, near: Sequence[int], x: dict[int, float], boxes: int) -> float:
    """Where its neighbours pull a box; those from `boxes` on are stand-ins.

    The weights are those of Gansner et al. (1993), "A technique for drawing directed graphs".
    """
    if not near:
        return x[box]
    weights = [(1, 2, 8)[(box >= boxes) + (other >= boxes)] for other in near]
    return sum(w * x[other] for w, other in zip(weights, near, strict=True)) / sum(weights)


def _apart(
    wanted: Sequence[float], row: Sequence[int], sizes: Sequence[float], gap: float
) -> list[float]:
    """Places closest to those wanted, by least squares, at which no box touches the next.

    With the room before each box taken off, places must not fall: isotonic regression, by pooling
    adjacent violators.
    """
    room = [0.0]
    for a, b in pairwise(row):
        room.append(room[-1] + (sizes[a] + sizes[b]) / 2 + gap)
    pools: list[tuple[float, int]] = []  # sum, count
    for value, offset in zip(wanted, room, strict=True):
        pool = (value - offset, 1)
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1])
        pools.append(pool)
    flat = [total / count for total, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(flat, room, strict=True)]
