"""Ties: which tensors get one range, hence one scale and zero point.

Weights are shared by all steps. So is the table of scales that Vela stores beside them, if the
tensors that are multiplied by the weights have one range in all steps, and the products too. These
tensors are tied; so are the parts of one sequence, the input and the output of an operator that
only moves values, and the input and the output of a state.

All others have a range of their own in each step: it costs nothing, and a range that holds all
steps would be too coarse for most of them (an LSTM's cell state grows over time). There is one
cost: the NPU reads tanh and sigmoid from a table of 256 bytes that belongs to the range of its
input. Steps share a table unless their ranges lie a factor of three or more apart; then there is
one for each factor of one and a half (docs/decisions.md). A curve's kernels belong to the ranges of
its input and its output and cost more: steps share them up to a factor of 16, or of 4.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from unspool.quantization import curves
from unspool.quantization.masking import selections
from unspool.quantization.ranges import Range
from unspool.tflite import ends, flatbuffer, marks
from unspool.tflite.roles import roles
from unspool.tflite.state_pairs import state_pairs

MOVES = (
    "RESHAPE",
    "SLICE",
    "SPLIT",
    "STRIDED_SLICE",
    "TRANSPOSE",
    "UNPACK",
    "GATHER",
    "GATHER_ND",
    "PAD",
    "MIRROR_PAD",
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "REDUCE_MIN",
    "BROADCAST_TO",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SPACE_TO_DEPTH",
)
"""Operators whose output has the scale of what they move, in litert-quantizer and in LiteRT."""

JOINS = ("CONCATENATION", "PACK")
"""Operators whose inputs have the scale of their output."""

COMPARES = ("MAXIMUM", "MINIMUM")
"""Operators whose inputs have the scale of their output too, but are only compared."""

WEIGHTED = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
"""Operators with weights, and a table of scales beside them."""

TABLES = ("TANH", "LOGISTIC")
"""Operators that the NPU reads from a table."""

_TABLES = 3.0, 1.5  # ranges up to this factor apart share one; else those this far apart
_CURVES = 16.0, 4.0


class Ties:
    """Disjoint sets of tensors, by name."""

    def __init__(self, tensors: Iterable[str]) -> None:
        self._parent = {name: name for name in tensors}

    def __getitem__(self, name: str) -> str:
        """The root of a tensor's set: the one tensor by which the set is known."""
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(self._parent)

    def __contains__(self, name: object) -> bool:
        return name in self._parent

    def tie(self, tensors: Iterable[str]) -> None:
        """Tie tensors, and all that were tied to them."""
        first, *others = (self[name] for name in tensors)
        for other in others:
            self._parent[self[other]] = self[first]

    def sets(self) -> dict[str, list[str]]:
        """Root of a set -> the set."""
        sets: dict[str, list[str]] = {}
        for name in self._parent:
            sets.setdefault(self[name], []).append(name)
        return sets


def ties(model: flatbuffer.Model, observed: Mapping[str, Range]) -> Ties:
    """Tie the activations of a float model.

    Args:
        model: the float model, with its marks.
        observed: activation tensor -> the range that it took.
    """
    tied = necessary(model, observed)
    by_table, by_curve = set[str](), set[str]()
    for op in flatbuffer.graph_operators(model):
        if op.kind in TABLES:
            by_table.update(op.inputs)
        elif op.kind == curves.KIND:
            by_curve.update((*op.inputs, *op.outputs))
    for role in _by_role(model, observed).values():
        for bound, most, share in ((by_table, *_TABLES), (by_curve, *_CURVES)):
            ranges = {name: observed[name] for name in role if name in bound}
            for group in _by_width(ranges, most, share) if ranges else []:
                tied.tie(group)
    return tied


def necessary(model: flatbuffer.Model, tensors: Iterable[str]) -> Ties:
    """The ties without which operators would not run, or weights would need several tables."""
    tied = Ties(tensors)
    bound: list[str] = []
    for pair in carried(model):
        tied.tie(pair)
        bound += pair
    for group in selections(model):
        tied.tie(group)
    joined = _only_joined(model)
    for op in flatbuffer.graph_operators(model):
        touched = [name for name in (*op.inputs, *op.outputs) if name in tied]
        moved = op.inputs[op.kind == "SPLIT"]  # after its axis
        if op.kind in MOVES and moved in tied:
            tied.tie([moved, *op.outputs])
        elif op.kind in WEIGHTED:
            bound += touched
        elif op.kind in JOINS:
            bound += [name for name in touched if name not in joined]
            tied.tie([op.outputs[0], *(name for name in op.inputs if name in joined)])
        elif op.kind in COMPARES:
            tied.tie([op.outputs[0], *(name for name in op.inputs if name in joined)])
    roles = [
        [name for name in role if name not in joined] for role in _by_role(model, tied).values()
    ]
    count = -1
    while count != len(tied.sets()):  # a tie may make another one necessary
        count = len(tied.sets())
        roots = {tied[name] for name in bound}
        for role in roles:
            named = [name for name in role if tied[name] in roots]
            # A lone one: in a first step that starts from zeros, a part stands for the whole.
            if len(named) > 1:
                tied.tie(role)
    return tied


def _only_joined(model: flatbuffer.Model) -> set[str]:
    """Tensors that are read only once, by an operator that joins or compares them with others.

    They are computed with the scale of its output, whatever scale their role has in other
    steps; litert-quantizer sees to that.
    """
    graph = model.subgraphs[0]
    ports = {graph.tensors[index].name.decode() for index in (*graph.inputs, *graph.outputs)}
    operators = flatbuffer.graph_operators(model)
    written = {name for op in operators for name in op.outputs}
    return {
        name
        for name, reading in flatbuffer.readers(operators).items()
        if len(reading) == 1
        and reading[0].kind in (*JOINS, *COMPARES)
        and name in written
        and name not in ports
    }


def carried(model: flatbuffer.Model) -> Iterator[tuple[str, str]]:
    """The tensors of each state: where it goes in, where it comes out."""
    graph = model.subgraphs[0]
    inputs, outputs = ends.inputs_and_outputs(model)
    for pair in state_pairs(marks.read(model).carried, inputs, outputs):
        indices = graph.inputs[pair.input], graph.outputs[pair.output]
        yield graph.tensors[indices[0]].name.decode(), graph.tensors[indices[1]].name.decode()


def _by_role(model: flatbuffer.Model, tensors: Iterable[str]) -> dict[str, list[str]]:
    """Role -> tensors that have it, one for each step."""
    role_of = roles(model)
    by_role: dict[str, list[str]] = {}
    for name in tensors:
        by_role.setdefault(role_of[name], []).append(name)
    return by_role


def _by_width(ranges: Mapping[str, Range], most: float, share: float) -> list[list[str]]:
    """Tensors that share a table: all of them, or those whose ranges are about as wide."""
    widths = {name: range_.width for name, range_ in ranges.items() if range_.width}
    widest = max(widths.values(), default=0.0)
    if not widths or widest < most * min(widths.values()):
        return [list(ranges)]
    groups: dict[int, list[str]] = {}
    for name, width in widths.items():
        groups.setdefault(math.floor(math.log(widest / width, share)), []).append(name)
    return list(groups.values())
