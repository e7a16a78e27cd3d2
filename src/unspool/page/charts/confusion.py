"""A confusion matrix of many classes as a picture; one of few is a table and needs none."""

from collections.abc import Sequence

from unspool.page.charts.canvas import wrap

_SIZE = 460
_MARGIN = 34
_SHADES = 6


def confusion(name: str, counts: Sequence[Sequence[int]]) -> str:
    """Squares, darker where a larger share of a class's samples is; right answers on the diagonal.

    Args:
        name: of the picture, unique on its page.
        counts: (classes, classes); row: the right class, column: the model's.
    """
    classes = len(counts)
    cell = (_SIZE - _MARGIN) / classes
    right = sum(line[k] for k, line in enumerate(counts))
    total = sum(map(sum, counts))
    return wrap(
        name,
        "Confusion matrix",
        f"{classes} classes; rows: the right class, columns: the model's. {right:,} of {total:,} "
        "samples are on the diagonal. Darker: a larger share of the class. The table below lists "
        "the most frequent confusions.",
        (_SIZE + 2, _SIZE + 2),
        f'<g class="labels">{_NAMES}{_ticks(classes, cell)}</g>{_squares(counts, cell)}{_FRAME}',
    )


_NAMES = (
    f'<text x="{_MARGIN}" y="11">the model\'s class →</text>'
    f'<text transform="translate(10 {_MARGIN + 90}) rotate(-90)">right class ←</text>'
)
_FRAME = (
    f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{_SIZE - _MARGIN}" height="{_SIZE - _MARGIN}" '
    'fill="none" stroke="var(--muted)"/>'
)


def _squares(counts: Sequence[Sequence[int]], cell: float) -> str:
    """One path for all squares of a shade; a negative shade is one of wrong answers."""
    shades: dict[int, list[str]] = {}
    for row, line in enumerate(counts):
        total = sum(line)
        for column, count in enumerate(line):
            if count:
                shade = -(-_SHADES * count // total)  # 1 to _SHADES
                key = shade if row == column else -shade
                shades.setdefault(key, []).append(
                    f"M{_MARGIN + column * cell:.1f} {_MARGIN + row * cell:.1f}"
                    f"h{cell:.1f}v{cell:.1f}h-{cell:.1f}z"
                )
    return "".join(
        f'<path d="{"".join(paths)}" fill="var(--s{1 if shade > 0 else 5})" '
        f'fill-opacity="{0.15 + 0.85 * abs(shade) / _SHADES:.2f}"/>'
        for shade, paths in sorted(shades.items())
    )


def _ticks(classes: int, cell: float) -> str:
    """The numbers of up to ten classes, above and on the left."""
    every = 10 ** max(0, len(str(classes - 1)) - 1)
    return "".join(
        f'<text x="{_MARGIN + (k + 0.5) * cell:.1f}" y="{_MARGIN - 5}" text-anchor="middle">{k}'
        f'</text><text x="{_MARGIN - 5}" y="{_MARGIN + (k + 0.5) * cell + 4:.1f}" '
        f'text-anchor="end">{k}</text>'
        for k in range(0, classes, every)
    )
