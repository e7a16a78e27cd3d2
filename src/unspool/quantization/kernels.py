"""Ranges of kernels: symmetric, one per tensor, or one per channel where the channels are unlike.

A kernel's scale is widened where its bias, stored in units of `s_in * s_kernel`, would not fit.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from unspool.quantization.multipliers import KERNEL_BITS, Floats, rounded_up
from unspool.quantization.ranges import SMALLEST_WIDTH
from unspool.quantization.ties import WEIGHTED, Ties
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Operator

Statistics = dict[str, dict[str, Floats]]
"""litert-quantizer's: tensor name -> {"min", "max"}."""

_BIAS_LIMIT = 2.0**30  # half of int32: the sums of products have the other half

_CHANNELS = {"CONV_2D": (1, 2, 3), "DEPTHWISE_CONV_2D": (0, 1, 2)}
"""Operators with a scale for each output channel -> the axes of a kernel that share one."""

_LAST = ("LOGISTIC", "TANH", "SOFTMAX", "RESHAPE", "RELU", "RELU6")
_UNLIKE = 16.0  # channels of a head, from which on the smallest has fewer than eight levels


def unlike_heads(model: flatbuffer.Model) -> frozenset[str]:
    """Outputs of fully-connected operators whose kernel gets a scale for each channel.

    They are heads of several quantities: the last operators before an output of the graph, with
    channels of such different size that one scale would leave the small ones few levels, or none.
    """
    graph = model.subgraphs[0]
    operators = flatbuffer.graph_operators(model)
    last = {graph.tensors[index].name.decode() for index in graph.outputs}
    readers = flatbuffer.readers(operators)
    unlike = set()
    for op in reversed(operators):
        reading = readers.get(op.outputs[0], [])
        if reading and all(r.kind in _LAST and r.outputs[0] in last for r in reading):
            last.add(op.outputs[0])
        alone = op.kind == "FULLY_CONNECTED" and len(readers[op.inputs[1]]) == 1
        if alone and op.outputs[0] in last:
            kernel = np.abs(flatbuffer.constant(model, op.indices[1]))
            largest = kernel.max(axis=1, initial=0.0) if kernel.size else np.zeros(1)
            some = largest[largest > 0]
            if some.size and np.max(some) > _UNLIKE * np.min(some):
                unlike.add(op.outputs[0])
    return frozenset(unlike)


def ranges(
    model: flatbuffer.Model, operators: Sequence[Operator], ties: Ties, scales: Mapping[str, float]
) -> Statistics:
    """Symmetric ranges: one per tensor, of convolutions and unlike heads one per channel."""
    kernel_scales: dict[str, Floats] = {}
    unlike = unlike_heads(model)
    for op in operators:
        if op.kind not in WEIGHTED:
            continue
        kernel = flatbuffer.constant(model, op.indices[1])
        if not kernel.size:
            continue  # a product of two activations
        name = op.inputs[1]
        axes = (1,) if op.outputs[0] in unlike else _CHANNELS.get(op.kind)
        scale = np.abs(kernel.astype(np.float64)).max(axis=axes, keepdims=True) / 127
        if len(op.indices) > 2 and op.inputs[0] in ties:
            bias = np.abs(flatbuffer.constant(model, op.indices[2]).astype(np.float64))
            least = bias / (scales[ties[op.inputs[0]]] * _BIAS_LIMIT)
            scale = np.maximum(scale, np.max(least) if axes is None else least.reshape(scale.shape))
        # Steps share a kernel, and may share it with other inputs and biases too.
        kernel_scales[name] = np.maximum(scale, kernel_scales.get(name, SMALLEST_WIDTH / 127))
    bounds = {
        name: 127 * np.vectorize(lambda value: rounded_up(value, KERNEL_BITS))(scale)
        for name, scale in kernel_scales.items()
    }
    return {name: {"min": -bound, "max": bound} for name, bound in bounds.items()}
