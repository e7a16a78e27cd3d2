"""TFLM itself is held against the table of its limits, just inside of each and just beyond."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflm_alone
from ai_edge_litert import schema_py_generated as schema

from unspool.errors import UnspoolError
from unspool.runtime import engines
from unspool.tflite import flatbuffer, tflm_kernels, tflm_limits

UNIT = {"int8": 0.05, "int16": 0.001}  # a scale, where a test asks for none
LOGISTIC = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)}
TANH = {"int8": (1 / 128, 0), "int16": (1 / 32768, 0)}

UNDEFINED = "stopped, wrong or ok"  # it reads memory that is not the shape's


@dataclass
class Operand:
    """A tensor; `value` fills an input in the run, `data` makes it a constant."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    quantization: tuple[float, int] | None = None
    value: int = 1
    data: np.ndarray | None = None


@dataclass
class Model:
    """One operator; `expected` fills its output, where TFLM might give wrong values."""

    kind: str
    inputs: Sequence[Operand | None]
    output: Operand
    options: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    expected: int | None = None
    outputs: int = 1


def numbers(*values: int | list[int]) -> Operand:
    data = np.array(values, np.int32)
    return Operand(data.shape, "int32", data=data)


def tensor(operand: Operand, name: str, buffers: list[Any]) -> Any:
    made, buffer = schema.TensorT(), schema.BufferT()
    made.name, made.shape = name, list(operand.shape)
    made.type = getattr(schema.TensorType, operand.dtype.upper())
    scale = operand.quantization or ((UNIT[operand.dtype], 0) if operand.dtype in UNIT else None)
    if scale:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = [float(np.float32(scale[0]))]
        made.quantization.zeroPoint = [scale[1]]
    if operand.data is not None:
        stored = np.ascontiguousarray(operand.data, operand.dtype).tobytes()
        buffer.data = np.frombuffer(stored, np.uint8)
    made.buffer = len(buffers)
    buffers.append(buffer)
    return made


def built(model: Model) -> bytes:
    """The model as a .tflite file."""
    file, graph, op = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    code, buffers = schema.OperatorCodeT(), [schema.BufferT()]
    code.builtinCode = getattr(schema.BuiltinOperator, model.kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    graph.tensors, graph.inputs, op.inputs = [], [], []
    for operand in model.inputs:
        op.inputs.append(-1 if operand is None else len(graph.tensors))
        if operand is not None:
            if operand.data is None:
                graph.inputs.append(len(graph.tensors))
            graph.tensors.append(tensor(operand, f"in{len(graph.tensors)}", buffers))
    op.outputs = [len(graph.tensors) + number for number in range(model.outputs)]
    for number in range(model.outputs):
        graph.tensors.append(tensor(model.output, f"out{number}", buffers))
    if model.options:
        op.builtinOptions = getattr(schema, f"{model.options}OptionsT")()
        op.builtinOptionsType = getattr(schema.BuiltinOptions, f"{model.options}Options")
        for key, value in model.values.items():
            assert hasattr(op.builtinOptions, key)
            setattr(op.builtinOptions, key, value)
    graph.outputs, graph.operators = list(op.outputs), [op]
    file.version, file.operatorCodes, file.subgraphs, file.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def filled(model: Model) -> list[np.ndarray]:
    return [
        np.full(operand.shape, operand.value, operand.dtype)
        for operand in model.inputs
        if operand is not None and operand.data is None
    ]


def ranked(rank: int) -> tuple[int, ...]:
    return (1, *(2,) * (rank - 1))


def unary(kind: str, dtype: str = "int8", rank: int = 2, options: str = "") -> Model:
    return Model(kind, [Operand(ranked(rank), dtype)], Operand(ranked(rank), dtype), options)


def pair(
    kind: str,
    options: str,
    first: float,
    second: float,
    out: float,
    dtype: str = "int8",
    made: str | None = None,
) -> Model:
    inputs = [Operand((1, 4), dtype, (first, 0)), Operand((1, 4), dtype, (second, 0))]
    quantization = (out, 0) if made is None else None
    return Model(kind, inputs, Operand((1, 4), made or dtype, quantization), options)


def curve(
    kind: str,
    dtype: str,
    scale: float,
    out: tuple[float, int],
    value: int = 1,
    expected: int | None = None,
    options: str = "",
    classes: int = 4,
    **values: float,
) -> Model:
    data = Operand((1, classes), dtype, (scale, 0), value)
    return Model(
        kind, [data], Operand((1, classes), dtype, out), options, values, expected=expected
    )


def softmax(classes: int, scale: float = 0.1, dtype: str = "int8") -> Model:
    out = LOGISTIC[dtype]
    return curve("SOFTMAX", dtype, scale, out, 0, None, "Softmax", classes, beta=1.0)


def log_softmax(classes: int, scale: float = 0.1) -> Model:
    low = max(round(-np.log(classes) * 16), -255) + 127
    return curve("LOG_SOFTMAX", "int8", scale, (1 / 16, 127), 0, low, "LogSoftmax", classes)


def strided_slice(rank: int) -> Model:
    shape = ranked(rank)
    inputs = [Operand(shape), numbers(*[0] * rank), numbers(*shape), numbers(*[1] * rank)]
    return Model("STRIDED_SLICE", inputs, Operand(shape), "StridedSlice")


def slice_(rank: int) -> Model:
    inputs = [Operand(ranked(rank)), numbers(*[0] * rank), numbers(*ranked(rank))]
    return Model("SLICE", inputs, Operand(ranked(rank)), "Slice")


def transpose(rank: int, constant: bool = True) -> Model:
    perm = numbers(*range(rank))
    perm = perm if constant else Operand((rank,), "int32")
    return Model("TRANSPOSE", [Operand(ranked(rank)), perm], Operand(ranked(rank)), "Transpose")


def pad(rank: int) -> Model:
    none = numbers(*[[0, 0]] * rank)
    return Model("PAD", [Operand(ranked(rank)), none], Operand(ranked(rank)), "Pad")


def broadcast_to(rank: int) -> Model:
    inputs = [Operand((1,) * rank), numbers(*ranked(rank))]
    return Model("BROADCAST_TO", inputs, Operand(ranked(rank)), "BroadcastTo")


def batch_matmul(rank: int) -> Model:
    shape = ranked(rank)
    return Model("BATCH_MATMUL", [Operand(shape), Operand(shape)], Operand(shape), "BatchMatMul")


def concatenation(rank: int = 2, count: int = 2, scale: float = 0.05, dtype: str = "int8") -> Model:
    shape = ranked(rank)
    inputs = [Operand(shape, dtype, (scale, 0)), *[Operand(shape, dtype) for _ in range(count - 1)]]
    out = Operand((*shape[:-1], 2 * count), dtype)
    return Model("CONCATENATION", inputs, out, "Concatenation", {"axis": rank - 1})


def split(dtype: str = "int8", constant: bool = True) -> Model:
    axis = numbers(1) if constant else Operand((1,), "int32")
    out = Operand((1, 2), dtype)
    return Model("SPLIT", [axis, Operand((1, 4), dtype)], out, "Split", {"numSplits": 2}, outputs=2)


def mean(kind: str, dtype: str, count: int) -> Model:
    most = np.iinfo(dtype).max
    inputs = [Operand((1, count), dtype, (0.001, 0), most), numbers(1)]
    out = Operand((1, 1), dtype, (0.001 * (count if kind == "SUM" else 1), 0))
    return Model(kind, inputs, out, "Reducer", {"keepDims": True}, expected=most)


def reduced(kind: str, dtype: str = "int8", scale: float = 0.05) -> Model:
    inputs = [Operand((1, 4), dtype), numbers(1)]
    return Model(kind, inputs, Operand((1, 1), dtype, (scale, 0)), "Reducer", {"keepDims": True})


def pooled(kind: str, rank: int = 4, scale: float = 0.05) -> Model:
    shape = (1, 4, 4, 2)[4 - rank :]
    window = dict.fromkeys(("strideW", "strideH", "filterWidth", "filterHeight"), 2)
    half = (*(n // 2 for n in shape[-3:-1]), 2)
    out = (1, *half) if rank == 4 else half
    return Model(kind, [Operand(shape)], Operand(out, "int8", (scale, 0)), "Pool2D", window)


def convolution(
    kind: str, rank: int = 4, bias: bool = True, weights: str = "int8", dtype: str = "int8"
) -> Model:
    """A kernel of ones, 1 x 1: sums of channels."""
    shape, deep = (1, 4, 4, 2)[4 - rank :], kind == "DEPTHWISE_CONV_2D"
    kernel = np.ones((1, 1, 1, 2) if deep else (2, 1, 1, 2))
    scale = 0.02 * UNIT.get(dtype, 1)
    wide = {"int8": "int32", "int16": "int64", "float32": "float32"}[dtype]
    quantized = (scale, 0) if dtype in UNIT else None
    inputs = [
        Operand(shape, dtype),
        Operand(kernel.shape, weights, (0.02, 0) if weights in UNIT else None, data=kernel),
        Operand((2,), wide, quantized, data=np.zeros(2)) if bias else None,
    ]
    values = dict.fromkeys(("strideW", "strideH", "dilationWFactor", "dilationHFactor"), 1)
    if deep:
        values["depthMultiplier"] = 1
    options = "DepthwiseConv2D" if deep else "Conv2D"
    out = Operand(shape, dtype, quantized)
    return Model(kind, inputs, out, options, values, expected=1 if deep else 2)


def dense(dtype: str = "int8", weights: str = "int8") -> Model:
    kernel = Operand((3, 4), weights, (0.02, 0) if weights in UNIT else None, data=np.ones((3, 4)))
    inputs = [Operand((1, 4), dtype), kernel, None]
    return Model("FULLY_CONNECTED", inputs, Operand((1, 3), dtype), "FullyConnected")


def resized(kind: str, rank: int = 4, dtype: str = "int8", constant: bool = True) -> Model:
    shape, out = (1, 4, 4, 2)[4 - rank :], (1, 8, 8, 2)[4 - rank :]
    size = numbers(8, 8) if constant else Operand((2,), "int32")
    options = "ResizeBilinear" if kind.endswith("BILINEAR") else "ResizeNearestNeighbor"
    return Model(kind, [Operand(shape, dtype), size], Operand(out, dtype), options)


def rearranged(kind: str, options: str, rank: int = 4, dtype: str = "int8") -> Model:
    small, big = (1, 2, 2, 8)[4 - rank :], (1, 4, 4, 2)[4 - rank :]
    source, out = (small, big) if kind == "DEPTH_TO_SPACE" else (big, small)
    data = Operand(source, dtype)
    return Model(kind, [data], Operand(out, dtype), options, {"blockSize": 2})


def space_to_batch(rank: int = 4, dtype: str = "int8") -> Model:
    shape = (1, 2, 2, *(1,) * (rank - 3))
    out = (4, 1, 1, *(1,) * (rank - 3))
    inputs = [Operand(shape, dtype), numbers(2, 2), numbers([0, 0], [0, 0])]
    return Model("SPACE_TO_BATCH_ND", inputs, Operand(out, dtype), "SpaceToBatchND")


def gathered(dtype: str = "int8") -> Model:
    return Model("GATHER", [Operand((1, 4), dtype), numbers(0)], Operand((1, 4), dtype), "Gather")


def gathered_nd(depth: int = 1, dtype: str = "int8") -> Model:
    shape = (1,) * 6
    inputs = [Operand(shape, dtype), numbers([0] * depth)]
    return Model("GATHER_ND", inputs, Operand((1, *shape[depth:]), dtype), "GatherNd")


def largest(dtype: str = "int8", made: str = "int32") -> Model:
    values = {"outputType": getattr(schema.TensorType, made.upper())}
    inputs = [Operand((1, 4), dtype), numbers(1)]
    return Model("ARG_MAX", inputs, Operand((1,), made), "ArgMax", values)


def prelu(rank: int = 2, slopes: str = "int8", dtype: str = "int8") -> Model:
    kernel = Operand(ranked(rank), slopes, data=np.ones(ranked(rank)))
    # A part of the slopes, for the kernel to broadcast.
    kernel.shape, kernel.data = (1,) * (rank - 1) + (2,), np.ones((1,) * (rank - 1) + (2,))
    data = Operand(ranked(rank), dtype)
    return Model("PRELU", [data, kernel], Operand(ranked(rank), dtype))


def expanded(rank: int = 2, constant: bool = True) -> Model:
    axis = numbers(1) if constant else Operand((1,), "int32", value=1)
    shape = ranked(rank)
    out = Operand((1, 1, *shape[1:]))
    return Model("EXPAND_DIMS", [Operand(shape), axis], out, "ExpandDims")


def mirrored(dtype: str = "int8") -> Model:
    inputs = [Operand((1, 4), dtype), numbers([0, 0], [1, 1])]
    return Model("MIRROR_PAD", inputs, Operand((1, 6), dtype), "MirrorPad")


def cast(made: str) -> Model:
    return Model("CAST", [Operand((1, 4))], Operand((1, 4), made), "Cast")


def flat_dense(rank: int) -> Model:
    """TFLM's memory is written over from 7 dimensions on, and seen to be from 8."""
    model = dense()
    data, *rest = model.inputs
    assert data is not None
    return replace(model, inputs=[replace(data, shape=(1,) * (rank - 1) + (4,)), *rest])


def compared(kind: str, scale: float, dtype: str = "int8") -> Model:
    return pair(kind, "", 0.5, scale, 0, dtype, "bool")


def rounded(scale: float) -> float:
    """As a file holds it."""
    return float(np.float32(scale))


CASES: dict[str, tuple[Model, Model, str]] = {  # name: (inside, beyond, what TFLM does beyond)
    "rank": (flat_dense(6), flat_dense(8), UNDEFINED),
    "SOFTMAX": (softmax(511), softmax(512), "stopped"),
    "SOFTMAX, int16": (softmax(600, dtype="int16"), softmax(600), "stopped"),
    "SOFTMAX, scale": (softmax(4, 1.01 * 2.0**-26), softmax(4, 2.0**-26), "stopped"),
    "LOG_SOFTMAX": (log_softmax(4095), log_softmax(4096), "wrong"),
    "LOG_SOFTMAX, scale": (log_softmax(4, 1.01 * 2.0**-26), log_softmax(4, 2.0**-26), "stopped"),
    **{
        f"{kind}, {dtype}": (
            pair(kind, kind.title(), 0.99 * most, 1, 1, dtype),
            pair(kind, kind.title(), most, 1, 1, dtype),
            "stopped",
        )
        for kind in ("ADD", "SUB")
        for dtype, most in (("int8", 2.0**19), ("int16", 2.0**14))
    },
    "ADD, zero": (pair("ADD", "Add", 1e-9, 1, 1), pair("ADD", "Add", 1e-50, 1, 1), "stopped"),
    "SQUARED_DIFFERENCE": (
        pair("SQUARED_DIFFERENCE", "SquaredDifference", 1e-9, 1, 1),
        pair("SQUARED_DIFFERENCE", "SquaredDifference", 1e-50, 1, 1),
        "stopped",
    ),
    **{
        kind: (compared(kind, 0.99), compared(kind, 1.0), "stopped")
        for kind in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    },
    "GREATER, int16": (compared("GREATER", 2.0, "int16"), compared("GREATER", 2.0), "stopped"),
    **{
        f"{kind}, int16": (compared(kind, 0.9), compared(kind, 0.9, "int16"), "refused")
        for kind in ("EQUAL", "NOT_EQUAL", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    },
    **{
        f"{kind}, {dtype}": (
            curve(kind, dtype, rounded(0.99 * most), outs[dtype], most_in, most_out),
            curve(kind, dtype, rounded(1.01 * most), outs[dtype], most_in, most_out),
            "wrong",
        )
        for kind, outs in (("TANH", TANH), ("LOGISTIC", LOGISTIC))
        for dtype, most, most_in, most_out in (
            ("int8", 8, 0, 0),  # radius 0: it takes 0 for a number below
            ("int16", 16 / 3, 32767, 32767),
        )
    },
    "HARD_SWISH": (
        curve("HARD_SWISH", "int8", 127.9, (1, 0)),
        curve("HARD_SWISH", "int8", 128, (1, 0)),
        "refused",
    ),
    **{
        f"{kind}, {dtype}": (mean(kind, dtype, most), mean(kind, dtype, most + 1000), "wrong")
        for kind in ("MEAN", "SUM")
        for dtype, most in (("int16", 2**16),)
    },
    "MEAN, int8": (mean("MEAN", "int8", 2**17), mean("MEAN", "int8", 2**24 + 2**23), "wrong"),
    "SLICE": (slice_(5), slice_(6), "stopped"),
    "STRIDED_SLICE": (strided_slice(4), strided_slice(5), "refused"),
    "TRANSPOSE": (transpose(5), transpose(6), "refused"),
    "TRANSPOSE, perm": (transpose(2), transpose(2, constant=False), "refused"),
    "PAD": (pad(5), pad(6), "refused"),
    "BROADCAST_TO": (broadcast_to(5), broadcast_to(6), "refused"),
    "BATCH_MATMUL": (batch_matmul(5), batch_matmul(6), "refused"),
    "CONCATENATION, rank": (concatenation(6), concatenation(7), "refused"),
    "CONCATENATION, inputs": (concatenation(2, 10), concatenation(2, 11), "refused"),
    "CONCATENATION, scale": (concatenation(), concatenation(scale=0.0501), "refused"),
    "SPLIT, axis": (split(), split(constant=False), "refused"),
    "EXPAND_DIMS, axis": (expanded(), expanded(constant=False), "refused"),
    "L2_NORMALIZATION": (
        unary("L2_NORMALIZATION", rank=4, options="L2Norm"),
        unary("L2_NORMALIZATION", rank=5, options="L2Norm"),
        "refused",
    ),
    "L2_NORMALIZATION, int16": (
        unary("L2_NORMALIZATION", options="L2Norm"),
        unary("L2_NORMALIZATION", "int16", options="L2Norm"),
        "refused",
    ),
    **{
        f"{kind}, rank": (pooled(kind), pooled(kind, 3), UNDEFINED)
        for kind in ("MAX_POOL_2D", "AVERAGE_POOL_2D")
    },
    "MAX_POOL_2D, scale": (pooled("MAX_POOL_2D"), pooled("MAX_POOL_2D", scale=0.06), "refused"),
    **{
        f"{kind}, rank": (convolution(kind), convolution(kind, 3), UNDEFINED)
        for kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    },
    "DEPTHWISE_CONV_2D, bias": (
        convolution("DEPTHWISE_CONV_2D"),
        convolution("DEPTHWISE_CONV_2D", bias=False),
        "stopped",
    ),
    "CONV_2D, weights": (
        convolution("CONV_2D", dtype="float32", weights="float32"),
        convolution("CONV_2D", dtype="float32"),
        "refused",
    ),
    "FULLY_CONNECTED, weights": (dense("float32", "float32"), dense("float32"), "refused"),
    **{
        f"{kind}, rank": (resized(kind), resized(kind, 3), "refused")
        for kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
    },
    "RESIZE_BILINEAR, size": (
        resized("RESIZE_BILINEAR"),
        resized("RESIZE_BILINEAR", constant=False),
        "refused",
    ),
    "RESIZE, int16": (
        resized("RESIZE_NEAREST_NEIGHBOR", dtype="int16"),
        resized("RESIZE_BILINEAR", dtype="int16"),
        "refused",
    ),
    **{
        f"{kind}, {what}": (
            rearranged(kind, options),
            rearranged(kind, options, rank, dtype),
            "refused",
        )
        for kind, options in (("DEPTH_TO_SPACE", "DepthToSpace"), ("SPACE_TO_DEPTH",) * 2)
        for what, rank, dtype in (("rank", 3, "int8"), ("int16", 4, "int16"))
        for options in ({"SPACE_TO_DEPTH": "SpaceToDepth"}.get(kind, options),)
    },
    "SPACE_TO_BATCH_ND": (space_to_batch(4), space_to_batch(5), "refused"),
    "SPACE_TO_BATCH_ND, int16": (space_to_batch(), space_to_batch(dtype="int16"), "refused"),
    "GATHER, int16": (gathered(), gathered("int16"), "refused"),
    "GATHER_ND": (gathered_nd(5), gathered_nd(6), "refused"),
    "GATHER_ND, int16": (gathered_nd(), gathered_nd(dtype="int16"), "refused"),
    "ARG_MAX, int16": (largest(), largest("int16"), "refused"),
    "ARG_MAX, int64": (largest(), largest(made="int64"), "refused"),
    "CAST, int64": (cast("int32"), cast("int64"), "refused"),
    "PRELU, rank": (
        prelu(4, "float32", "float32"),
        prelu(5, "float32", "float32"),
        "stopped",
    ),
    "PRELU, slopes": (prelu(dtype="int16"), prelu(slopes="int16", dtype="int16"), "refused"),
    "REDUCE_MAX, scale": (reduced("REDUCE_MAX"), reduced("REDUCE_MAX", scale=0.06), "refused"),
    **{
        f"{kind}, int16": (reduced(kind), reduced(kind, "int16", UNIT["int16"]), "refused")
        for kind in ("REDUCE_MAX", "REDUCE_MIN")
    },
    "DIV, int16": (pair("DIV", "Div", 1, 1, 1), pair("DIV", "Div", 1, 1, 1, "int16"), "refused"),
    "MIRROR_PAD, int16": (mirrored(), mirrored("int16"), "refused"),
    **{
        f"{kind}, int16": (unary(kind), unary(kind, "int16"), "refused")
        for kind in ("HARD_SWISH", "ELU", "ZEROS_LIKE")
    },
    **{
        f"{kind}, int8": (unary(kind, "float32"), unary(kind), "refused")
        for kind in ("SQRT", "EXP", "LOG", "SIN", "COS", "FLOOR", "CEIL", "ROUND", "SQUARE", "NEG")
    },
    **{
        kind: (unary("ABS"), unary(kind), "refused")
        for kind in ("GELU", "SELECT", "SIGN", "TILE", "REDUCE_PROD", "RELU_N1_TO_1", "POW")
    },
}


@functools.cache
def outcomes() -> dict[str, tuple[str, str]]:
    """What TFLM did with each model; all in one go."""
    models = [(name, model) for name, case in CASES.items() for model in case[:2]]
    runs = tflm_alone.run([(built(model), filled(model)) for _, model in models])
    pairs = iter(
        [verdict(model, outcome) for (_, model), outcome in zip(models, runs, strict=True)]
    )
    return {name: (next(pairs), next(pairs)) for name in CASES}


def verdict(model: Model, outcome: tflm_alone.Outcome) -> str:
    kind, value = outcome
    if kind == "ok" and model.expected is not None:
        assert isinstance(value, list)
        return "wrong" if (value[0] != model.expected).any() else kind
    return kind


@pytest.mark.parametrize("name", CASES)
@pytest.mark.one_in(2)
def test_just_inside_runs(name: str) -> None:
    inside = CASES[name][0]
    assert tflm_limits.problem(flatbuffer.read(built(inside))) is None
    assert outcomes()[name][0] == "ok"


@pytest.mark.parametrize("name", CASES)
def test_just_beyond_is_refused_and_tflm_fails(name: str) -> None:
    _, beyond, what = CASES[name]
    problem = tflm_limits.problem(flatbuffer.read(built(beyond)))
    assert problem is not None
    assert "\n" not in problem and beyond.kind in problem and "'out0'" in problem
    assert outcomes()[name][1] in what


def test_engine_refuses_before_tflm_is_started() -> None:
    with pytest.raises(UnspoolError, match=r"'out0': SOFTMAX stops the process with 512 classes"):
        engines.tflm(built(softmax(600)))


@pytest.mark.parametrize("kind", ["FULLY_CONNECTED", "SOFTMAX", "AVERAGE_POOL_2D", "ADD"])
@pytest.mark.parametrize("left_out", ["inputs", "outputs"])
def test_operators_without_tensors_are_refused(kind: str, left_out: str) -> None:
    model = flatbuffer.read(built(softmax(4)))
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    setattr(model.subgraphs[0].operators[0], left_out, [])
    problem = tflm_limits.problem(model)
    assert problem is None or f"{kind} has " in problem


def test_npu_operators_are_not_tflms() -> None:
    model = flatbuffer.read(built(softmax(600)))
    model.operatorCodes[0].customCode = b"ethos-u"
    assert tflm_limits.problem(model) is None


def test_custom_operators_have_no_kernel() -> None:
    model = flatbuffer.read(built(softmax(4)))
    model.operatorCodes[0].customCode = b"FlexErf"
    problem = tflm_limits.problem(model)
    assert problem is not None and "FlexErf has no kernel" in problem


@pytest.mark.parametrize("kind", tflm_kernels.LIMITS)
def test_kinds_are_litert_s(kind: str) -> None:
    assert hasattr(schema.BuiltinOperator, kind)
