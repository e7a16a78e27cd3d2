"""What each of TFLM's kernels takes: the table, and the rules that do not fit into columns.

They are the reference kernels of tflite-micro 0.dev20261023, read from its sources and tried on it:
`tests/test_tflm_limits.py` holds TFLM against each.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

LARGEST_RANK = 6
"""Dimensions of a shape in TFLM; it writes those beyond over other memory, and checks nothing."""


@dataclass(frozen=True)
class Tensor:
    """An operand.

    Attributes:
        name: of the tensor.
        shape: with the batch dimension.
        type: such as "int8".
        quantization: scale and zero point, of the first channel; 0.0 and 0 where there is none.
        constant: whether the file has its values.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    quantization: tuple[float, int]
    constant: bool

    @property
    def scale(self) -> float:
        """Real value of one quantization level; 0.0 where there is none."""
        return self.quantization[0]


@dataclass(frozen=True)
class Operator:
    """An operator with its operands.

    Attributes:
        kind: LiteRT's name, such as "SOFTMAX".
        inputs: None for one that is left out.
        outputs: what it writes.
        options: of LiteRT's schema, such as a `SoftmaxOptionsT`.
    """

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any

    @property
    def given(self) -> list[Tensor]:
        """The inputs that are not left out."""
        return [tensor for tensor in self.inputs if tensor is not None]


def no_rule(operator: Operator) -> str:
    """Nothing further is wrong."""
    return ""


@dataclass(frozen=True)
class Limit:
    """What TFLM's kernel of one kind of operator allows.

    Attributes:
        types: of the data that it reads; empty where every type will do.
        data: which of its inputs that is.
        makes: the types that it writes; empty where that follows from what it reads.
        rank: fewest and most dimensions of the data.
        inputs: the most of them.
        constants: inputs that must be constants.
        same: types whose inputs and outputs must share one scale and zero point.
        check: a further rule; what is wrong and what to do, or nothing.
    """

    types: str = ""
    data: int = 0
    makes: str = ""
    rank: tuple[int, int] = (0, LARGEST_RANK)
    inputs: int | None = None
    constants: tuple[int, ...] = ()
    same: str = ""
    check: Callable[[Operator], str] = no_rule


def _sum(op: Operator) -> str:
    """Inputs are scaled to the largest, and a sum back, by a factor that must be below 1."""
    type_ = op.outputs[0].type
    if type_ not in ("int8", "int16"):
        return ""
    scales, out = [tensor.scale for tensor in op.given], op.outputs[0].scale
    if min(out, *scales) <= 0:
        return "stops the process at a scale of 0; calibrate with samples in which it is not 0"
    most = 2.0**19 if type_ == "int8" else 2.0**14
    if op.kind == "SQUARED_DIFFERENCE" or max(scales) / out < most:
        return ""
    return (
        f"stops the process where an input's scale is {most:,.0f} times the output's or more; "
        f"this is {max(scales) / out:,.0f} times: inputs that large cancel out, scale them down"
    )


def _comparison(op: Operator) -> str:
    wrong = [t for t in op.given if t.type == "int8" and not 0 < t.scale < 1]
    if not wrong:
        return ""
    return (
        f"stops the process at a scale of 1 or more; {wrong[0].name!r} has {wrong[0].scale:g}: "
        "scale its values down"
    )


def _pool(op: Operator) -> str:
    (data, *_), out = op.given, op.outputs[0]
    if abs(data.scale - out.scale) <= 1e-6 and data.quantization[1] == out.quantization[1]:
        return ""
    return f"takes one scale for {data.name!r} and its output; tie their scales"


def _softmax(op: Operator) -> str:
    """Sums of more than 511 exponentials have no reciprocal in the kernel's fixed point."""
    (data, *_) = op.given
    if data.type != "int8":
        return ""
    beta = float(getattr(op.options, "beta", 1.0)) if op.kind == "SOFTMAX" else 1.0
    if beta * data.scale <= 2.0**-26:
        return f"stops the process at an input scale of 2^-26 or less; it is {data.scale:.1e}"
    classes = data.shape[-1] if data.shape else 1
    if op.kind == "SOFTMAX" and op.outputs[0].type == "int8" and classes > 511:
        return (
            f"stops the process with 512 classes or more in int8, which depends on the values; it "
            f"has {classes}: quantize it to int16, or give out its input and compare that"
        )
    if op.kind == "LOG_SOFTMAX" and classes > 4095:
        return f"gives wrong values with 4,096 classes or more; it has {classes}: use fewer"
    return ""


def _sigmoid(op: Operator) -> str:
    """The input is multiplied in 32 bits, which overflows."""
    (data, *_) = op.given
    most = {"int8": 8.0, "int16": 16 / 3}.get(data.type, math.inf)
    if data.scale < most:
        return ""
    return (
        f"gives wrong values at an input scale of {most:.4g} or more in {data.type}; it is "
        f"{data.scale:.4g}: scale its input down"
    )


def _hard_swish(op: Operator) -> str:
    (data, *_), out = op.given, op.outputs[0]
    if data.type != "int8" or data.scale < 128 * out.scale:
        return ""
    return "takes an input scale below 128 times the output's; scale its input down"


def _mean(op: Operator) -> str:
    """Values are added in 32 bits."""
    (data, *_), out = op.given, op.outputs[0]
    most = {"int8": 2**24, "int16": 2**16}.get(data.type)
    count = math.prod(data.shape) // max(math.prod(out.shape), 1)
    if most is None or count <= most:
        return ""
    return (
        f"overflows with more than {most:,} values of {data.type}; it adds {count:,}: "
        "take the mean of means, one axis after the other"
    )


def _prelu(op: Operator) -> str:
    data, slopes = op.given
    wanted = "float32" if data.type == "float32" else "int8"
    if slopes.type != wanted:
        return f"takes slopes in {wanted}, not {slopes.type}; quantize it to int8"
    if data.type == "float32" and len(data.shape) > 4:
        return f"stops the process with more than 4 dimensions in float32, not {len(data.shape)}"
    return ""


def _gather_nd(op: Operator) -> str:
    depth = op.given[1].shape[-1]
    return "" if depth <= 5 else f"takes indices of up to 5 dimensions, not {depth}; reshape it"


def _weights(op: Operator) -> str:
    """Weights that are not of the data's kind, or a bias that is left out."""
    data, weights = op.inputs[2 if op.kind == "TRANSPOSE_CONV" else 0], op.inputs[1]
    if data is None or weights is None:
        return ""
    allowed = {"int8": ("int8", "int4"), "int16": ("int8",)}.get(data.type, ("float32",))
    if weights.type not in allowed:
        return (
            f"takes weights in {' or '.join(allowed)} with data in {data.type}, not "
            f"{weights.type}; quantize both"
        )
    if op.kind == "DEPTHWISE_CONV_2D" and len(op.inputs) == 3 and op.inputs[2] is None:
        return "stops the process where its bias is left out; give it one of zeros"
    return ""


_F, _8, _16 = "float32", "float32 int8", "float32 int8 int16"
_ROWS = (
    ("ABS LEAKY_RELU RELU RELU6 RSQRT", Limit(_16)),
    ("ADD SUB", Limit(_16 + " int32", check=_sum)),
    ("ADD_N CUMSUM ELU GATHER MIRROR_PAD", Limit(_8)),
    ("ARG_MAX ARG_MIN", Limit(_8 + " uint8", makes="int32")),
    ("AVERAGE_POOL_2D MAX_POOL_2D", Limit(_16, rank=(4, 4), check=_pool)),
    ("BATCH_MATMUL", Limit(_16, rank=(0, 5))),
    ("BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND", Limit(_8, rank=(3, 4))),
    ("BROADCAST_TO", Limit(rank=(0, 5), constants=(1,))),
    ("CAST", Limit(_16 + " int32 uint32 bool", makes=_16 + " int32 bool")),
    ("CEIL COS EXP FLOOR FLOOR_DIV FLOOR_MOD LOG NEG ROUND SIN SQRT SQUARE", Limit(_F)),
    ("CONCATENATION", Limit(_16 + " int32 int64 bool", inputs=10, same="int8")),
    ("CONV_2D DEPTHWISE_CONV_2D", Limit(_16, rank=(4, 4), check=_weights)),
    ("DEPTH_TO_SPACE SPACE_TO_DEPTH", Limit(_8, rank=(4, 4))),
    ("DEQUANTIZE", Limit("int8 int16 uint8", makes=_F)),
    ("DIV", Limit(_8 + " int32")),
    ("DYNAMIC_UPDATE_SLICE UNPACK", Limit(_16 + " int32")),
    ("EQUAL NOT_EQUAL", Limit(_8 + " int32 int64 bool", check=_comparison)),
    ("EXPAND_DIMS", Limit(_16, constants=(1,))),
    ("FILL", Limit(_8 + " int32", data=1, constants=(0,))),
    ("FULLY_CONNECTED", Limit(_16, check=_weights)),
    ("GATHER_ND", Limit(_8, check=_gather_nd)),
    ("GREATER", Limit(_16 + " int32 int64", check=_comparison)),
    ("GREATER_EQUAL LESS LESS_EQUAL", Limit(_8 + " int32 int64", check=_comparison)),
    ("HARD_SWISH", Limit(_8, check=_hard_swish)),
    ("L2_NORMALIZATION", Limit(_8, rank=(0, 4))),
    ("L2_POOL_2D", Limit(_F, rank=(4, 4))),
    ("LOGISTIC TANH", Limit(_16, check=_sigmoid)),
    ("LOG_SOFTMAX", Limit(_8, check=_softmax)),
    ("MAXIMUM MINIMUM", Limit(_16 + " int32 int64")),
    ("MEAN SUM", Limit(_16, check=_mean)),
    ("MUL", Limit(_16 + " int32")),
    ("PACK", Limit(_16 + " int32 int64")),
    ("PAD PADV2", Limit(_16 + " int32", rank=(0, 5), constants=(1,))),
    ("PRELU", Limit(_16, check=_prelu)),
    ("QUANTIZE", Limit(_16 + " int32 uint8", makes="int8 int16 int32 uint8")),
    ("REDUCE_MAX REDUCE_MIN", Limit(_8, same="int8")),
    ("RESIZE_BILINEAR", Limit(_8, rank=(4, 4), constants=(1,))),
    ("RESIZE_NEAREST_NEIGHBOR", Limit(_16, rank=(4, 4), constants=(1,))),
    ("SELECT_V2", Limit(_16, data=1)),
    ("SLICE", Limit(_16 + " int32 bool", rank=(0, 5))),
    ("SOFTMAX", Limit(_16, check=_softmax)),
    ("SPLIT", Limit(_16 + " int32", data=1, constants=(0,))),
    ("SPLIT_V", Limit(_16 + " int32", constants=(2,))),
    ("SQUARED_DIFFERENCE", Limit(_16 + " int32", check=_sum)),
    ("STRIDED_SLICE", Limit(_16 + " int32 bool", rank=(0, 4), constants=(1, 2, 3))),
    ("TRANSPOSE", Limit(_16, rank=(0, 5), constants=(1,))),
    ("TRANSPOSE_CONV", Limit(_16, data=2, rank=(4, 4), check=_weights)),
    ("ZEROS_LIKE", Limit(_8 + " int32 int64")),
    ("RESHAPE REVERSE_V2 SQUEEZE", Limit()),  # and, not looked into:
    ("ASSIGN_VARIABLE BROADCAST_ARGS CALL_ONCE EMBEDDING_LOOKUP IF LOGICAL_AND", Limit()),
    ("LOGICAL_NOT LOGICAL_OR READ_VARIABLE REDUCE_ALL SHAPE SVDF", Limit()),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM VAR_HANDLE WHILE", Limit()),
)

LIMITS: Mapping[str, Limit] = MappingProxyType(
    {kind: limit for kinds, limit in _ROWS for kind in kinds.split()}
)
"""LiteRT's kind of operator -> what TFLM's kernel takes; one that is not here has no kernel."""
