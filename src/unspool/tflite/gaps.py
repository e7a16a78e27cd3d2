"""A gap in the steps of a layer: they are copies of the last step before it, and written in later.

All steps but the first few and the last are one step with other inputs, however many there are,
while TensorFlow and litert-quantizer take a millisecond for each operator (`filling`,
`leaving_out`).

A step may read what the layer's steps compute, constants, and tensors from outside of the layer, of
which each step has its own, such as the parts of a SPLIT. What it computes may be read by the next
step, and by a PACK, which takes all steps' in their order or from the last one back. There, the
copied step stands for itself and for those in the gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from unspool.tflite import flatbuffer
from unspool.tflite.by_name import Graph
from unspool.tflite.names import Steps

FIRST = 4
"""The first step in a gap. Before it, the first step starts from nothing, the second may go on from
a part of a state (an LSTM's `i * g`), and the last two show what becomes of one in the next."""

COPIED = FIRST - 1
"""The step that those in the gap are copies of."""

JOINS = ("PACK", "CONCATENATION")


class Irregular(Exception):
    """The steps are not copies of each other."""


@dataclass(frozen=True)
class Gap:
    """The steps of a layer that a model leaves out.

    Attributes:
        layer: whose they are.
        replacements: for each of them, tensor that the copied step reads -> the one that this step
            reads in its place, where the names do not say it.
    """

    layer: str
    replacements: tuple[Mapping[str, str], ...]

    @property
    def steps(self) -> Steps:
        """Reads the names of the layer's tensors."""
        return Steps((self.layer,), ())


def gap(steps: int) -> range:
    """The steps of a layer that a model may leave out."""
    return range(FIRST, steps - 1)


def paired(
    graph: Graph, layer: str, before: Sequence[Any], after: Sequence[Any], by: int = 1
) -> Iterator[tuple[str, str]]:
    """What two steps of a layer read in the same place, where the names do not say that it is so.

    Args:
        graph: of the model.
        layer: whose steps they are.
        before: the operators of a step.
        after: those of another one.
        by: how many steps later it is.

    Raises:
        Irregular: they do not do the same.
    """
    later = Steps((layer,), ()).later
    if len(before) != len(after):
        raise Irregular
    for one, other in zip(before, after, strict=True):
        if _form(one) != _form(other) or len(one.inputs) != len(other.inputs):
            raise Irregular
        if [later(name, by) for name in graph.outputs(one)] != graph.outputs(other):
            raise Irregular
        for read, reads in zip(graph.inputs(one), graph.inputs(other), strict=True):
            if read != reads and graph.constant(read) != graph.constant(reads):
                raise Irregular
            if reads != later(read, by):
                yield read, reads


def _form(op: Any) -> tuple[Any, ...]:
    """What an operator does, whatever its tensors."""
    options = op.builtinOptions
    return op.opcodeIndex, type(options), vars(options) if options else None, op.customOptions


def write(graph: Graph, gaps: Sequence[Gap], steps: Mapping[str, Mapping[int, list[Any]]]) -> None:
    """Write missing steps into a model.

    Args:
        graph: of the model.
        gaps: what is missing.
        steps: layer -> step -> its operators.

    Raises:
        Irregular: what the copied step computes is read otherwise than this module's text says; the
            model is then of no use.
    """
    after: dict[int, list[Any]] = {}
    for each in gaps:
        copied = steps[each.layer][COPIED]
        after[id(copied[-1])] = [
            op
            for number in range(len(each.replacements))
            for op in _copies(graph, each, number, copied)
        ]
    for each in gaps:
        _reread(graph, each, steps[each.layer])
    graph.graph.operators = _sorted(
        [new for op in graph.graph.operators for new in (op, *after.get(id(op), ()))]
    )


def _copies(graph: Graph, gap: Gap, number: int, copied: Sequence[Any]) -> list[Any]:
    """The operators of a missing step."""
    later, replacements = gap.steps.later, gap.replacements[number]

    def moved(index: int) -> int:
        if index < 0:
            return index
        name = graph.names[index]
        return graph.named(replacements.get(name) or later(name, number + 1), index)

    operators = []
    for op in copied:
        new = copy(op)
        new.inputs = [moved(index) for index in op.inputs]
        new.outputs = [moved(index) for index in op.outputs]
        operators.append(new)
    return operators


def _reread(graph: Graph, gap: Gap, steps: Mapping[int, Sequence[Any]]) -> None:
    """Have what reads the copied step read the missing ones."""
    count, later = len(gap.replacements), gap.steps.later
    copied = {name for op in steps[COPIED] for name in graph.outputs(op)}
    ends = (*graph.graph.inputs, *graph.graph.outputs)
    if not copied.isdisjoint(graph.names[index] for index in ends):
        raise Irregular
    own = {id(op) for ops in steps.values() for op in ops}
    last = {id(op) for op in steps[max(steps)]}
    for op in graph.graph.operators:
        read = graph.inputs(op)
        if copied.isdisjoint(read) or (id(op) in own and id(op) not in last):
            continue
        if id(op) in last:
            read = [later(name, count) if name in copied else name for name in read]
        else:
            read = row(gap, read, copied)
        op.inputs = [graph.numbers.get(name, -1) for name in read]


def row(gap: Gap, read: Sequence[str], copied: set[str]) -> list[str]:
    """What a PACK reads, with the missing steps in the places where the copied one stands."""
    places = [place for place, name in enumerate(read) if name in copied]
    start, end = places[0], places[-1] + 1
    name, later = read[start], gap.steps.later
    if read[start:end] != [name] * (len(gap.replacements) + 1):
        raise Irregular
    row = [later(name, number) for number in range(end - start)]
    before = later(name, -1)
    if read[:start][-1:] == [before]:
        return [*read[:start], *row, *read[end:]]
    if read[end:][:1] == [before]:
        return [*read[:start], *reversed(row), *read[end:]]
    raise Irregular


def _sorted(operators: Sequence[Any]) -> list[Any]:
    """Operators in their order, but none before one that it reads.

    What gives a step's output another scale for a PACK may stand behind the last step.
    """
    writer = {index: op for op in operators for index in op.outputs}
    ordered, ordered_ids = [], set[int]()
    for op in operators:
        waiting = [op]
        while waiting:
            first = waiting[-1]
            before = [
                writer[index]
                for index in first.inputs
                if index in writer and id(writer[index]) not in ordered_ids
            ]
            if before:
                waiting += before
                continue
            waiting.pop()
            if id(first) not in ordered_ids:
                ordered_ids.add(id(first))
                ordered.append(first)
    return ordered


def number_anew(model: flatbuffer.Model) -> None:
    """Number tensors as the converter does: what no operator writes, then outputs in order.

    Tensors that nothing reads or writes are dropped.
    """
    graph = model.subgraphs[0]
    written = [int(index) for op in graph.operators for index in op.outputs]
    read = {int(index) for op in graph.operators for index in op.inputs if index >= 0}
    indices = {*read, *map(int, graph.inputs), *map(int, graph.outputs)}
    order = [*sorted(indices - {*written}), *written]
    places = {index: place for place, index in enumerate(order)} | {-1: -1}
    for op in graph.operators:
        op.inputs = [places[int(index)] for index in op.inputs]
        op.outputs = [places[int(index)] for index in op.outputs]
    graph.inputs = [places[int(index)] for index in graph.inputs]
    graph.outputs = [places[int(index)] for index in graph.outputs]
    for signature in model.signatureDefs or []:
        for port in (*signature.inputs, *signature.outputs):
            port.tensorIndex = places[port.tensorIndex]
    graph.tensors = [graph.tensors[index] for index in order]
