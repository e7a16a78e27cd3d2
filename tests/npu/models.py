"""Small quantized .tflite models, written field by field, and the tools that run them.

Nothing here depends on the simulator: models are written with the TFLite schema,
compiled by Vela and run by TensorFlow Lite Micro, whose bytes are the expected values.
"""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import vela_forks
from ai_edge_litert import schema_py_generated as schema

TENSOR_TYPES = {
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "uint8": schema.TensorType.UINT8,
}
VERSIONS = {"FULLY_CONNECTED": 4, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "CONCATENATION": 2}


def add_cpu_operator(model: schema.ModelT) -> None:
    """Put an operator that the NPU does not run behind the others of a compiled model."""
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    operator.opcodeIndex = len(model.operatorCodes)
    operator.inputs, operator.outputs = [0], [1]
    model.operatorCodes.append(code)
    model.subgraphs[0].operators.append(operator)


@dataclass
class Graph:
    """A model in the making. `tensor` and `op` return tensor numbers."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [_buffer(None)])
    codes: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(
        self,
        shape: tuple[int, ...],
        scale: float | list[float] = 0.0,
        zero_point: int = 0,
        dtype: str = "int8",
        data: np.ndarray | None = None,
        axis: int = 0,
    ) -> int:
        """A tensor; with `data` a constant. A list of scales is one per channel of `axis`."""
        tensor = schema.TensorT()
        tensor.name = f"t{len(self.tensors)}"
        tensor.shape = list(shape)
        tensor.type = TENSOR_TYPES[dtype]
        tensor.buffer = 0
        if data is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(_buffer(np.ascontiguousarray(data, dtype)))
        if scale:
            scales = list(scale) if isinstance(scale, list) else [scale]
            quantization = schema.QuantizationParametersT()
            quantization.scale = [float(np.float32(s)) for s in scales]
            quantization.zeroPoint = [zero_point] * len(scales)
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def input(
        self, shape: tuple[int, ...], scale: float, zero_point: int = 0, dtype: str = "int8"
    ) -> int:
        """A network input."""
        self.inputs.append(self.tensor(shape, scale, zero_point, dtype))
        return self.inputs[-1]

    def output(
        self, shape: tuple[int, ...], scale: float, zero_point: int = 0, dtype: str = "int8"
    ) -> int:
        """A network output, to be given to an `op`."""
        self.outputs.append(self.tensor(shape, scale, zero_point, dtype))
        return self.outputs[-1]

    def op(self, name: str, inputs: list[int], output: int, options: Any = None) -> int:
        """An operator with one output; `options` is an instance of the schema's ...OptionsT."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = VERSIONS.get(name, 2)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.codes)
        operator.inputs, operator.outputs = list(inputs), [output]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.codes.append(code)
        self.operators.append(operator)
        return output

    def build(self) -> bytes:
        """The model as a .tflite file."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = self.inputs, self.outputs
        graph.name = "main"
        model = schema.ModelT()
        model.version = 3
        model.operatorCodes, model.subgraphs = self.codes, [graph]
        model.buffers = self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


# Layers on a Graph. Weights are random; scales are chosen so that results fill their range.
ACTIVATIONS = {"TANH": (1 / 128, 0), "LOGISTIC": (1 / 256, -128)}


def quantization(graph: Graph, tensor: int) -> tuple[float, int]:
    """(scale, zero point) of a tensor."""
    parameters = graph.tensors[tensor].quantization
    return float(parameters.scale[0]), int(parameters.zeroPoint[0])


def shape(graph: Graph, tensor: int) -> tuple[int, ...]:
    """The shape of a tensor."""
    return tuple(int(n) for n in graph.tensors[tensor].shape)


@dataclass
class Dense:
    """A fully connected layer whose weights several steps share."""

    graph: Graph
    weights: int
    scale: float
    biases: dict[float, int]
    bias: np.ndarray
    out: tuple[float, int]

    def __call__(self, x: int, output: int | None = None) -> int:
        """Apply it to x of shape (rows, in); `output` is the tensor to write, if it exists."""
        graph, rows = self.graph, shape(self.graph, x)[0]
        scale, _ = quantization(graph, x)
        if scale not in self.biases:  # one bias tensor per input scale
            self.biases[scale] = graph.tensor(
                self.bias.shape, scale * self.scale, 0, "int32", self.bias
            )
        if output is None:
            output = graph.tensor((rows, len(self.bias)), *self.out)
        inputs = [x, self.weights, self.biases[scale]]
        return graph.op("FULLY_CONNECTED", inputs, output, options("FullyConnectedOptions"))


def dense(
    graph: Graph, rng: np.random.Generator, units: int, inputs: int, out: tuple[float, int]
) -> Dense:
    """A fully connected layer with random weights and a given output quantization."""
    values = rng.integers(-127, 128, (units, inputs))
    scale = 0.02 / np.sqrt(inputs)
    weights = graph.tensor((units, inputs), scale, 0, data=values)
    return Dense(graph, weights, scale, {}, rng.integers(-3000, 3000, units), out)


def binary(graph: Graph, name: str, a: int, b: int, out: tuple[float, int]) -> int:
    """ADD, SUB or MUL."""
    output = graph.tensor(np.broadcast_shapes(shape(graph, a), shape(graph, b)), *out)
    return graph.op(name, [a, b], output, options(f"{name.capitalize()}Options"))


def activation(graph: Graph, name: str, a: int) -> int:
    """TANH or LOGISTIC."""
    return graph.op(name, [a], graph.tensor(shape(graph, a), *ACTIVATIONS[name]))


def columns(graph: Graph, a: int, start: int, stop: int, row: int | None = None) -> int:
    """A slice of the columns, perhaps of one row only, of a tensor of shape (rows, columns)."""
    rows = shape(graph, a)[0]
    first, last = (0, rows) if row is None else (row, row + 1)
    bounds = [
        graph.tensor((2,), dtype="int32", data=np.array(values))
        for values in ([first, start], [last, stop], [1, 1])
    ]
    output = graph.tensor((last - first, stop - start), *quantization(graph, a))
    return graph.op("STRIDED_SLICE", [a, *bounds], output, options("StridedSliceOptions"))


def reshape(graph: Graph, a: int, to: tuple[int, ...]) -> int:
    """RESHAPE."""
    target = graph.tensor((len(to),), dtype="int32", data=np.array(to))
    output = graph.tensor(to, *quantization(graph, a))
    return graph.op("RESHAPE", [a, target], output, options("ReshapeOptions", newShape=list(to)))


def concatenate(graph: Graph, parts: list[int], axis: int) -> int:
    """CONCATENATION."""
    sizes = list(shape(graph, parts[0]))
    sizes[axis] = sum(shape(graph, part)[axis] for part in parts)
    output = graph.tensor(tuple(sizes), *quantization(graph, parts[0]))
    return graph.op("CONCATENATION", parts, output, options("ConcatenationOptions", axis=axis))


HIDDEN = (1 / 128, 0)  # quantization of a state that tanh bounds
SUM = (0.03, 3)  # of sums before an activation
CELL = (0.02, -5)  # of an LSTM's cell state


def simple_rnn(graph: Graph, rng: np.random.Generator, x: int, units: int, h: int | None) -> int:
    """SimpleRNN over the rows of x (steps, in): the last state, (1, units)."""
    steps, inputs = shape(graph, x)
    projected = dense(graph, rng, units, inputs, SUM)(x)
    recurrent = dense(graph, rng, units, units, SUM)
    for step in range(steps):
        total = columns(graph, projected, 0, units, step)
        if h is not None:
            total = binary(graph, "ADD", total, recurrent(h), SUM)
        h = activation(graph, "TANH", total)
    assert h is not None
    return h


def gru(graph: Graph, rng: np.random.Generator, x: int, units: int, h: int | None) -> int:
    """GRU over the rows of x (steps, in): the last state, (1, units)."""
    steps, inputs = shape(graph, x)
    projected = dense(graph, rng, 3 * units, inputs, SUM)(x)
    recurrent = dense(graph, rng, 3 * units, units, SUM)
    for step in range(steps):
        gates = columns(graph, projected, 0, 2 * units, step)
        candidate = columns(graph, projected, 2 * units, 3 * units, step)
        if h is not None:
            both = recurrent(h)
            gates = binary(graph, "ADD", gates, columns(graph, both, 0, 2 * units), SUM)
        gates = activation(graph, "LOGISTIC", gates)
        z, r = columns(graph, gates, 0, units), columns(graph, gates, units, 2 * units)
        if h is not None:
            late = binary(graph, "MUL", r, columns(graph, both, 2 * units, 3 * units), (0.02, 1))
            candidate = binary(graph, "ADD", candidate, late, SUM)
        candidate = activation(graph, "TANH", candidate)
        if h is None:
            kept = binary(graph, "MUL", z, candidate, HIDDEN)
            h = binary(graph, "SUB", candidate, kept, HIDDEN)
        else:
            change = binary(graph, "SUB", h, candidate, (1 / 64, 2))
            kept = binary(graph, "MUL", z, change, (1 / 64, -2))
            h = binary(graph, "ADD", candidate, kept, HIDDEN)
    assert h is not None
    return h


def lstm(
    graph: Graph, rng: np.random.Generator, x: int, units: int, h: int | None, c: int | None
) -> tuple[int, int]:
    """LSTM over the rows of x (steps, in): the last h and c, each (1, units)."""
    steps, inputs = shape(graph, x)
    projected = dense(graph, rng, 4 * units, inputs, SUM)(x)
    recurrent = dense(graph, rng, 4 * units, units, SUM)
    for step in range(steps):
        total = columns(graph, projected, 0, 4 * units, step)
        if h is not None:
            total = binary(graph, "ADD", total, recurrent(h), SUM)
        gates = activation(graph, "LOGISTIC", columns(graph, total, 0, 3 * units))
        new = activation(graph, "TANH", columns(graph, total, 3 * units, 4 * units))
        i, f, o = (columns(graph, gates, k * units, (k + 1) * units) for k in range(3))
        entered = binary(graph, "MUL", i, new, HIDDEN)
        if c is None:
            c = binary(graph, "ADD", entered, entered, CELL)
        else:
            c = binary(graph, "ADD", binary(graph, "MUL", f, c, CELL), entered, CELL)
        h = binary(graph, "MUL", o, activation(graph, "TANH", c), HIDDEN)
    assert h is not None and c is not None
    return h, c


def softmax(graph: Graph, a: int) -> int:
    """SOFTMAX into a network output."""
    output = graph.output(shape(graph, a), 1 / 256, -128)
    return graph.op("SOFTMAX", [a], output, options("SoftmaxOptions", beta=1.0))


def convolution(graph: Graph, rng: np.random.Generator, x: int, filters: int) -> int:
    """A 3 x 3 convolution with ReLU, same size."""
    _, height, width, deep = shape(graph, x)
    scale, _ = quantization(graph, x)
    scales = [float(s) for s in rng.uniform(0.5, 1.5, filters) * 0.02 / np.sqrt(9 * deep)]
    values = rng.integers(-127, 128, (filters, 3, 3, deep))
    weights = graph.tensor((filters, 3, 3, deep), scales, 0, data=values)
    bias = graph.tensor(
        (filters,), [scale * s for s in scales], 0, "int32", rng.integers(-2000, 2000, filters)
    )
    output = graph.tensor((1, height, width, filters), 0.01, -128)
    chosen = options(
        "Conv2DOptions",
        padding=0,
        strideW=1,
        strideH=1,
        dilationWFactor=1,
        dilationHFactor=1,
        fusedActivationFunction=1,
    )
    return graph.op("CONV_2D", [x, weights, bias], output, chosen)


def pool(graph: Graph, name: str, x: int, size: int) -> int:
    """MAX_POOL_2D or AVERAGE_POOL_2D with padding where the size does not divide."""
    _, height, width, deep = shape(graph, x)
    output = graph.tensor((1, -(-height // size), -(-width // size), deep), *quantization(graph, x))
    chosen = options(
        "Pool2DOptions",
        padding=0,
        strideW=size,
        strideH=size,
        filterWidth=size,
        filterHeight=size,
    )
    return graph.op(name, [x], output, chosen)


def _buffer(data: np.ndarray | None) -> Any:
    buffer = schema.BufferT()
    if data is not None:
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
    return buffer


def options(name: str, **values: Any) -> Any:
    """An options object of the schema, such as options("Conv2DOptions", strideW=2)."""
    result = getattr(schema, f"{name}T")()
    for key, value in values.items():
        if not hasattr(result, key):
            raise AttributeError(f"{name} has no {key}")
        setattr(result, key, value)
    return result


@dataclass(frozen=True)
class Compiled:
    """What Vela makes of a model."""

    model: bytes
    debug: bytes  # the debug database
    listing: str  # Vela's own disassembly


def vela(model: bytes, target: str = "ethos-u55-128", mode: str = "Shared_Sram") -> bytes:
    """Compile a model."""
    return compile_model(model, target, mode).model


@functools.cache
def compile_model(model: bytes, target: str, mode: str, extra: tuple[str, ...] = ()) -> Compiled:
    """Compile a model with all that Vela can say about it; kept for the session.

    `extra` are further options of Vela.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.tflite")
        path.write_bytes(model)
        arguments = [
            str(path),
            f"--accelerator-config={target}",
            f"--system-config={_system(target, mode)}",
            f"--memory-mode={mode}",
            "--config=Arm/vela.ini",
            f"--output-dir={folder}",
            "--enable-debug-db",
            "--verbose-register-command-stream",
            *extra,
        ]
        done = vela_forks.run(arguments, Path(folder))
        result = Path(folder, "m_vela.tflite")
        if not result.exists():
            raise RuntimeError(done.stdout + done.stderr)
        debug = Path(folder, "m_debug.xml")
        return Compiled(
            result.read_bytes(), debug.read_bytes() if debug.exists() else b"", done.stdout
        )


def _system(target: str, mode: str) -> str:
    if target.startswith("ethos-u55"):
        return "Ethos_U55_High_End_Embedded"
    return "Ethos_U65_High_End" if mode == "Dedicated_Sram" else "Ethos_U65_Embedded"


def tflm(model: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Run TensorFlow Lite Micro on N samples; arrays have the shape (N, *sample)."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 26)
    count = _outputs(model)
    results: list[list[np.ndarray]] = [[] for _ in range(count)]
    for sample in range(len(inputs[0])):
        for index, values in enumerate(inputs):
            shape = interpreter.get_input_details(index)["shape"]
            interpreter.set_input(np.ascontiguousarray(values[sample]).reshape(shape), index)
        interpreter.invoke()
        for index, result in enumerate(results):
            result.append(interpreter.get_output(index))
    return [
        np.stack(r).reshape(len(r), *(r[0].shape[1:] if r[0].shape[:1] == (1,) else r[0].shape))
        for r in results
    ]


def _outputs(model: bytes) -> int:
    return int(schema.Model.GetRootAs(model).Subgraphs(0).OutputsLength())


def every_pair() -> tuple[np.ndarray, np.ndarray]:
    """All 65,536 pairs of int8 values: two arrays of shape (256, 256)."""
    values = np.arange(-128, 128, dtype=np.int8)
    return np.repeat(values[:, None], 256, 1), np.repeat(values[None], 256, 0)
