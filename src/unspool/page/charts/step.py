"""One step of a recurrent layer as boxes and arrows."""

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

    def y(layer: int) -> float:
        return _PAD + _BOX / 2 + layer * _LAYER

    arrows = []
    for route in layout.routes:
        points = [(_PAD + x, y(layer)) for x, layer in route]
        (x, top), path = points[0], []
        top += _BOX / 2
        path.append(f"M{x:.1f} {top:.1f}")
        for number, (to, centre) in enumerate(points[1:], 1):
            end = centre - _BOX / 2 - (4 if number == len(points) - 1 else 0)
            bend = (end - top) / 2
            path.append(f"C{x:.1f} {top + bend:.1f} {to:.1f} {end - bend:.1f} {to:.1f} {end:.1f}")
            x, top = to, end
            if number < len(points) - 1:
                top += _BOX
                path.append(f"V{top:.1f}")
        arrows.append(f'<path d="{"".join(path)}" marker-end="url(#{name}-tip)"/>')
    boxes = []
    for node, width, (x, layer), (title, detail) in zip(
        graph.nodes, widths, layout.places, texts, strict=True
    ):
        left, middle = _PAD + x - width / 2, _PAD + x
        boxes.append(
            f'<g class="box {node.kind}"><title>{escape(node.full)}</title>'
            f'<rect x="{left:.1f}" y="{y(layer) - _BOX / 2:.1f}" width="{width:.1f}" '
            f'height="{_BOX}" rx="{_BOX / 2 if node.kind == "input" else 5}"/>'
            f'<text class="role" x="{middle:.1f}" y="{y(layer) - 3:.1f}">{escape(title)}</text>'
            f'<text x="{middle:.1f}" y="{y(layer) + 11.5:.1f}">{escape(detail)}</text></g>'
        )
    tip = (
        f'<defs><marker id="{name}-tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>'
    )
    return wrap(
        name,
        f"Step {graph.step} of {graph.layer}",
        _words(graph),
        size,
        f'{tip}<g class="graph"><g class="arrows">{"".join(arrows)}</g>{"".join(boxes)}</g>',
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
