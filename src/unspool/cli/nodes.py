"""The table of an .onnx or a .pt2 file: every node, what it becomes, and where that runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from unspool.cli.flags import with_flags
from unspool.support.text import printable

if TYPE_CHECKING:
    from unspool.frontend.origins import Origin
    from unspool.unrolling.layer_rules import Verdict

_NOTHING = "nothing"
_PLACES = {
    "refuse": "refused",
    "cpu": "CPU",
    "unroll": "NPU",
    "keep": "NPU",
    "fold": "NPU",
    "input": "input",
    "remove": _NOTHING,
}
"""What happens to a layer -> where it runs; the first that one of a node's layers has counts."""


def nodes_table(title: str, origins: Sequence["Origin"], verdicts: Sequence["Verdict"]) -> Table:
    """The table; what there is to say of a layer stands where it is named first.

    Args:
        title: above it.
        origins: the file's nodes.
        verdicts: of the layers that they became.
    """
    table = Table(
        *("Node", "Operator", "What it becomes", "Runs on", "Detail"), title=title, box=None
    )
    table.title_justify = "left"
    by_layer = {verdict.layer: verdict for verdict in verdicts}
    earlier_layers: set[str] = set()
    for origin in origins:
        layer_verdicts = [by_layer[name] for name in origin.layers if name in by_layer]
        new = [verdict.detail for verdict in layer_verdicts if verdict.layer not in earlier_layers]
        earlier_layers.update(origin.layers)
        detail = "; ".join(filter(None, (origin.note, *dict.fromkeys(new))))
        table.add_row(
            printable(origin.node),
            printable(origin.op),
            ", ".join(map(_became, layer_verdicts)) or "-",
            _place(layer_verdicts),
            printable(with_flags(detail)),
        )
    return table


def _became(verdict: "Verdict") -> str:
    return f"{printable(verdict.layer)} ({verdict.kind}): {verdict.action}"


def _place(verdicts: Sequence["Verdict"]) -> str:
    actions = {verdict.action for verdict in verdicts}
    return next((place for action, place in _PLACES.items() if action in actions), _NOTHING)
