"""The .tflite file: its tensors, its signature, and writing it so that every runtime reads it."""

import pickle
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from unspool.support.collecting import uncollected
from unspool.tflite.parsing import Model as Model
from unspool.tflite.parsing import parse
from unspool.tflite.soundness import builtin


def read(content: bytes) -> Model:
    """Parse a .tflite file, for who changes it; files that were read just now are not parsed again.

    Raises:
        UnspoolError: the bytes are not a .tflite flatbuffer, or it is damaged.
    """
    return _loaded(_pickled(content))


@lru_cache(maxsize=4)
def _pickled(content: bytes) -> bytes:
    """A parsed file to take copies of: that takes a tenth of the time that parsing takes."""
    return _just_written(content) or _dumped(look(content))


def _just_written(content: bytes) -> bytes | None:
    return next((pickled for written, pickled in _WRITTEN if written == content), None)


def _dumped(model: Model) -> bytes:
    return pickle.dumps(model, pickle.HIGHEST_PROTOCOL)


def _loaded(pickled: bytes) -> Model:
    with uncollected():
        return pickle.loads(pickled)


_WRITTEN: deque[tuple[bytes, bytes]] = deque(maxlen=2)
"""Files that were written just now, and what they were written from."""


@lru_cache(maxsize=4)
def look(content: bytes) -> Model:
    """`read`, for who changes nothing.

    Raises:
        UnspoolError: as `read`.
    """
    pickled = _just_written(content)
    return _loaded(pickled) if pickled else parse(content)


def write(model: Model) -> bytes:
    """Serialize a model with every buffer inside the flatbuffer.

    LiteRT also reads buffers that are stored after the flatbuffer (`Buffer.offset`). TFLM silently
    reads nothing there, so there must be none.
    """
    for buffer in model.buffers:
        if buffer.offset > 1 or buffer.size > 1:
            raise ValueError("a buffer is stored outside the flatbuffer and was not read in")
        buffer.offset = buffer.size = 0
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    as_parsed(model)
    _WRITTEN.append((content, _dumped(model)))
    return content


def as_parsed(model: Model) -> Model:
    """Give numbers and names the types that parsing gives them; it returns the model."""
    for buffer in model.buffers:
        if isinstance(buffer.data, bytearray):
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    for entry in model.metadata or []:
        entry.buffer = np.int32(entry.buffer)
    for graph in model.subgraphs:
        graph.inputs, graph.outputs = list(map(int, graph.inputs)), list(map(int, graph.outputs))
        for op in graph.operators:
            op.inputs, op.outputs = list(map(int, op.inputs)), list(map(int, op.outputs))
        for tensor in graph.tensors:
            tensor.shape = list(map(int, tensor.shape))
            if isinstance(tensor.name, str):
                tensor.name = tensor.name.encode()
            numbers = tensor.quantization
            if numbers and numbers.scale is not None:
                numbers.scale = np.array(numbers.scale, np.float32)
                numbers.zeroPoint = np.array(numbers.zeroPoint, np.int64)
    return model


@dataclass(frozen=True)
class Operator:
    """An operator of the first graph, by names.

    Attributes:
        kind: LiteRT's name, such as `FULLY_CONNECTED`.
        inputs: names of the tensors that it reads, constants included.
        outputs: names of the tensors that it writes.
        indices: of the inputs among the graph's tensors.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    indices: tuple[int, ...]


def graph_operators(model: Model) -> list[Operator]:
    """Every operator of the first graph, in order; omitted inputs are not listed."""
    graph = model.subgraphs[0]
    text = [tensor.name.decode() for tensor in graph.tensors]
    kinds = [_kind(model, number) for number in range(len(model.operatorCodes))]
    described = []
    for op in graph.operators:
        indices = tuple(int(index) for index in op.inputs if index >= 0)
        written = tuple(text[index] for index in op.outputs)
        kind = kinds[op.opcodeIndex]
        described.append(Operator(kind, tuple(text[i] for i in indices), written, indices))
    return described


def code(model: Model, kind: str) -> int:
    """Index of the code of an operator, by LiteRT's name; it is added where the model has none."""
    operator = getattr(schema.BuiltinOperator, kind)
    for index, there in enumerate(model.operatorCodes):
        if builtin(there) == operator:
            return index
    new = schema.OperatorCodeT()
    new.builtinCode, new.deprecatedBuiltinCode = operator, min(operator, 127)  # an int8
    new.version = 1
    model.operatorCodes.append(new)
    return len(model.operatorCodes) - 1


def become(model: Model, op: Any, kind: str, options: Any) -> None:
    """Make an operator another one, by LiteRT's name; its inputs and outputs stay.

    Args:
        model: which the operator is of.
        op: is changed.
        kind: such as "RESHAPE".
        options: of that kind, such as `ReshapeOptionsT`.
    """
    op.opcodeIndex = code(model, kind)
    name = type(options).__name__.removesuffix("T")
    op.builtinOptionsType, op.builtinOptions = getattr(schema.BuiltinOptions, name), options


def drop_unused_codes(model: Model) -> None:
    """Remove the codes of operators that the model does not have."""
    used = sorted({op.opcodeIndex for graph in model.subgraphs for op in graph.operators})
    for graph in model.subgraphs:
        for op in graph.operators:
            op.opcodeIndex = used.index(op.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def readers(operators: Sequence[Operator]) -> dict[str, list[Operator]]:
    """Tensor -> the operators that read it; one that reads it twice is listed twice."""
    by_tensor: dict[str, list[Operator]] = {}
    for op in operators:
        for name in op.inputs:
            by_tensor.setdefault(name, []).append(op)
    return by_tensor


def constant(model: Model, index: int) -> np.ndarray:
    """A constant's float values; empty for a tensor that is not constant."""
    tensor = model.subgraphs[0].tensors[index]
    data = constant_bytes(model, index)
    return np.frombuffer(data, np.float32).reshape(tensor.shape if data else 0)


def constant_bytes(model: Model, index: int) -> bytes:
    """What a tensor's buffer has; nothing for a tensor that is not constant."""
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return b"" if data is None else bytes(data)


def first_name(name: str) -> str:
    """The first of a tensor's names: those of fused operators are joined by semicolons."""
    return name.partition(";")[0]


def operators(model: Model) -> list[tuple[str, str]]:
    """(kind, name of the first output) of every operator of the first graph, in order."""
    graph = model.subgraphs[0]
    return [
        (operator_kind(model, op), graph.tensors[op.outputs[0]].name.decode() if op.outputs else "")
        for op in graph.operators
    ]


def operator_kind(model: Model, operator: Any) -> str:
    """LiteRT's name of an operator's kind, such as `FULLY_CONNECTED`."""
    return _kind(model, operator.opcodeIndex)


def _kind(model: Model, number: int) -> str:
    """LiteRT's name of an operator code."""
    code = model.operatorCodes[number]
    if code.customCode:
        return str(code.customCode.decode())
    return _names_of_codes().get(builtin(code), f"operator {builtin(code)}")


@cache
def _names_of_codes() -> dict[int, str]:
    """LiteRT's number of an operator -> its name."""
    return {number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()}


def float_operators(model: Model) -> list[tuple[str, str]]:
    """Operators of the first graph that write float tensors: (kind, name)."""
    graph = model.subgraphs[0]
    floats = [
        any(graph.tensors[i].type == schema.TensorType.FLOAT32 for i in op.outputs)
        for op in graph.operators
    ]
    return [
        operator for operator, is_float in zip(operators(model), floats, strict=True) if is_float
    ]
