"""One step of each recurrent layer."""

from unspool.page.charts.step import step as step_picture
from unspool.page.sections.parts import Picture, Section, Table
from unspool.report.report import Report
from unspool.report.step_graph import step_graphs

_LAYERS = 6  # recurrent layers that are drawn


def graph(report: Report) -> Section:
    """One step of each recurrent layer."""
    if not report.quantized_tflite:
        return Section("graph", "One step")
    graphs = step_graphs(report.quantized_tflite)
    pictures = []
    for place, entry in enumerate(graphs[:_LAYERS]):
        operators = [node for node in entry.nodes if node.kind != "input"]
        more = f", of {entry.steps} steps" if entry.steps > 1 else ""
        pictures.append(
            Picture(
                f"{entry.layer}, step {entry.step}",
                f"{len(operators)} operators{more}; round boxes come from outside of the step, ▸ "
                "is used after it. Roles share one range over all steps.",
                "shapes in elements",
                "measured",
                "read from the quantized .tflite",
                (step_picture(f"step-{place}", entry),),
                table=Table(
                    f"Operators of step {entry.step} of {entry.layer}",
                    ("Role", "Operator and shape", "Tensor"),
                    [(node.title, node.detail, node.full) for node in operators],
                ),
                wide=True,
            )
        )
    return Section("graph", "One step of the deploy graph", tuple(pictures))
