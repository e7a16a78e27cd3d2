"""What the objects of a .tflite file refer to is there, and of the size that it is said to be.

LiteRT, TFLM and Vela are native code, or run in it, and die of files that are not so.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {number for name, number in vars(schema.TensorType).items() if name.isupper()}
WIDTHS = {
    schema.TensorType.FLOAT32: 4,
    schema.TensorType.FLOAT16: 2,
    schema.TensorType.INT8: 1,
    schema.TensorType.UINT8: 1,
    schema.TensorType.BOOL: 1,
    schema.TensorType.INT16: 2,
    schema.TensorType.INT32: 4,
    schema.TensorType.INT64: 8,
}
"""Bytes of one value, of types whose values lie one after the other."""

_MOST = 2**31 - 1
"""Bytes of one tensor; LiteRT and Vela count them in 32 bits."""


def builtin(code: Any) -> int:
    """The number of the operator that an operator code stands for; old files have it elsewhere."""
    number: int = max(code.builtinCode, code.deprecatedBuiltinCode)
    return number


def problems(model: Any) -> Iterator[str]:
    """What is wrong with a file, in words that go on after "it is corrupt:".

    Args:
        model: a `ModelT` of LiteRT's schema, with lists where the file has none.
    """
    for code in model.operatorCodes:
        if not _is_text(code.customCode or b""):
            yield f"an operator has the name {code.customCode!r}, which is not UTF-8"
    for number, graph in enumerate(model.subgraphs):
        for tensor in graph.tensors:
            yield from _of_tensor(model, tensor)
        yield from _of_operators(model, graph, f"graph {number}")
    for entry in model.metadata or []:
        yield from _outside([entry.buffer], len(model.buffers), "metadata", "buffer")
    for signature in model.signatureDefs or []:
        yield from _of_signature(model, signature)


def _of_operators(model: Any, graph: Any, where: str) -> Iterator[str]:
    count, codes = len(graph.tensors), len(model.operatorCodes)
    yield from _outside([*graph.inputs, *graph.outputs], count, where, "tensor")
    for number, op in enumerate(graph.operators):
        named = f"operator {number} of {where}"
        yield from _outside([op.opcodeIndex], codes, named, "code")
        yield from _outside(op.outputs, count, named, "tensor")
        yield from _outside((i for i in op.inputs if i != -1), count, named, "tensor")
    written = {tensor: n for n, op in enumerate(graph.operators) for tensor in op.outputs}
    for number, op in enumerate(graph.operators):
        if any(written.get(tensor, -1) >= number for tensor in op.inputs):
            yield f"operator {number} of {where} reads what it or a later one writes"
        yield from _of_sizes(model, graph, op, f"operator {number} of {where}")


def _of_sizes(model: Any, graph: Any, op: Any, named: str) -> Iterator[str]:
    """Operators that are computed row by row: Vela was seen not to end on far too many of them."""
    count = _BY_ROW.get(builtin(model.operatorCodes[op.opcodeIndex]), 0)
    inputs = list(op.inputs[:count])
    if not count or len(inputs) < count or min(inputs) < 0 or len(op.outputs) != 1:
        return
    tensors = [graph.tensors[index] for index in (*inputs, op.outputs[0])]
    signatures = [each.shapeSignature for each in tensors if each.shapeSignature is not None]
    if any(-1 in list(signature) for signature in signatures):  # known when it runs
        return
    input_shape, *weights, output_shape = (tuple(map(int, each.shape)) for each in tensors)
    if not input_shape:  # one value, or left out
        return
    size = math.prod(input_shape)
    for shape in weights:
        if len(shape) != 2 or not shape[1] or size % shape[1]:
            yield f"{named} has weights of the shape {shape} for an input of {input_shape}"
            return
        size = size // shape[1] * shape[0]
    if size != math.prod(output_shape):
        yield f"{named} makes {output_shape} of {input_shape}: expected {size} values"


_BY_ROW = {schema.BuiltinOperator.FULLY_CONNECTED: 2, schema.BuiltinOperator.RESHAPE: 1}
"""Kind of operator -> how many of its inputs decide on the size of its output."""


def _of_signature(model: Any, signature: Any) -> Iterator[str]:
    yield from _outside([signature.subgraphIndex], len(model.subgraphs), "a signature", "graph")
    tensors = model.subgraphs[signature.subgraphIndex].tensors
    for port in (*signature.inputs, *signature.outputs):
        yield from _outside([port.tensorIndex], len(tensors), "a signature", "tensor")
        if not _is_text(port.name or b""):
            yield f"a signature has the name {port.name!r}, which is not UTF-8"


def _outside(indices: Iterable[int], count: int, where: str, what: str) -> Iterator[str]:
    for index in indices:
        if not 0 <= index < count:
            yield f"{where} has {what} {index}, but there are {count}"


def _of_tensor(model: Any, tensor: Any) -> Iterator[str]:
    if not _is_text(tensor.name):
        yield f"a tensor has the name {tensor.name!r}, which is not UTF-8"
        return
    named = f"tensor {tensor.name.decode()[:200]!r}"
    yield from _outside([tensor.buffer], len(model.buffers), named, "buffer")
    if tensor.type not in _TYPES:
        yield f"{named} has the type {tensor.type}, which is not known"
    shape = tuple(map(int, tensor.shape))
    size = math.prod(shape) * WIDTHS.get(tensor.type, 1)
    if min(shape, default=0) < 0 or size > _MOST:
        yield f"{named} has the shape {shape}"
    data = model.buffers[tensor.buffer].data
    stored = 0 if data is None else len(data)
    if stored and tensor.type in WIDTHS and not tensor.sparsity and stored != size:
        yield f"{named} has {stored} bytes, expected {size} for its shape {shape}"
    yield from _of_quantization(tensor.quantization, shape, named)


def _of_quantization(numbers: Any, shape: Sequence[int], named: str) -> Iterator[str]:
    if numbers is None or numbers.scale is None:
        return
    scales = np.asarray(numbers.scale, np.float64)
    zeros = [] if numbers.zeroPoint is None else [int(zero) for zero in numbers.zeroPoint]
    if not np.isfinite(scales).all() or (scales < 0).any():
        yield f"{named} has a scale that is not a finite number from 0"
    if len(zeros) != len(scales) or any(not -(2**15) <= zero < 2**16 for zero in zeros):
        yield f"{named} has {len(scales)} scales, and other zero points than belong to them"
    axis = numbers.quantizedDimension
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        yield f"{named} of the shape {shape} has {len(scales)} scales along axis {axis}"


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
