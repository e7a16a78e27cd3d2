"""Leave out of a float model the steps that are copies of one another, and put them back.

What is done in between has to be done to all steps alike, and to keep the names of the tensors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unspool.tflite import flatbuffer
from unspool.tflite.by_name import Graph
from unspool.tflite.gaps import (
    COPIED,
    JOINS,
    Gap,
    Irregular,
    gap,
    number_anew,
    paired,
    row,
    write,
)

_CUTS = ("SPLIT", "UNPACK")


@dataclass(frozen=True)
class LeftOut:
    """What was left out of a model.

    Attributes:
        gaps: the steps of each layer.
        copied: output of an operator of the steps that are copied -> what it reads.
        parts: first output of an operator that cuts a tensor into parts -> all of its outputs.
    """

    gaps: tuple[Gap, ...] = ()
    copied: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def leave_out(model: flatbuffer.Model, layers: Sequence[str]) -> LeftOut:
    """Leave out steps; layers whose steps are no copies of one another keep them.

    Args:
        model: is changed.
        layers: those whose steps have names by the grammar of `names.py`.
    """
    graph = Graph(model)
    gaps, copied = [], dict[str, Sequence[str]]()
    for layer, steps in graph.by_step(layers).items():
        try:
            layer_gap = _gap(graph, layer, steps)
            reads = _reads(graph, layer_gap, steps)
        except Irregular:
            continue
        for op, inputs in reads:
            op.inputs = [graph.numbers.get(name, -1) for name in inputs]
        removed = {id(op) for number in gap(max(steps) + 1) for op in steps[number]}
        graph.graph.operators = [op for op in graph.graph.operators if id(op) not in removed]
        gaps.append(layer_gap)
        copied |= {graph.names[op.outputs[0]]: graph.inputs(op) for op in steps[COPIED]}
    if not gaps:
        return LeftOut()
    omissions = LeftOut(tuple(gaps), copied, _cut_down(graph))
    number_anew(model)
    return omissions


def put_back(model: flatbuffer.Model, omissions: LeftOut) -> dict[str, str]:
    """Write steps that were left out into what was made of the model.

    Returns:
        new tensor -> the one that it is a copy of.

    Raises:
        Irregular: operators were added to the steps; the model is of no use then.
    """
    if not omissions.gaps:
        return {}
    graph = Graph(model)
    steps = graph.by_step([each.layer for each in omissions.gaps])
    _check_copied(
        graph, [op for each in omissions.gaps for op in steps[each.layer][COPIED]], omissions
    )
    for op in graph.graph.operators:
        parts = omissions.parts.get(graph.names[op.outputs[0]])
        if parts:
            op.outputs = [graph.named(name, op.outputs[0]) for name in parts]
    write(graph, omissions.gaps, steps)
    number_anew(model)
    return graph.copies


def _check_copied(graph: Graph, operators: Sequence[Any], omissions: LeftOut) -> None:
    """Check that copied steps still read what they read: then the names say what copies read.

    What gives its outputs the scale that they have in a PACK may have been added.

    Raises:
        Irregular: they do not.
    """
    readers = [op for op in graph.graph.operators if graph.kind(op) not in JOINS]
    read = {index for op in readers for index in op.inputs}
    for op in operators:
        if graph.kind(op) == "QUANTIZE" and read.isdisjoint(op.outputs):
            continue
        was = omissions.copied.get(graph.names[op.outputs[0]])
        if was is None or len(was) != len(op.inputs):
            raise Irregular
        for name, old in zip(graph.inputs(op), was, strict=True):
            if name != old and not graph.constant(name):
                raise Irregular


def _gap(graph: Graph, layer: str, steps: Mapping[int, Sequence[Any]]) -> Gap:
    """The steps of a layer that may be left out, by what they compute."""
    count = max(steps) + 1
    if not gap(count) or steps.keys() != {*range(count)}:
        raise Irregular
    cut = {
        name
        for op in graph.graph.operators
        if graph.kind(op) in _CUTS
        for name in graph.outputs(op)
    }
    replacements = []
    for number in gap(count):
        pairs = dict(paired(graph, layer, steps[COPIED], steps[number], number - COPIED))
        constant = {read for read in pairs if graph.constant(read)}
        # What else would be left without a reader, which litert-quantizer leaves in float.
        if not cut.issuperset(other for read, other in pairs.items() if read not in constant):
            raise Irregular
        replacements.append(pairs | dict(zip(constant, constant, strict=True)))
    return Gap(layer, tuple(replacements))


def _reads(
    graph: Graph, gap: Gap, steps: Mapping[int, Sequence[Any]]
) -> list[tuple[Any, list[str]]]:
    """Operators that read the steps to be left out, and what they read in their place.

    Raises:
        Irregular: one may not read them.
    """
    numbers = range(COPIED + 1, max(steps))
    gone = {name for number in numbers for op in steps[number] for name in graph.outputs(op)}
    if not gone.isdisjoint(graph.names[index] for index in graph.graph.outputs):
        raise Irregular
    inside = {id(op) for number in numbers for op in steps[number]}
    last = {id(op) for op in steps[max(steps)]}
    readers = []
    for op in graph.graph.operators:
        inputs = graph.inputs(op)
        if id(op) in inside or gone.isdisjoint(inputs):
            continue
        if id(op) in last:
            by = COPIED - numbers[-1]
            inputs = [gap.steps.later(name, by) if name in gone else name for name in inputs]
            if not gone.isdisjoint(inputs):
                raise Irregular
        elif graph.kind(op) in JOINS:
            inputs = _stands(graph, gap, inputs, gone)
        else:
            raise Irregular
        readers.append((op, inputs))
    return readers


def _stands(graph: Graph, gap: Gap, inputs: Sequence[str], gone: set[str]) -> list[str]:
    """What a PACK reads, with the copied step in the places of those that are left out."""
    first = next(name for name in inputs if name in gone)
    number = gap.steps.find(first)
    copied = gap.steps.later(first, COPIED - number[1]) if number else first
    stands = [copied if name in gone else name for name in inputs]
    if row(gap, stands, {copied}) != list(inputs):
        raise Irregular
    return stands


def _cut_down(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Drop the parts that only steps read which are left out: not all tools take unread ones."""
    read = {index for op in graph.graph.operators for index in op.inputs}
    read.update(graph.graph.outputs)
    dropped = {}
    for op in graph.graph.operators:
        parts = [index for index in op.outputs if index in read]
        if graph.kind(op) in _CUTS and parts and len(parts) < len(op.outputs):
            dropped[graph.names[parts[0]]] = tuple(graph.outputs(op))
            op.outputs = parts
    return dropped
