"""The container: a .tflite file that Vela wrote, taken apart into a `Program`.

Vela replaces the network by one custom operator `ethos-u`. Its inputs are the command stream,
the read-only data, the scratch memory and the fast scratch memory, then the network's inputs;
the NPU sees the second to fourth as memory regions 0, 1 and 2. Where inputs and outputs lie
inside region 1 is in the file's `OfflineMemoryAllocation` metadata. States of a fused LSTM are
variable tensors among them, which stay where they are between two inferences.
"""

import importlib
import math
from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.driver import Config, read_payload
from unspool.npu.ends import read_ends
from unspool.npu.flatbuffer import Table, root

CUSTOM_CODE = "ethos-u"
MAX_SCRATCH_BYTES = 1 << 26  # 64 MiB: the largest scratch memory this simulator allocates

_DTYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}
_SIMULATED_DTYPES = ("int8", "uint8", "int16", "int32")


@dataclass(frozen=True)
class Tensor:
    """A network's input, output or variable tensor, and where it lies in region 1.

    Attributes:
        name: of the tensor.
        shape: with the batch axis of 1 that Vela keeps.
        dtype: NumPy's name of its type.
        scale: of its quantization; None where there is none.
        zero_point: of its quantization.
        offset: bytes from the start of region 1.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Program:
    """A compiled network: what the NPU is given, and nothing of the file around it.

    Attributes:
        config: the accelerator that it is for.
        stream: the command stream, little-endian 32-bit words.
        stream_position: bytes of driver actions before the stream in its tensor.
        read_only: the bytes of region 0.
        scratch_size: bytes of region 1.
        fast_size: bytes of region 2; None where it is region 1 itself.
        inputs: of the network.
        outputs: of the network.
        variables: states that the network leaves in their place for the next inference.
    """

    config: Config
    stream: bytes
    stream_position: int
    read_only: bytes
    scratch_size: int
    fast_size: int | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    variables: tuple[Tensor, ...] = ()


def load(data: bytes) -> Program:
    """Read a Vela-compiled .tflite file.

    Raises:
        UnspoolError: the file is damaged, holds anything besides one `ethos-u` operator, or was
            compiled for another product.
    """
    model = root(bytes(data), b"TFL3")
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise UnspoolError(
            f"the file has {len(graphs)} subgraphs, expected 1: loops are not simulated"
        )
    graph, buffers = graphs[0], model.tables(4)
    tensors = graph.tables(0)
    operator = _ethos_u_operator(model, graph)
    offsets = _offsets(model, buffers, len(tensors))
    ends = read_ends(graph, operator, offsets)
    payload = read_payload(_contents(tensors[ends.stream], buffers))
    scratch_size = _scratch_size(tensors[ends.scratch], "scratch")
    base, shared = max(offsets[ends.scratch], 0), ends.fast == ends.scratch

    def place(index: int) -> Tensor:
        return _network_tensor(tensors[index], offsets[index] - base, scratch_size)

    return Program(
        config=payload.config,
        stream=payload.stream,
        stream_position=payload.position,
        read_only=_contents(tensors[ends.read_only], buffers),
        scratch_size=scratch_size,
        fast_size=None if shared else _scratch_size(tensors[ends.fast], "scratch_fast"),
        inputs=tuple(map(place, ends.inputs)),
        outputs=tuple(map(place, ends.outputs)),
        variables=tuple(map(place, ends.variables)),
    )


def _ethos_u_operator(model: Table, graph: Table) -> Table:
    codes = model.tables(1)
    operators, others = [], []
    for operator in graph.tables(3):
        index = operator.scalar(0, "I")
        if index >= len(codes):
            raise UnspoolError(f"an operator has code {index}, but there are {len(codes)} codes")
        custom = codes[index].text(1)
        if custom == CUSTOM_CODE:
            operators.append(operator)
        else:
            others.append(custom or _builtin_name(codes[index]))
    if not operators:
        raise UnspoolError(
            "the file holds no ethos-u operator: it was not compiled by Vela, or all of it was left"
            " on the CPU"
        )
    if others:
        raise UnspoolError(
            f"{len(others)} operator{'s stay' if len(others) > 1 else ' stays'} on the CPU"
            f" ({', '.join(sorted(set(others)))}):"
            " the simulator runs networks that are on the NPU as a whole"
        )
    if len(operators) > 1:
        raise UnspoolError(f"the file holds {len(operators)} ethos-u operators, expected 1")
    return operators[0]


def _builtin_name(code: Table) -> str:
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    try:  # only to word the error: the schema module is slow to import
        schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    except ImportError:
        return f"builtin operator {number}"
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if value == number}
    return str(names.get(number, f"builtin operator {number}"))


def _contents(tensor: Table, buffers: tuple[Table, ...]) -> bytes:
    index = tensor.scalar(2, "I")
    if index >= len(buffers):
        raise UnspoolError(f"tensor {tensor.text(3)!r} has no buffer {index}")
    buffer = buffers[index]
    offset, size = buffer.scalar(1, "Q"), buffer.scalar(2, "Q")
    if offset > 1:  # large models keep buffers behind the FlatBuffer
        if offset + size > len(buffer.data):
            raise UnspoolError(f"the buffer of tensor {tensor.text(3)!r} is outside the file")
        return buffer.data[offset : offset + size]
    return buffer.bytes(0)


def _scratch_size(tensor: Table, name: str) -> int:
    size = math.prod(int(n) for n in tensor.numbers(0, "i4"))
    if not 0 <= size <= MAX_SCRATCH_BYTES:
        raise UnspoolError(f"the {name} tensor has {size} bytes, expected 0 to {MAX_SCRATCH_BYTES}")
    return size


def _offsets(model: Table, buffers: tuple[Table, ...], count: int) -> list[int]:
    for entry in model.tables(6):
        if entry.text(0).rstrip("\0") == "OfflineMemoryAllocation":
            index = entry.scalar(1, "I")
            raw = buffers[index].bytes(0) if index < len(buffers) else b""
            values = np.frombuffer(raw[: len(raw) // 4 * 4], "<i4")
            if len(values) != 3 + count or int(values[2]) != count:
                raise UnspoolError(
                    f"OfflineMemoryAllocation has {len(values)} entries,"
                    f" expected {3 + count} for {count} tensors"
                )
            return [int(v) for v in values[3:]]
    raise UnspoolError("the file has no OfflineMemoryAllocation metadata")


def _network_tensor(tensor: Table, offset: int, scratch_size: int) -> Tensor:
    name = tensor.text(3)
    shape = tuple(int(n) for n in tensor.numbers(0, "i4"))
    dtype = _DTYPES.get(tensor.scalar(1, "b"), "")
    if dtype not in _SIMULATED_DTYPES:
        raise UnspoolError(
            f"tensor {name!r} is {dtype or 'of an unknown type'}, expected one of"
            f" {', '.join(_SIMULATED_DTYPES)}"
        )
    if any(n <= 0 for n in shape):
        raise UnspoolError(f"tensor {name!r} has the shape {shape}")
    result = Tensor(name, shape, dtype, *_quantization(tensor), offset)
    if offset < 0 or offset + result.size > scratch_size:
        raise UnspoolError(
            f"tensor {name!r} lies at bytes {offset} to {offset + result.size},"
            f" outside the scratch tensor of {scratch_size} bytes"
        )
    return result


def _quantization(tensor: Table) -> tuple[float | None, int]:
    """(scale, zero point) of a tensor."""
    quantization = tensor.table(4)
    if quantization is None:
        return None, 0
    scales, zeros = quantization.numbers(2, "f4"), quantization.numbers(3, "i8")
    return float(scales[0]) if len(scales) else None, int(zeros[0]) if len(zeros) else 0
