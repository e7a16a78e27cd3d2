"""Where each operator of a network runs: on the CPU, what Vela left in the compiled file as it was.

Vela's own words cannot be counted on: its log takes an operator that the NPU runs by a DMA alone
for one of the CPU's, and its table leaves out whole subgraphs. The file is what a device gets.
Which operator of the network one there was is in Vela's debug database, since names repeat.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from unspool.compilation.unsaid import too_large
from unspool.npu.debug import read_tables
from unspool.tflite import flatbuffer

NPU = "ethos-u"
"""The operator that Vela puts in the place of those that the NPU runs."""

_UNKNOWN = "None"
"""How Vela spells the kind of an operator that it does not know."""

_ACTIVATED = "_act"  # what Vela adds to the name of an operator that has an activation in it
_NO_OUTPUT = "placeholder-for-"
"""What Vela's names begin with of the outputs that an operator does not have."""

Position: TypeAlias = "tuple[int, int]"
"""An operator of a file: the number of its graph and its own number there."""


@dataclass(frozen=True)
class OnCpu:
    """An operator that the CPU runs.

    Attributes:
        kind: as Vela spells it, such as "GatherV2".
        name: of the first tensor that it writes.
        reason: why, in Vela's words, or ours where it gives none that we know; else empty.
    """

    kind: str
    name: str
    reason: str


@dataclass(frozen=True)
class Places:
    """Where Vela puts the operators of a network.

    Attributes:
        on_cpu: what the CPU runs, by its position in the network's file, in its order.
        rows: of each row of Vela's table of operators the position of the operator in that file.
    """

    on_cpu: Mapping[Position, OnCpu]
    rows: tuple[Position, ...]


def places(source: bytes, compiled: bytes, debug: bytes, log: str) -> Places:
    """Compare a file with what Vela made of it.

    Args:
        source: the .tflite file that Vela compiled.
        compiled: the .tflite file that it wrote.
        debug: its debug database.
        log: what it printed.

    Raises:
        KeyError, ValueError, UnspoolError: these are not from Vela 5.x, or an operator of the
            compiled file is not in the other one.
    """
    network, tables = flatbuffer.look(source), read_tables(debug)
    by_id = _positions(tables["source"])
    passed = {
        by_id[row["source_id"]] for row in tables["optimised"] if row["operator"] == "Passthrough"
    }
    kinds = {by_id[row["id"]]: row["operator"] for row in tables["source"]}
    reason_of = _reasons(log)
    on_cpu = {}
    for position, (kind, name) in sorted(_operators_left(network, compiled, passed).items()):
        spelled = kinds.get(position, _UNKNOWN)
        reason = reason_of(kind, name) or too_large(network, position)
        on_cpu[position] = OnCpu(kind if spelled == _UNKNOWN else spelled, name, reason)
    return Places(on_cpu, tuple(by_id[row["source_id"]] for row in tables["perf"]))


def _positions(rows: list[dict[str, str]]) -> dict[str, Position]:
    """Id of an operator in Vela's database -> its position; a graph's first has the key 0."""
    positions, graph = {}, -1
    for row in rows:
        number = int(row["ext_key"])
        graph += number == 0
        positions[row["id"]] = graph, number
    return positions


def _operators_left(
    network: flatbuffer.Model, compiled: bytes, passed: set[Position]
) -> dict[Position, tuple[str, str]]:
    """Position in the network of each operator that is in the compiled file: (kind, name)."""
    positions: dict[tuple[str, str], list[Position]] = {}
    every = every_operator(network)
    for position in sorted(every, key=lambda position: (position not in passed, position)):
        positions.setdefault(every[position], []).append(position)
    operators = {}
    for kind, name in every_operator(flatbuffer.look(compiled)).values():
        if kind != NPU:
            if not positions.get((kind, name)):
                raise ValueError(f"{kind} {name!r} is compiled, but not in the network")
            operators[positions[kind, name].pop(0)] = kind, name
    return operators


def every_operator(model: flatbuffer.Model) -> dict[Position, tuple[str, str]]:
    """Position -> (LiteRT's kind, name of the first output) of the operators of all graphs.

    An operator that writes none, such as ASSIGN_VARIABLE, has the name of what it reads first.
    """
    every = {}
    for number, graph in enumerate(model.subgraphs):
        for place, op in enumerate(graph.operators):
            tensors = [int(index) for index in (*op.outputs, *op.inputs)]
            name = graph.tensors[tensors[0]].name.decode() if tensors else ""
            every[number, place] = flatbuffer.operator_kind(model, op), name
    return every


def _reasons(log: str) -> Callable[[str, str], str]:
    """Why Vela leaves an operator, given as LiteRT's kind and a name, on the CPU, or ""."""
    matches = re.findall(
        r"^Warning \([^)]*\) operator: ([^,]+), ofm: '(.*)'\n"
        r"Reason: (.*(?:\n(?!#|Warning|Info|Network).+)*)",
        log,
        re.MULTILINE,
    )
    exact = {(kind, name): " ".join(reason.split()) for kind, name, reason in matches}
    by_name = {name: reason for (_, name), reason in exact.items()}  # of an activation in it
    nameless = {
        kind: reason for (kind, name), reason in exact.items() if name.startswith(_NO_OUTPUT)
    }

    def reason(kind: str, name: str) -> str:
        own = exact.get((kind, name)) or exact.get((kind, f"{name}{_ACTIVATED}"))
        return own or nameless.get(kind) or by_name.get(name, "")

    return reason
