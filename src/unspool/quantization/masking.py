"""Masks in a float model: tensors of zeros and ones, and what they choose between.

`valid * new + padded * old` keeps a value to the last bit only if everything in it has one scale,
and the masks the scale 1.
"""

from collections.abc import Iterator

from unspool.quantization.ranges import Range
from unspool.tflite import flatbuffer, marks, names

WHOLE = {"int8": Range(-128.0, 127.0), "int16": Range(-32767.0, 32767.0)}
"""Type -> the range with the scale 1 and the zero point 0."""

_KEEPS = ("RESHAPE", "SPLIT", "SLICE", "STRIDED_SLICE", "UNPACK", "MAXIMUM", "PAD")


def masks(model: flatbuffer.Model) -> set[str]:
    """Tensors that hold a mask, or what is left of 1 without it."""
    graph = model.subgraphs[0]
    known = marks.read(model)
    wanted = {mask.input for mask in known.masks}
    wanted |= {state.input for state in known.states if names.says_empty(state)}
    if not wanted:
        return set()
    entries = (model.signatureDefs or [None])[0]
    tensors = {
        graph.tensors[port.tensorIndex].name.decode()
        for port in (entries.inputs if entries else ())
        if port.name.decode() in wanted
    }
    for op in flatbuffer.graph_operators(model):
        is_left = op.kind == "SUB" and op.inputs[1] in tensors
        if is_left or (op.kind in _KEEPS and not tensors.isdisjoint(op.inputs)):
            tensors.update(op.outputs)
    return tensors


def selections(model: flatbuffer.Model) -> Iterator[tuple[str, ...]]:
    """Groups of tensors of which one is a part of another, chosen by a mask."""
    holding = masks(model)
    chosen: set[str] = set()
    if not holding:
        return
    for op in flatbuffer.graph_operators(model):
        masked = [name for name in op.inputs if name in holding]
        if op.kind == "MUL" and len(masked) == 1:
            (whole,) = (n for n, name in enumerate(op.inputs) if name not in holding)
            if not flatbuffer.constant_bytes(model, op.indices[whole]):
                chosen.update(op.outputs)
                yield (op.inputs[whole], *op.outputs)
        elif op.kind == "ADD" and chosen.issuperset(op.inputs):
            yield (*op.inputs, *op.outputs)
