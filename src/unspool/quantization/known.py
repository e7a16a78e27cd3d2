"""Ranges that are known from training, as quantization-aware training chooses them."""

from math import inf

from ai_edge_litert import schema_py_generated as schema

from unspool.quantization.ranges import LEVELS, Range
from unspool.quantization.ties import JOINS, MOVES, carried
from unspool.tflite import flatbuffer, marks

_WHOLE = ("RESHAPE", "TRANSPOSE", "BROADCAST_TO", "SPACE_TO_DEPTH")
"""Operators that give all that they move: what is known of it is known of that."""


def known_ranges(model: flatbuffer.Model) -> dict[str, Range]:
    """Tensor -> its range, of those that are marked, and of those that hold the same values.

    Args:
        model: a float one, with its marks.
    """
    ranges: dict[str, Range] = {}
    for each in marks.read(model).ranged:
        known = Range(each.minimum, each.maximum)
        ranges[each.tensor] = ranges.get(each.tensor, known) | known
    if not ranges:
        return {}
    operators = flatbuffer.graph_operators(model)
    for op in reversed(operators):
        if op.kind in (*_WHOLE, *JOINS) and op.outputs[0] in ranges:
            for name in op.inputs if op.kind in JOINS else op.inputs[:1]:
                ranges.setdefault(name, ranges[op.outputs[0]])
    for op in operators:
        moved = op.inputs[op.kind == "SPLIT"] if op.kind in MOVES else ""  # after its axis
        if moved in ranges:
            for name in op.outputs:
                ranges.setdefault(name, ranges[moved])
    for state_input, state_output in carried(model):
        if state_output in ranges:
            ranges.setdefault(state_input, ranges[state_output])
    return ranges


def taken_over(float_tflite: bytes, tflite: bytes) -> frozenset[str]:
    """Layers of the trained model whose tensor has the range that they say, but for half a level.

    Args:
        float_tflite: with marks.
        tflite: what `quantize` made of it.
    """
    stored = _stored(flatbuffer.read(tflite))
    layers = set()
    for each in marks.read(flatbuffer.read(float_tflite)).ranged:
        low, high = stored.get(each.tensor, (0.0, inf))
        error = max(abs(low - each.minimum), abs(high - each.maximum))
        if error < (each.maximum - each.minimum) / (2 * LEVELS["int8"]):
            layers.add(each.layer)
    return frozenset(layers)


def _stored(model: flatbuffer.Model) -> dict[str, tuple[float, float]]:
    """Tensor of int8 -> the smallest and the largest value that it can hold."""
    limits = {}
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8 and tensor.quantization.scale is not None:
            scale, zero = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
            limits[tensor.name.decode()] = scale * (-128 - zero), scale * (127 - zero)
    return limits
