"""What an operator of ONNX becomes, and where that runs: by loading and inspecting its graphs."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx_models

import unspool
from onnx_forms.tables import MODELS
from unspool.frontend.onnx.assembling import FORMS

_AROUND = ("Permute", "Reshape")
"""Layers that put axes in order for others."""

_BY_SIZE = (
    *("convolutions: up 1d far strides", "reductions: negative several"),
    "elementwise: Pow of a row",
)
"""Graphs of the same layers as others that run elsewhere for their sizes or strides."""


@dataclass(frozen=True)
class Row:
    """Cells of the page's table.

    Attributes:
        becomes: Keras's layers and functions.
        runs: on the NPU, on the CPU, or not at all and why.
    """

    becomes: str
    runs: str


def row(op: str) -> Row:
    """What the graphs of an operator say of it."""
    seen = list(_looked_at(op))
    kinds = dict.fromkeys(kind for each in seen for kind in each.kinds)
    shown = [kind for kind in kinds if kind not in _AROUND] or list(kinds)
    if not all(each.kinds for each in seen):
        shown.append("or no layer" if shown else "no layer")
    places = dict.fromkeys(each.where for each in seen if each.where)
    first = sorted(places, key=lambda where: where != "NPU") or ["nothing"]
    return Row(cell(", ".join(shown).replace(", or ", " or ")), "; ".join(first))


def cell(text: str) -> str:
    """A text as a table has it."""
    return re.sub(r"([|<>_*`\[\]])", r"\\\1", " ".join(text.split()))


@dataclass(frozen=True)
class _Seen:
    """The layers that a graph's node became, and where they run: "" where that was asked before."""

    kinds: tuple[str, ...]
    where: str


def _looked_at(op: str) -> Iterator[_Seen]:
    asked: set[frozenset[str]] = set()
    for name in graphs()[op]:
        model = _loaded(name)
        nodes = [origin for origin in unspool.origins(model) if origin.op == op]
        layers = {layer: _kind(model, layer) for origin in nodes for layer in origin.layers}
        kinds = tuple(layers.values())
        alike = frozenset(kinds).difference(_AROUND) or frozenset(kinds)
        where = ""
        if layers and (alike not in asked or name in _BY_SIZE):
            asked.add(alike)
            where = _place(model, set(layers), name)
        yield _Seen(kinds, where)


@cache
def graphs() -> dict[str, list[str]]:
    """Operator -> graphs that end in it, or, of one that none ends in, that have it."""
    ends: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for name, make in MODELS.items():
        ops = [node.op_type for node in make().graph.node]
        ends.setdefault(ops[-1], []).append(name)
        for op in ops[:-1]:
            others.setdefault(op, []).append(name)
    return {op: (others | ends)[op] for op in FORMS}


def _loaded(name: str) -> Any:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", unspool.UnspoolWarning)
        return unspool.load(onnx_models.saved(MODELS[name](), Path(folder)))


def _kind(model: Any, layer: str) -> str:
    """A layer's class, or the function of an Activation."""
    operation = next(each for each in model.operations if each.name == layer)
    kind = type(operation).__name__
    return f"Activation of {operation.activation.__name__}" if kind == "Activation" else kind


def _place(model: Any, layers: set[str], name: str) -> str:
    """Where the worst of some layers runs, and why not on the NPU, with the graph's name."""
    verdicts = [each for each in unspool.inspect(model) if each.layer in layers]
    for action, where in (("refuse", "refused"), ("cpu", "CPU")):
        for verdict in verdicts:
            if verdict.action == action:
                reason = re.split(r"; | Stride values| Slice must| \(accept", verdict.detail)[0][
                    :110
                ].strip()
                return f"{where}: {cell(reason)} (*{cell(name.split(': ')[-1])}*)"
    return "NPU"
