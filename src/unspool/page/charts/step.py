"""One step of a recurrent layer as boxes and arrows."""

from collections.abc import Sequence
from html import escape

from unspool.page.charts.canvas import shortened, wrap
from unspool.page.charts.layering import lay_out
from unspool.report.step_graph import Node, StepGraph

_BOX, _LAYER, _PAD = 36, 62, 10
_LONGEST = 34  # characters of a line


def step(name: str, graph: StepGraph) -> str:
    """Draw a step: time runs downwards.

    Args:
        name: of the picture, unique on its page.
        graph: the step.
    """
    texts = [_lines(node) for node in graph.nodes]
    widths = [16 + max(7.4 * len(title), 6.3 * len(detail)) for title, detail in texts]
    layout = lay_out(widths, graph.edges, 14)
    size = (round(layout.width + 2 * _PAD), (layout.layers - 1) * _LAYER + _BOX + 2 * _PAD)
    arrows = "".join(
        f'<path d="{_arrow(route)}" marker-end="url(#{name}-tip)"/>' for route in layout.routes
    )
    boxes = "".join(
        _box(node, width, (_PAD + x, _middle(layer)))
        for node, width, (x, layer) in zip(graph.nodes, widths, layout.places, strict=True)
    )
    return wrap(
        name,
        f"Step {graph.step} of {graph.layer}",
        _words(graph),
        size,
        f'{_tip(name)}<g class="graph"><g class="arrows">{arrows}</g>{boxes}</g>',
    )


def _middle(layer: int) -> float:
    """From the top to the middle of a layer's boxes."""
    return _PAD + _BOX / 2 + layer * _LAYER


def _arrow(route: Sequence[tuple[float, int]]) -> str:
    """A path from the lower edge of a box to the upper one of another.

    It bends between two layers, and runs straight down beside the boxes of a layer that it passes.
    """
    points = [(_PAD + x, _middle(layer)) for x, layer in route]
    x, top = points[0]
    top += _BOX / 2
    path = [f"M{x:.1f} {top:.1f}"]
    for number, (to, centre) in enumerate(points[1:], 1):
        last = number == len(points) - 1
        end = centre - _BOX / 2 - (4 if last else 0)  # room for the tip
        bend = (end - top) / 2
        path.append(f"C{x:.1f} {top + bend:.1f} {to:.1f} {end - bend:.1f} {to:.1f} {end:.1f}")
        x, top = to, end
        if not last:
            top += _BOX
            path.append(f"V{top:.1f}")
    return "".join(path)


def _tip(name: str) -> str:
    """The point of an arrow, for all arrows of a picture to refer to."""
    return (
        f'<defs><marker id="{name}-tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>'
    )


def _box(node: Node, width: float, centre: tuple[float, float]) -> str:
    x, y = centre
    title, detail = _lines(node)
    return (
        f'<g class="box {node.kind}"><title>{escape(node.full)}</title>'
        f'<rect x="{x - width / 2:.1f}" y="{y - _BOX / 2:.1f}" width="{width:.1f}" '
        f'height="{_BOX}" rx="{_BOX / 2 if node.kind == "input" else 5}"/>'
        f'<text class="role" x="{x:.1f}" y="{y - 3:.1f}">{escape(title)}</text>'
        f'<text x="{x:.1f}" y="{y + 11.5:.1f}">{escape(detail)}</text></g>'
    )


def _lines(node: Node) -> tuple[str, str]:
    marker = " ▸" if node.kind == "state" else ""
    return shortened(node.title, _LONGEST) + marker, shortened(node.detail, 2 * _LONGEST)


def _words(graph: StepGraph) -> str:
    sources: dict[int, list[str]] = {}
    for a, b in graph.edges:
        sources.setdefault(b, []).append(graph.nodes[a].title)
    parts = [
        f"{node.title} ({node.detail}) from {', '.join(sources.get(number, ['constants']))}"
        for number, node in enumerate(graph.nodes)
        if node.kind != "input"
    ]
    return f"{len(parts)} operators: {'; '.join(parts)}."
