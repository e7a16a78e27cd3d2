"""Rewrite operators that TFLM and Vela do not compute alike into others on which they agree.

- TFLM's CONCATENATION takes ten inputs: if there are more, it becomes a tree.
- Vela 5.2 writes a PACK along the last axis as if each entry had sixteen bytes, beyond the memory
  that it has for it: it becomes a CONCATENATION.
- Vela rounds a SUM once where TFLM rounds twice, and of several axes it sums only one: it becomes a
  MEAN times a constant.
- NEG and SQUARE, which cells of one's own have, have no int8 form: they become multiplications.
  SQUARED_DIFFERENCE, of the same origin, has none in int16: it becomes a difference, times itself.
- litert-quantizer leaves a SPLIT in float of which a part is not read, or whose parts differ in
  size: each part becomes a SLICE.
"""

import math
from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.tflite import flatbuffer, names

TFLM_INPUTS = 10
"""`kMaxInputNum` in tflite-micro's `kernels/concatenation.cc`."""

_ARITHMETIC = ("SUM", "NEG", "SQUARED_DIFFERENCE", "SQUARE")


def rewrite(model: flatbuffer.Model) -> None:
    """Rewrite a float model; its values stay the same.

    The new tensors are called `<output>/part_0` and so on, `<output>/mean` for a sum and
    `<output>/difference` for a squared one. Arithmetic of whole numbers stays as it is.
    """
    graph = model.subgraphs[0]
    operators = []
    read = {int(index) for op in graph.operators for index in op.inputs} | {
        *map(int, graph.outputs)
    }
    for op in graph.operators:
        kind = flatbuffer.operator_kind(model, op)
        if kind in _ARITHMETIC and graph.tensors[op.outputs[0]].type != schema.TensorType.FLOAT32:
            pass
        elif kind == "CONCATENATION":
            operators += _parts(graph, op)
        elif kind == "PACK" and packs_columns(model, op):
            operators += _columns(model, op)
            operators += _parts(graph, op)
        elif kind == "SUM":
            operators.append(_mean(model, op))
        elif kind == "NEG":
            _multiply(model, op, op.inputs[0], -1.0)
        elif kind == "SQUARED_DIFFERENCE":
            operators.append(_difference(model, op))
        elif kind == "SQUARE":
            _become_product(model, op, [op.inputs[0]] * 2)
        elif kind == "SPLIT_V" or (kind == "SPLIT" and not read.issuperset(map(int, op.outputs))):
            operators += _slices(model, op, kind, read)
            continue
        operators.append(op)
    graph.operators = operators


def packs_columns(model: flatbuffer.Model, op: Any) -> bool:
    """Whether a PACK makes each input an entry of the last axis."""
    rank = len(model.subgraphs[0].tensors[op.outputs[0]].shape)
    return op.builtinOptions.axis in (-1, rank - 1)


def _columns(model: flatbuffer.Model, op: Any) -> Iterator[Any]:
    """Make a PACK along the last axis a CONCATENATION; gives a RESHAPE for each input of it."""
    graph = model.subgraphs[0]
    whole = graph.tensors[op.outputs[0]]
    shape = [*map(int, whole.shape[:-1]), 1]
    columns: dict[int, int] = {}
    for index in dict.fromkeys(map(int, op.inputs)):
        column, reshape = copy(graph.tensors[index]), copy(op)
        column.name = names.column(whole.name.decode(), len(columns)).encode()
        column.shape, column.shapeSignature, column.buffer = shape, None, 0
        columns[index] = _added(graph, column)
        sizes = _constant(model, column.name + b"/shape", np.array(shape, np.int32))
        reshape.inputs, reshape.outputs = [index, sizes], [columns[index]]
        options = schema.ReshapeOptionsT()
        options.newShape = shape
        flatbuffer.become(model, reshape, "RESHAPE", options)
        yield reshape
    op.inputs = [columns[int(index)] for index in op.inputs]
    joined = schema.ConcatenationOptionsT()
    joined.axis = len(shape) - 1
    flatbuffer.become(model, op, "CONCATENATION", joined)


def _mean(model: flatbuffer.Model, op: Any) -> Any:
    """Make a SUM a multiplication of the mean, by the count; returns the operator that gives it."""
    graph = model.subgraphs[0]
    source = graph.tensors[op.inputs[0]]
    count = math.prod(int(source.shape[axis]) for axis in _whole_numbers(model, op.inputs[1]))
    mean, average = copy(graph.tensors[op.outputs[0]]), copy(op)
    mean.name += names.MEAN.encode()
    average.outputs = [_added(graph, mean)]
    average.opcodeIndex = flatbuffer.code(model, "MEAN")
    _multiply(model, op, average.outputs[0], count)
    return average


def _whole_numbers(model: flatbuffer.Model, index: int) -> np.ndarray:
    """The int32 values of a constant, flat."""
    return np.frombuffer(flatbuffer.constant_bytes(model, index), np.int32)


def _difference(model: flatbuffer.Model, op: Any) -> Any:
    """Make a SQUARED_DIFFERENCE a square; returns the operator that gives the difference."""
    graph = model.subgraphs[0]
    tensor, difference = copy(graph.tensors[op.outputs[0]]), copy(op)
    tensor.name += names.DIFFERENCE.encode()
    difference.outputs = [_added(graph, tensor)]
    flatbuffer.become(model, difference, "SUB", schema.SubOptionsT())
    _become_product(model, op, [difference.outputs[0]] * 2)
    return difference


def _slices(model: flatbuffer.Model, op: Any, kind: str, read: set[int]) -> Iterator[Any]:
    """A SLICE for each part of a SPLIT that is read."""
    graph = model.subgraphs[0]
    source, axis = (0, 2) if kind == "SPLIT_V" else (1, 0)
    along = int(_whole_numbers(model, op.inputs[axis])[0])
    start = np.zeros(len(graph.tensors[op.inputs[source]].shape), np.int32)
    for index in map(int, op.outputs):
        out = graph.tensors[index]
        if index in read:
            ends = [
                _constant(model, out.name + name, values)
                for name, values in ((b"/begin", start), (b"/size", np.array(out.shape, np.int32)))
            ]
            part = copy(op)
            part.inputs, part.outputs = [op.inputs[source], *ends], [index]
            flatbuffer.become(model, part, "SLICE", schema.SliceOptionsT())
            yield part
        start[along] += out.shape[along]


def _constant(model: flatbuffer.Model, name: bytes, values: np.ndarray) -> int:
    """Add a constant of float32 or int32 to the graph; returns its tensor's index."""
    tensor, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    types = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
    tensor.name, tensor.shape, tensor.type = name, [*values.shape], types[str(values.dtype)]
    tensor.buffer = len(model.buffers) - 1
    return _added(model.subgraphs[0], tensor)


def _multiply(model: flatbuffer.Model, op: Any, index: int, value: float) -> None:
    """Make an operator the product of a tensor and a constant."""
    name = model.subgraphs[0].tensors[op.outputs[0]].name + b"/factor"
    _become_product(model, op, [index, _constant(model, name, np.array([value], np.float32))])


def _become_product(model: flatbuffer.Model, op: Any, inputs: list[int]) -> None:
    op.inputs = inputs
    flatbuffer.become(model, op, "MUL", schema.MulOptionsT())


def _added(graph: Any, tensor: Any) -> int:
    """Add a tensor to the graph; returns its index."""
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _parts(graph: Any, op: Any) -> list[Any]:
    """Operators that join inputs of `op`, ten at a time, until it has ten at most."""
    parts: list[Any] = []
    while len(op.inputs) > TFLM_INPUTS:
        groups = [op.inputs[i : i + TFLM_INPUTS] for i in range(0, len(op.inputs), TFLM_INPUTS)]
        op.inputs = [
            _part(graph, op, group, parts) if len(group) > 1 else group[0] for group in groups
        ]
    return parts


def _part(
    graph: Any,
    op: Any,
    group: list[int],
    parts: list[Any],
) -> int:
    """Append an operator that joins a group to `parts`; returns its tensor's index."""
    whole = graph.tensors[op.outputs[0]]
    axis = op.builtinOptions.axis % len(whole.shape)
    tensor, part = copy(whole), copy(op)
    tensor.shape = list(whole.shape)
    tensor.shapeSignature = None
    tensor.shape[axis] = sum(int(graph.tensors[index].shape[axis]) for index in group)
    tensor.name = names.part(whole.name.decode(), len(parts)).encode()
    index = _added(graph, tensor)
    part.inputs, part.outputs = list(group), [index]
    parts.append(part)
    return index
