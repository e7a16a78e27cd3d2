"""The operators of one step of each recurrent layer, as a graph, out of a .tflite file."""

from dataclasses import dataclass

import numpy as np

from unspool.tflite import flatbuffer, marks
from unspool.tflite.names import Steps

_PREFERRED = 1  # the first step has a state of zero, and fewer operators


@dataclass(frozen=True)
class Node:
    """A box: an operator of the step, or what goes into it from outside.

    Attributes:
        title: the role of what it gives.
        detail: kind of the operator and shapes; where it comes from, for what goes in.
        full: the tensor's whole name.
        kind: "operator", "input" (from outside) or "state" (an operator whose result the next
            step, or the next call, takes).
    """

    title: str
    detail: str
    full: str
    kind: str


@dataclass(frozen=True)
class StepGraph:
    """One step.

    Attributes:
        layer: the scope of the recurrent layer.
        step: its number.
        steps: how many the layer has.
        nodes: boxes.
        edges: (from, to), positions in `nodes`.
    """

    layer: str
    step: int
    steps: int
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


def step_graphs(tflite: bytes) -> tuple[StepGraph, ...]:
    """A graph per recurrent layer, of its step 1, or of its only step; none where none is found.

    Args:
        tflite: a float or quantized .tflite, whose steps are known by their tensors' names.
    """
    model = flatbuffer.read(tflite)
    graph, names = model.subgraphs[0], marks.read(model).steps
    found: dict[str, set[int]] = {}
    for op in graph.operators:
        for index in op.outputs:
            place = names.find(graph.tensors[index].name.decode())
            if place:
                found.setdefault(place[0], set()).add(place[1])
    return tuple(
        _graph(model, names, layer, _PREFERRED if _PREFERRED in steps else min(steps), steps)
        for layer, steps in found.items()
    )


def _graph(
    model: flatbuffer.Model, known: Steps, layer: str, step: int, steps: set[int]
) -> StepGraph:
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    producers = {int(i): op for op in graph.operators for i in op.outputs}
    last = step == max(steps)

    def inside(index: int) -> bool:
        if known.find(names[index]) == (layer, step):
            return True
        return last and known.layer_giving(names[index]) == layer

    members = [op for op in graph.operators if any(inside(i) for i in op.outputs)]
    results = {int(i) for op in members for i in op.outputs}
    users = {int(i) for op in graph.operators if op not in members for i in op.inputs}
    given = users | set(map(int, graph.outputs))
    nodes: list[Node] = []
    at: dict[int, int] = {}  # tensor -> its node
    edges: list[tuple[int, int]] = []
    for op in members:
        number = len(nodes)
        written = int(op.outputs[0])
        shapes = [_shape(graph.tensors[written])]
        weights = _weights(model, op)
        detail = f"{flatbuffer.operator_kind(model, op)} → {shapes[0]}"
        if weights:
            detail += f", weights {weights}"
        kind = "state" if results & given & set(map(int, op.outputs)) else "operator"
        nodes.append(Node(_title(names[written], known), detail, names[written], kind))
        at.update({int(index): number for index in op.outputs})
    for op in members:
        for index in map(int, op.inputs):
            if index < 0 or _is_constant(model, index):
                continue
            if index not in at:
                origin = _origin(model, known, index, producers)
                at[index] = len(nodes)
                nodes.append(
                    Node(
                        _title(names[origin], known),
                        f"{_where(known, names[index], names[origin], layer, step)}"
                        f" → {_shape(graph.tensors[index])}",
                        names[index],
                        "input",
                    )
                )
            edge = at[index], at[int(op.outputs[0])]
            if edge not in edges:
                edges.append(edge)
    return StepGraph(layer, step, len(steps), tuple(nodes), tuple(edges))


_MOVES = ("SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE", "RESHAPE", "UNPACK", "QUANTIZE")


def _origin(model: flatbuffer.Model, known: Steps, index: int, producers: dict[int, object]) -> int:
    """The tensor that one is cut from: a split's parts have names that say nothing."""
    while index in producers:
        op = producers[index]
        name = model.subgraphs[0].tensors[index].name.decode()
        if flatbuffer.operator_kind(model, op) not in _MOVES or known.find(name):
            break
        sources = [int(i) for i in op.inputs if i >= 0 and not _is_constant(model, int(i))]  # type: ignore[attr-defined]
        if len(sources) != 1:
            break
        index = sources[0]
    return index


def _where(known: Steps, name: str, origin: str, layer: str, step: int) -> str:
    place = known.find(origin)
    if place and place[0] == layer:
        return "state of the step before" if place[1] == step - 1 else f"step {place[1]}"
    if place:
        return f"layer {place[0]}, step {place[1]}"
    if known.is_taken(origin):
        return "state, an input"
    return "this step's part" if name != origin else "from outside"


def _title(name: str, known: Steps) -> str:
    """`gru/step_001/MatMul;gru/step_001/hproj` -> `hproj`."""
    part = known.within(name)
    return part.rpartition("/")[2] if part.count("/") > 1 else part


def _weights(model: flatbuffer.Model, op: object) -> str:
    for index in op.inputs[1:2]:  # type: ignore[attr-defined]
        tensor = model.subgraphs[0].tensors[index]
        if index >= 0 and _is_constant(model, int(index)) and len(tensor.shape) > 1:
            kind = flatbuffer.operator_kind(model, op)
            if kind in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL"):
                return _shape(tensor)
    return ""


def _shape(tensor: object) -> str:
    return "×".join(str(int(n)) for n in np.atleast_1d(tensor.shape)) or "1"  # type: ignore[attr-defined]


def _is_constant(model: flatbuffer.Model, index: int) -> bool:
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return data is not None and len(data) > 0
