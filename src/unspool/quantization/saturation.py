"""Tensors that only tanh and sigmoid read: how far their range needs to reach.

tanh(4) is 0.9993, which int8 stores as its largest level, and so it does with all larger values. A
range that reaches further wastes levels, and if it reaches beyond a few thousand, TFLM's kernels do
not take its scale. Models on raw units have such sums.
"""

from collections.abc import Mapping

import numpy as np

from unspool.quantization.ranges import Range
from unspool.quantization.ties import MOVES
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Operator

_ENDS: Mapping[str, Mapping[str, float]] = {
    "int8": {"TANH": 4.0, "LOGISTIC": 8.0},
    "int16": {"TANH": 7.0, "LOGISTIC": 13.0},
}
"""Type -> operator -> the value from which on its output is the last level: tanh(x) > 1 - 1/256 and
sigmoid(-x) < 1/512 in int8, 1 - 2^-17 and 2^-17 in int16, with room."""


def ends(
    model: flatbuffer.Model, activations: str, extremes: Mapping[str, Range]
) -> dict[str, float]:
    """Tensor that only tables read -> the largest magnitude at which its values still matter.

    Where another tensor is added before a table reads the sum, values matter further out: by as
    much as the other tensor can take back.

    Args:
        model: a float model.
        activations: "int8" or "int16".
        extremes: activation tensor -> the range that it took.
    """
    graph = model.subgraphs[0]
    blocked = {graph.tensors[index].name.decode() for index in (*graph.inputs, *graph.outputs)}
    limits: dict[str, float] = {}
    for op in reversed(flatbuffer.graph_operators(model)):
        limit = _ENDS[activations].get(op.kind)
        if op.kind in MOVES and all(name in limits for name in op.outputs):
            limit = max(limits[name] for name in op.outputs)
        for number, name in enumerate(op.inputs):
            if op.kind in ("ADD", "SUB") and op.outputs[0] in limits:
                limit = limits[op.outputs[0]] + _size(model, op, 1 - number, extremes)
            if limit is None:
                blocked.add(name)
            else:
                limits[name] = max(limit, limits.get(name, 0.0))
        for name in {*op.inputs} & blocked:
            limits.pop(name, None)
    return limits


def _size(
    model: flatbuffer.Model, op: Operator, number: int, extremes: Mapping[str, Range]
) -> float:
    """The largest magnitude of an operand."""
    range_ = extremes.get(op.inputs[number])
    if range_ is not None:
        return max(-range_.minimum, range_.maximum)
    return float(np.abs(flatbuffer.constant(model, op.indices[number])).max(initial=0.0))
