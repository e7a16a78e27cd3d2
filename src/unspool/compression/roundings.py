"""How an int8 file rounds: its tensors, by the traced operators that compute them, and kernels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unspool.errors import UnspoolError
from unspool.quantization.multipliers import KERNEL_BITS
from unspool.support._tensorflow import tf
from unspool.tflite import flatbuffer, names
from unspool.unrolling.traced import MOVES, PRODUCTS, traced_operator, unmoved

_SAME = ("SLICE", "SPLIT", "RESHAPE", "TRANSPOSE", "PACK", "CONCATENATION", "GATHER")
"""Operators that move values, whose rounding is their inputs'."""


@dataclass(frozen=True)
class Rounding:
    """The rounding of an int8 tensor: `value = scale * (level - zero)`."""

    scale: float
    zero: int

    def __call__(self, x: Any) -> Any:
        """Round a float tensor to what int8 can hold."""
        lowest, highest = ((level - self.zero) * self.scale for level in (-128, 127))
        clipped = tf.clip_by_value(x, lowest, highest)
        return clipped + tf.stop_gradient(tf.round(clipped / self.scale) * self.scale - clipped)


def kernels(traced: Any) -> dict[int, int | None]:
    """Position of a weight that is a kernel -> its axis of channels."""
    positions = {tensor.name: number for number, tensor in enumerate(traced.inputs)}
    axes = {}
    for op in traced.graph.get_operations():
        if op.type in PRODUCTS:
            tensor = op.inputs[1]
            while tensor.op.type in MOVES:
                tensor = tensor.op.inputs[0]
            if tensor.name in positions:
                axes[positions[tensor.name]] = PRODUCTS[op.type]
    return axes


def rounded_kernel(kernel: Any, channels: int | None) -> Any:
    """A kernel rounded to int8, with `multipliers.rounded_up` of its largest weight over 127."""
    free = tf.stop_gradient(tf.cast(kernel, tf.float64))
    axes = (
        None
        if channels is None
        else [a for a in range(len(kernel.shape)) if a != channels % len(kernel.shape)]
    )
    scale = tf.maximum(tf.reduce_max(tf.abs(free), axis=axes, keepdims=True), 1e-9) / 127
    unit = 2.0 ** (
        tf.floor(tf.math.log(scale) / tf.math.log(tf.cast(2.0, tf.float64))) + 1 - KERNEL_BITS
    )
    scale = tf.math.ceil(scale / unit) * unit
    rounded = tf.cast(tf.round(free / scale) * scale, tf.float32)
    return kernel + tf.stop_gradient(rounded - kernel)


@dataclass(frozen=True)
class Rounded:
    """How an int8 file rounds what the operators of a traced graph compute.

    Attributes:
        results: operator -> the rounding of what it computes.
        within: operator that the file has two for -> the rounding of what the first of them does:
            the mean that becomes a sum, or the difference that is squared.
    """

    results: Mapping[str, Rounding]
    within: Mapping[str, Rounding]


def rounded(traced: Any, int8: flatbuffer.Model) -> Rounded:
    """Find the traced operator of each tensor that an int8 file rounds.

    Raises:
        UnspoolError: a tensor has none.
    """
    graph = int8.subgraphs[0]
    order = {op.name: number for number, op in enumerate(traced.graph.get_operations())}
    outputs = dict(zip(graph.outputs, (t.op.inputs[0].op for t in traced.outputs), strict=True))

    def source(index: int) -> Any:
        name = graph.tensors[index].name.decode()
        operator = outputs.get(index) or traced_operator(name, traced.graph, order)
        if operator is None:
            raise _unknown(name)
        return operator

    count = len(graph.inputs)
    results = {
        tensor.op.name: _rounding(graph.tensors[index])
        for tensor, index in zip(traced.inputs[-count:], graph.inputs, strict=True)
        if _is_quantized(graph.tensors[index])
    }
    within, firsts = {}, _firsts(int8)
    for index in _computed(int8):
        rounding, op = _rounding(graph.tensors[index]), source(firsts.get(index, index))
        if index not in firsts:
            results[op.name] = rounding
        elif unmoved(op).type == "Square":  # the traced graph has both
            results[unmoved(op).inputs[0].op.name] = rounding
        elif unmoved(op).type in ("Sum", "SquaredDifference"):
            within[unmoved(op).name] = rounding
        else:
            raise _unknown(graph.tensors[index].name.decode())
    return Rounded(results, within)


def _computed(int8: flatbuffer.Model) -> list[int]:
    """The tensors of a file that hold what one traced operator computes, rounded.

    What only moves rounded values is left out, and what the file leaves in float.
    """
    graph = int8.subgraphs[0]
    outputs = {int(index) for op in graph.operators for index in op.outputs}
    # Among what is moved, a constant; or parts of different scales, which are rounded once they
    # are put together, as a curve is (`quantization/curves.py`): the traced graph has nothing but
    # what comes out last.
    unrounded = set(range(len(graph.tensors))) - outputs - set(map(int, graph.inputs))
    computed = []
    for op in graph.operators:
        kind = flatbuffer.operator_kind(int8, op)
        for index in map(int, op.outputs[:1]):
            tensor = graph.tensors[index]
            read = {int(i) for i in op.inputs if i >= 0 and _is_quantized(graph.tensors[i])}
            if kind == "QUANTIZE" or _is_inside(kind, tensor.name.decode()):
                unrounded.add(index)
            elif _is_quantized(tensor) and not (kind in _SAME and unrounded.isdisjoint(read)):
                computed.append(index)
    return computed


def _is_inside(kind: str, name: str) -> bool:
    """Whether the traced graph computes no such tensor: within a curve, or a part of a whole."""
    ends = {"RESHAPE": ("/values",), "CONV_2D": ("/knots", "/sum")}.get(kind, ())
    return name.endswith(ends) or (kind == "CONCATENATION" and names.is_part(name))


def _firsts(int8: flatbuffer.Model) -> dict[int, int]:
    """What the first of two operators that stand for one computes -> what the second does."""
    graph = int8.subgraphs[0]
    pairs = [
        (int(op.inputs[0]), int(op.outputs[0]))
        for op in graph.operators
        if flatbuffer.operator_kind(int8, op) == "MUL"
    ]
    ends = [end.encode() for end in (names.MEAN, names.DIFFERENCE)]
    return {
        first: second
        for first, second in pairs
        if graph.tensors[first].name in [graph.tensors[second].name + end for end in ends]
    }


def _unknown(name: str) -> UnspoolError:
    return UnspoolError(f"quantization-aware fine-tuning finds no operator for tensor {name!r}")


def _rounding(tensor: Any) -> Rounding:
    scale, zero = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
    return Rounding(float(scale), int(zero))


def _is_quantized(tensor: Any) -> bool:
    """Whether it has a scale: what holds ids or is left in float has none."""
    quantization = tensor.quantization
    return quantization is not None and quantization.scale is not None
