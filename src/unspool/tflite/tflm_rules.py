"""Limits of TFLM's kernels beyond types: of scales, of sizes, of what fits together.

A rule takes an operator and returns what is wrong with it and what to do, or nothing.
"""

import math
from dataclasses import dataclass
from typing import Any


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
        inputs: what it reads; None for an omitted one.
        outputs: what it writes.
        options: of LiteRT's schema, such as a `SoftmaxOptionsT`.
    """

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any

    @property
    def operands(self) -> list[Tensor]:
        """The inputs that are not omitted."""
        return [tensor for tensor in self.inputs if tensor is not None]


def no_rule(operator: Operator) -> str:
    """Nothing further is wrong."""
    return ""


def sums(op: Operator) -> str:
    """Inputs are scaled to the largest, and a sum back, by a factor that must be below 1."""
    type_ = op.outputs[0].type
    if type_ not in ("int8", "int16"):
        return ""
    scales, out = [tensor.scale for tensor in op.operands], op.outputs[0].scale
    if min(out, *scales) <= 0:
        return "stops the process at a scale of 0; calibrate with samples in which it is not 0"
    most = 2.0**19 if type_ == "int8" else 2.0**14
    if op.kind == "SQUARED_DIFFERENCE" or max(scales) / out < most:
        return ""
    return (
        f"stops the process where an input's scale is {most:,.0f} times the output's or more; "
        f"this is {max(scales) / out:,.0f} times: inputs that large cancel out, scale them down"
    )


def comparisons(op: Operator) -> str:
    """Scales are factors that must be below 1."""
    wrong = [t for t in op.operands if t.type == "int8" and not 0 < t.scale < 1]
    if not wrong:
        return ""
    return (
        f"stops the process at a scale of 1 or more; {wrong[0].name!r} has {wrong[0].scale:g}: "
        "scale its values down"
    )


def pools(op: Operator) -> str:
    """The values that are picked or averaged are not rescaled."""
    (data, *_), out = op.operands, op.outputs[0]
    if abs(data.scale - out.scale) <= 1e-6 and data.quantization[1] == out.quantization[1]:
        return ""
    return f"takes one scale for {data.name!r} and its output; tie their scales"


def softmaxes(op: Operator) -> str:
    """Sums of more than 511 exponentials have no reciprocal in the kernel's fixed point."""
    (data, *_) = op.operands
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


def sigmoids(op: Operator) -> str:
    """The input is multiplied in 32 bits, which overflows; or shifted by less than no bits."""
    (data, *_) = op.operands
    if data.type == "int8" and data.scale < 2.0**-27:
        return (
            f"gives the ends of its range at an input scale below 2^-27; it is {data.scale:.1e}: "
            "scale its input up"
        )
    most = {"int8": 8.0, "int16": 16 / 3}.get(data.type, math.inf)
    if data.scale < most:
        return ""
    return (
        f"gives wrong values at an input scale of {most:.4g} or more in {data.type}; it is "
        f"{data.scale:.4g}: bound its input (a cell's gates by sigmoid, not relu), or use int16 "
        "(`activations`)"
    )


def hard_swishes(op: Operator) -> str:
    """The output is scaled by a factor that must be below 1."""
    (data, *_), out = op.operands, op.outputs[0]
    if data.type != "int8" or data.scale < 128 * out.scale:
        return ""
    return "takes an input scale below 128 times the output's; scale its input down"


def means(op: Operator) -> str:
    """Values are added in 32 bits."""
    (data, *_), out = op.operands, op.outputs[0]
    most = {"int8": 2**24, "int16": 2**16}.get(data.type)
    count = math.prod(data.shape) // max(math.prod(out.shape), 1)
    if most is None or count <= most:
        return ""
    return (
        f"overflows with more than {most:,} values of {data.type}; it adds {count:,}: "
        "take the mean of means, one axis after the other"
    )


def prelus(op: Operator) -> str:
    """Slopes are int8 whatever the data; in float, shapes are broadcast in 4 dimensions."""
    data, slopes = op.operands
    wanted = "float32" if data.type == "float32" else "int8"
    if slopes.type != wanted:
        return f"takes slopes in {wanted}, not {slopes.type}; quantize it to int8"
    if data.type == "float32" and len(data.shape) > 4:
        return f"stops the process with more than 4 dimensions in float32, not {len(data.shape)}"
    return ""


def gathers(op: Operator) -> str:
    """GATHER_ND has room for indices of five dimensions."""
    depth = op.operands[1].shape[-1]
    return "" if depth <= 5 else f"takes indices of up to 5 dimensions, not {depth}; reshape it"


def weights(op: Operator) -> str:
    """Weights must have a type that goes with the data's; a bias must not be omitted."""
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
