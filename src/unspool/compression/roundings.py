"""How an int8 file rounds: its tensors, by the traced operators that compute them, and kernels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unspool.errors import UnspoolError
from unspool.quantization.multipliers import KERNEL_BITS
from unspool.support._tensorflow import tf
from unspool.tflite import flatbuffer

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


_PRODUCTS = {"MatMul": None, "Conv2D": -1, "DepthwiseConv2dNative": -2}
"""TensorFlow's operators with a kernel -> its axis of channels, which have a scale each."""

_MOVES = ("Reshape", "Transpose", "ExpandDims", "Squeeze", "Identity")


def kernels(traced: Any) -> dict[int, int | None]:
    """Position of a weight that is a kernel -> its axis of channels."""
    positions = {tensor.name: number for number, tensor in enumerate(traced.inputs)}
    axes = {}
    for op in traced.graph.get_operations():
        if op.type in _PRODUCTS:
            tensor = op.inputs[1]
            while tensor.op.type in _MOVES:
                tensor = tensor.op.inputs[0]
            if tensor.name in positions:
                axes[positions[tensor.name]] = _PRODUCTS[op.type]
    return axes


def rounded_kernel(kernel: Any, channels: int | None) -> Any:
    """A kernel rounded to int8, with `multipliers.rounded_up` of its largest weight over 127."""
    free = tf.stop_gradient(tf.cast(kernel, tf.float64))
    kept = (
        None
        if channels is None
        else [a for a in range(len(kernel.shape)) if a != channels % len(kernel.shape)]
    )
    scale = tf.maximum(tf.reduce_max(tf.abs(free), axis=kept, keepdims=True), 1e-9) / 127
    unit = 2.0 ** (
        tf.floor(tf.math.log(scale) / tf.math.log(tf.cast(2.0, tf.float64))) + 1 - KERNEL_BITS
    )
    scale = tf.math.ceil(scale / unit) * unit
    rounded = tf.cast(tf.round(free / scale) * scale, tf.float32)
    return kernel + tf.stop_gradient(rounded - kernel)


def roundings(traced: Any, int8: flatbuffer.Model) -> dict[str, Rounding]:
    """Operator of the traced graph -> how the int8 file rounds what it computes."""
    graph = int8.subgraphs[0]
    order = {op.name: number for number, op in enumerate(traced.graph.get_operations())}
    count = len(graph.inputs)
    found = {
        tensor.op.name: _rounding(graph.tensors[index])
        for tensor, index in zip(traced.inputs[-count:], graph.inputs, strict=True)
    }
    outputs = dict(zip(graph.outputs, (t.op.inputs[0].op for t in traced.outputs), strict=True))
    rescaled = {  # parts of different scales, put together: rounded once they are
        int(op.outputs[0])
        for op in graph.operators
        if flatbuffer.operator_kind(int8, op) == "QUANTIZE"
    }
    # Of a curve (`quantization/curves.py`) the traced graph has nothing but what comes out last.
    within = {n for n, t in enumerate(graph.tensors) if t.name.endswith((b"/knots", b"/sum"))}
    for op in graph.operators:
        index = op.outputs[0]
        kind = flatbuffer.operator_kind(int8, op)
        moves = kind in _SAME and not (rescaled | within) & {*map(int, op.inputs)}
        if kind == "QUANTIZE" or index in within or moves:
            continue
        tensor = graph.tensors[index]
        source = outputs.get(index) or _source(tensor.name.decode(), traced.graph, order)
        found[source.name] = _rounding(tensor)
    return found


def _source(name: str, graph: Any, order: Mapping[str, int]) -> Any:
    """The traced operator that computes a tensor of the .tflite file.

    The file's names are the operators', several of fused ones with `;` between them, and some with
    a number added at the end.
    """
    candidates = []
    for part in name.split(";"):
        while part not in order and part[-1:].isdigit():
            part = part[:-1]
        if part in order:
            candidates.append(part)
    if not candidates:
        raise UnspoolError(f"quantization-aware fine-tuning finds no operator for tensor {name!r}")
    op = graph.get_operation_by_name(max(candidates, key=order.__getitem__))
    consumers = op.outputs[0].consumers()
    if op.type in _PRODUCTS and [c.type for c in consumers] == ["BiasAdd"]:
        return consumers[0]  # fused, though its name was left out
    return op


def _rounding(tensor: Any) -> Rounding:
    scale, zero = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
    return Rounding(float(scale), int(zero))
