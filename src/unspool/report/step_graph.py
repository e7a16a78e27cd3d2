"""The operators of one step of each recurrent layer, as a graph, out of a .tflite file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    layer_steps: dict[str, set[int]] = {}
    for op in graph.operators:
        for index in op.outputs:
            place = names.find(graph.tensors[index].name.decode())
            if place:
                layer_steps.setdefault(place[0], set()).add(place[1])
    drawn = []
    for layer, steps in layer_steps.items():
        number = _PREFERRED if _PREFERRED in steps else min(steps)
        drawn.append(_graph(_Step(model, names, layer, number, number == max(steps)), len(steps)))
    return tuple(drawn)


@dataclass(frozen=True)
class _Step:
    """The step to draw.

    Attributes:
        model: the file that it is in.
        known: reads the names of its tensors.
        layer: the scope of the recurrent layer.
        number: which step.
        last: whether the layer has none after it.
    """

    model: flatbuffer.Model
    known: Steps
    layer: str
    number: int
    last: bool

    def name(self, index: int) -> str:
        """A tensor's name."""
        return str(self.model.subgraphs[0].tensors[index].name.decode())

    def shape(self, index: int) -> str:
        """A tensor's shape, for people."""
        return _shape(self.model.subgraphs[0].tensors[index])

    def gives(self, index: int) -> bool:
        """Whether a tensor is a result of the step, or of the layer where it ends with the step."""
        name = self.name(index)
        if self.known.find(name) == (self.layer, self.number):
            return True
        return self.last and self.known.layer_giving(name) == self.layer


def _graph(step: _Step, steps: int) -> StepGraph:
    graph = step.model.subgraphs[0]
    members = [op for op in graph.operators if any(step.gives(int(i)) for i in op.outputs)]
    carried = _used_outside(step.model, members)
    producers = {int(i): op for op in graph.operators for i in op.outputs}
    nodes = [_operator(step, op, carried) for op in members]
    at = {int(i): number for number, op in enumerate(members) for i in op.outputs}
    edges: dict[tuple[int, int], None] = {}  # each once, in order
    for op in members:
        for index in map(int, op.inputs):
            if index < 0 or _is_constant(step.model, index):
                continue
            if index not in at:
                at[index] = len(nodes)
                nodes.append(_from_outside(step, index, producers))
            edges[at[index], at[int(op.outputs[0])]] = None
    return StepGraph(step.layer, step.number, steps, tuple(nodes), tuple(edges))


def _used_outside(model: flatbuffer.Model, members: Sequence[Any]) -> set[int]:
    """The tensors that something outside of the step takes."""
    graph = model.subgraphs[0]
    users = {int(i) for op in graph.operators if op not in members for i in op.inputs}
    return users | set(map(int, graph.outputs))


def _operator(step: _Step, op: Any, carried: set[int]) -> Node:
    """The box of an operator: a state where its result is one of those that are carried on."""
    written = int(op.outputs[0])
    detail = f"{flatbuffer.operator_kind(step.model, op)} → {step.shape(written)}"
    weights = _weights(step.model, op)
    if weights:
        detail += f", weights {weights}"
    kind = "state" if carried & set(map(int, op.outputs)) else "operator"
    name = step.name(written)
    return Node(_title(name, step.known), detail, name, kind)


def _from_outside(step: _Step, index: int, producers: Mapping[int, object]) -> Node:
    """The box of a tensor that the step takes and does not make."""
    name = step.name(index)
    origin = step.name(_origin(step.model, step.known, index, producers))
    where = _where(step, name, origin)
    title = _title(origin, step.known)
    return Node(title, f"{where} → {step.shape(index)}", name, "input")


_MOVES = ("SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE", "RESHAPE", "UNPACK", "QUANTIZE")


def _origin(
    model: flatbuffer.Model, known: Steps, index: int, producers: Mapping[int, object]
) -> int:
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


def _where(step: _Step, name: str, origin: str) -> str:
    """Where a tensor comes from that was cut from the tensor `origin`, or is the same."""
    place = step.known.find(origin)
    if place and place[0] == step.layer:
        return "state of the step before" if place[1] == step.number - 1 else f"step {place[1]}"
    if place:
        return f"layer {place[0]}, step {place[1]}"
    if step.known.is_taken(origin):
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
