"""Run a Vela-compiled file in TFLM on this machine, with a Python function as the NPU.

The tflite-micro wheel has no kernel for Vela's `ethos-u` operator: its `Register_ETHOSU` returns
nothing. `install` puts a jump to a kernel of our own there, in this process's memory. All else is
TFLM as on a device: it follows Vela's memory plan, so inputs and outputs lie over each other.
"""

import ctypes as c
import platform
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from unspool.runtime import engines
from unspool.support.quiet import quiet
from unspool.tflite import ends, flatbuffer

_TFLM = "_ZN6tflite5micro"
_CONTEXT = _TFLM + "{}EPNS0_13TfLiteContextE{}"


class _IntArray(c.Structure):
    _fields_ = [("size", c.c_int), ("data", c.c_int * 64)]


class _Node(c.Structure):
    _fields_ = [("inputs", c.POINTER(_IntArray)), ("outputs", c.POINTER(_IntArray))]


class _EvalTensor(c.Structure):
    _fields_ = [("data", c.c_void_p)]


_Init = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t)
_Step = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(_Node))
_Name = c.CFUNCTYPE(c.c_void_p)


class _Registration(c.Structure):
    _fields_ = [
        ("init", _Init),
        ("free", c.c_void_p),
        ("prepare", _Step),
        ("invoke", _Step),
        ("reset", c.c_void_p),
        ("builtin_code", c.c_int32),
        ("custom_name", c.c_char_p),
    ]


Network: TypeAlias = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""Name of input -> stored values to name of output -> the same."""

Addresses: TypeAlias = Mapping[int, int]
"""Index of a tensor -> where its data lies."""

_kept: list[object] = []  # what TFLM holds pointers to
_npu: Callable[[Addresses], None] | None = None  # the NPU of the inference under way


def install() -> None:
    """Give TFLM the kernel, or skip the test where the wheel is not the one known here."""
    if _kept:
        return
    from tflite_micro.python.tflite_micro import _runtime

    lib = c.CDLL(_runtime.__file__)
    try:
        register = getattr(lib, _TFLM + "15Register_ETHOSUEv")
        get_name = getattr(lib, _TFLM + "16GetString_ETHOSUEv")
        persistent = getattr(lib, _CONTEXT.format("36MicroContextAllocatePersistentBuffer", "m"))
        scratch = getattr(lib, _CONTEXT.format("39MicroContextRequestScratchBufferInArena", "mPi"))
        tensor = getattr(lib, _TFLM + "25MicroContextGetEvalTensorEPKNS0_13TfLiteContextEi")
    except AttributeError as error:
        pytest.skip(f"this tflite-micro wheel is laid out differently: {error}")
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        pytest.skip(f"no jump known for {platform.system()} on {platform.machine()}")
    persistent.restype, persistent.argtypes = c.c_void_p, [c.c_void_p, c.c_size_t]
    scratch.argtypes = [c.c_void_p, c.c_size_t, c.POINTER(c.c_int)]
    tensor.restype, tensor.argtypes = c.POINTER(_EvalTensor), [c.c_void_p, c.c_int]

    def operands(node: "c._Pointer[_Node]") -> list[list[int]]:
        arrays = node.contents.inputs.contents, node.contents.outputs.contents
        return [array.data[: array.size] for array in arrays]

    # Asks for the same memory as TFLM's kernel, ethosu.cc.
    def prepare(context: int, node: "c._Pointer[_Node]") -> int:
        count, index = sum(map(len, operands(node))), c.c_int()
        sizes = count * c.sizeof(c.c_uint64), count * c.sizeof(c.c_size_t)
        statuses: list[int] = [scratch(context, size, c.byref(index)) for size in sizes]
        return max(statuses)

    def invoke(context: int, node: "c._Pointer[_Node]") -> int:
        assert _npu is not None
        _npu({i: tensor(context, i).contents.data for group in operands(node) for i in group})
        return 0

    registration = _Registration(
        init=_Init(lambda context, data, length: persistent(context, 12)),
        prepare=_Step(prepare),
        invoke=_Step(invoke),
    )
    name = c.create_string_buffer(b"ethos-u")
    for function, result in [(register, registration), (get_name, name)]:
        start = c.cast(function, c.c_void_p).value
        assert start is not None
        _return(start, c.addressof(result))
    _kept.extend([lib, registration, name])


def _return(function: int, value: int) -> None:
    """Overwrite a function: `mov rax, value; ret`, 11 bytes; functions are 16 apart."""
    pages = c.c_void_p(function & ~4095), c.c_size_t(8192)
    libc = c.CDLL(None, use_errno=True)
    if libc.mprotect(*pages, 7):  # read, write, execute
        pytest.skip("this system lets no program change its code")
    c.memmove(function, b"\x48\xb8" + value.to_bytes(8, "little") + b"\xc3", 11)
    libc.mprotect(*pages, 5)


def network(int8: bytes) -> Network:
    """The int8 file in TFLM as a function of named inputs."""
    engine = engines.tflm(int8)
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(int8))

    def call(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = engine([stored[tensor.name] for tensor in inputs])
        return {tensor.name: r for tensor, r in zip(outputs, results, strict=True)}

    return call


class Device:
    """TFLM with a compiled file in an arena of a given size, as firmware has it.

    Attributes:
        inputs, outputs: addresses of their data, in TFLM's order.
    """

    def __init__(self, compiled: bytes, arena: int, network: Network) -> None:
        from tflite_micro.python.tflite_micro import runtime

        install()
        self._model, self._network = flatbuffer.read(compiled), network
        with quiet():
            self._tflm = runtime.Interpreter.from_bytes(compiled, arena_size=arena)
        self._addresses: Addresses = {}
        self.invoke()
        graph = self._model.subgraphs[0]
        self.inputs = [self._addresses[i] for i in graph.inputs]
        self.outputs = [self._addresses[i] for i in graph.outputs]

    def invoke(self) -> None:
        global _npu
        _npu = self._run
        self._tflm.invoke()

    def print_allocations(self) -> None:
        self._tflm.print_allocations()

    def _run(self, addresses: Addresses) -> None:
        self._addresses = addresses
        infer(self._model, addresses, self._network)


def infer(model: flatbuffer.Model, addresses: Addresses, network: Network) -> None:
    """What an inference does to memory: read inputs, leave garbage in scratch, write outputs.

    `addresses`: of the tensors of the compiled `model`, by their indices.
    """
    graph = model.subgraphs[0]
    inputs, outputs = ends.inputs_and_outputs(model)
    read = zip(graph.inputs, inputs, strict=True)
    results = network({t.name: view(addresses[i], t.shape, t.dtype).copy() for i, t in read})
    for i in set(graph.operators[0].inputs[2:4]):  # scratch, fast scratch
        size = int(graph.tensors[i].shape[0])
        view(addresses[i], size, np.uint8)[:] = np.random.default_rng(1).integers(256, size=size)
    for i, t in zip(graph.outputs, outputs, strict=True):
        view(addresses[i], t.shape, t.dtype)[...] = results[t.name]


def view(address: int, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
    """Memory at an address as an array."""
    count = int(np.prod(shape))
    content = (c.c_byte * (count * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(memoryview(content), np.dtype(dtype)).reshape(shape)
