"""What the pictures share: how they look, and how a matplotlib figure becomes inline SVG.

Colours are CSS variables, so that one picture serves a light page, a dark one and paper. While
matplotlib draws, each stands in as a hex colour of its own; `render` puts the variables in.
"""

import io
import logging
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, TypeAlias

Figure: TypeAlias = Any
Axes: TypeAlias = Any

INK, MUTED, GRID, PAPER = "#010101", "#010102", "#010103", "#010104"
SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115", "#010116")
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--card",
    **{colour: f"--s{number}" for number, colour in enumerate(SERIES, 1)},
}
HATCHES = ("", "///", "...", "\\\\\\", "xx", "||")
"""One per series: none is told from another by its colour alone."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = ("o", "s", "^", "D")

_STYLE: Any = {
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib: no font of the machine is looked for
    "font.size": 11,
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "hatch.linewidth": 1.2,
    "lines.linewidth": 1.8,
}

_NO_HINTS: Mapping[str, str] = {}
_NUMBERS = re.compile(r' (?:d|x|y|width|height|transform)="[^"]*"')
_LONG = re.compile(r"(\.\d\d)\d+")


def draw(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
    hints: Mapping[str, str] = _NO_HINTS,
) -> str:
    """Draw a figure and give it as SVG text, to be put into an HTML page.

    Args:
        name: of the picture, unique on its page: what its ids start with.
        title: what it is, for those who cannot see it.
        description: what can be seen in it, the figures that matter included.
        size: width and height in CSS pixels.
        paint: puts axes on the empty figure and draws.
        hints: `gid` of something that is drawn -> what is shown while the pointer is on it.
    """
    content = _painted(name, size, paint, tuple(hints))
    for identity, hint in hints.items():
        group = f'<g id="{name}-{identity}">'
        content = content.replace(group, f"{group}<title>{escape(hint)}</title>")
    return wrap(name, title, description, size, content)


def _painted(
    name: str, size: tuple[float, float], paint: Callable[[Figure], None], ids: tuple[str, ...]
) -> str:
    """SVG elements of a figure, with these ids kept. Arguments as `draw` takes them."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # of caches that it cannot write
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as MatplotlibFigure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's matplotlibrc says
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = MatplotlibFigure(
            figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained"
        )
        canvas: Any = FigureCanvasSVG(figure)
        paint(figure)
        stream = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.print_svg(stream, metadata=nothing)
    return _inner(stream.getvalue(), name, ids)


def wrap(name: str, title: str, description: str, size: tuple[float, float], content: str) -> str:
    """SVG elements -> a picture with its text alternative. Arguments as `draw` takes them."""
    width, height = size
    return (
        f'<svg role="img" class="picture" viewBox="0 0 {width:g} {height:g}" '
        f'style="--width:{width:g}px" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>{content}</svg>'
    )


def plain(axes: Axes, grid: str = "x") -> None:
    """Leave out the frame but for the line that bars stand on."""
    for side in ("left", "bottom") if grid == "both" else ("bottom" if grid == "x" else "left",):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.grid(visible=True, axis=grid)


def shortened(text: str, length: int = 30) -> str:
    """A name that may be long, its middle left out."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[: length - 1 - half]}…{text[-half:]}"


def amount(value: float) -> str:
    """A count of cycles for an axis or a label: 4.66 M, 775 k, 512."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            scaled = value / size
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f} {unit}"
    return f"{value:,.0f}"


def count_axis(axis: Any) -> None:
    """Ticks that read 0, 1 M, 2 M."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(5))

    def text(value: float, _: int) -> str:
        for unit, size in ((" M", 1e6), (" k", 1e3)):
            if abs(value) >= size:
                return f"{value / size:g}{unit}"
        return f"{value:g}"

    axis.set_major_formatter(FuncFormatter(text))


def _inner(document: str, name: str, ids: tuple[str, ...]) -> str:
    """What matplotlib wrote inside its <svg>: ids unique on the page, colours as variables."""
    content = document[document.index("<svg") :]
    content = content[content.index(">") + 1 : content.rindex("</svg>")]
    content = re.sub(r"<(metadata|style)\b.*?</\1>", "", content, flags=re.DOTALL)
    content = _NUMBERS.sub(lambda match: _LONG.sub(r"\1", match[0]), content)
    content = content.replace("xlink:href", "href")
    used = {*ids, *re.findall(r'(?:url\(|href=")#([^)"]+)', content)}

    def identity(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    content = re.sub(r' id="([^"]*)"', identity, content)
    content = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", content)
    content = content.replace("'DejaVu Sans', ", "").replace("'DejaVu Sans'", "sans-serif")
    for colour, variable in _VARIABLES.items():
        content = content.replace(colour, f"var({variable})")
    return re.sub(r"\s*\n\s*", "\n", content).strip()
