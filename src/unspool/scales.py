"""Scales whose products are exact in float32, so that Vela and TFLM derive the same multipliers.

A fully-connected operator scales its sums by `s_in * s_weight / s_out`, a multiplication by
`s_a * s_b / s_out`. TFLM computes these in float64; Vela rounds the product, and for a
multiplication the quotient too, to float32. The multipliers then differ in their last bits, and
with them one output byte in a million. Here every scale has 12 significant bits, so that products
fit float32's 24, and a multiplication's output scale is a power of two times the product of its
inputs', so that the quotient is exact. What it costs is a range wider by at most 2^-11, and for
products one that is up to 1.7 times as wide or narrower by up to a sixth. Types other than int8 do
not need or do not fit it.
"""

import math
from collections.abc import Mapping

import numpy as np

from unspool import flatbuffer
from unspool.ranges import Range

BITS = 12
_LEVELS = 255
_CLIPPED = 5 / 6  # of a product's range: rather its outermost values than half of its levels
_SAME = ("SLICE", "SPLIT", "STRIDED_SLICE", "RESHAPE", "TRANSPOSE", "MAX_POOL_2D", "GATHER")
_CHANNELWISE = ("CONV_2D", "DEPTHWISE_CONV_2D")  # axis of their output channels: 0, 3

Statistics = dict[str, dict[str, np.ndarray]]
"""litert-quantizer's: tensor name -> {"min", "max"}."""


def rounded_up(scale: float) -> float:
    """The next scale of 12 significant bits: exact in float32, as is its product with another."""
    fraction, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(fraction * (1 << BITS)) / (1 << BITS), exponent)


def exact(
    model: flatbuffer.Model, ranges: Mapping[str, Range], roles: Mapping[str, str]
) -> Statistics:
    """Ranges of activations and constants that give int8 exact scales.

    Args:
        model: the float model.
        ranges: tensor name -> chosen range; one per role.
        roles: tensor name -> role.

    Returns:
        litert-quantizer's statistics for every activation, and for the weights of dense and
        convolution operators and the constant factors of multiplications.
    """
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    scales = {
        roles[name]: rounded_up((range_.maximum - range_.minimum) / _LEVELS)
        for name, range_ in ranges.items()
    }
    constants = _multiplied(model, names, ranges, roles, scales)
    statistics = {name: _statistics(range_, scales[roles[name]]) for name, range_ in ranges.items()}
    return {**statistics, **constants, **_weights(model, names)}


def _multiplied(
    model: flatbuffer.Model,
    names: list[str],
    ranges: Mapping[str, Range],
    roles: Mapping[str, str],
    scales: dict[str, float],
) -> Statistics:
    """Pass scales on, and make those of products exact, in `scales`; returns constants' ranges."""
    constants: Statistics = {}
    multiplications = _multiplications(model, names)
    between_activations = {
        roles[output] for inputs, output in multiplications if all(n in ranges for n in inputs)
    }
    products: set[str] = set()
    for op in model.subgraphs[0].operators:
        kind = flatbuffer.operator_kind(model, op)
        inputs = [names[index] for index in op.inputs if index >= 0]
        outputs = [names[index] for index in op.outputs]
        if kind in _SAME and inputs[0] in ranges:
            scales |= {roles[name]: scales[roles[inputs[0]]] for name in outputs}
        elif kind == "MUL" and roles[outputs[0]] not in products:
            role = roles[outputs[0]]
            given = [name for name in inputs if name in ranges]
            if len(given) < len(inputs) and role in between_activations:
                continue  # a first step, whose constant follows the other steps, below
            for index, name in zip(op.inputs, inputs, strict=True):
                if name not in ranges:  # a power of two, so that the product keeps 12 bits
                    constants[name] = _constant(_values(model, index), 1.0)
            product = math.prod(scales[roles[name]] for name in given)
            scales[role] = _power_of_two_times(product, _CLIPPED * scales[role])
            products.add(role)
    for op in model.subgraphs[0].operators:
        if flatbuffer.operator_kind(model, op) != "MUL":
            continue
        inputs = [names[index] for index in op.inputs]
        out = scales[roles[names[op.outputs[0]]]]
        for index, name in zip(op.inputs, inputs, strict=True):
            others = [scales[roles[other]] for other in inputs if other in ranges]
            if name not in ranges and name not in constants and others:
                constants[name] = _constant(_values(model, index), out / others[0])
    return constants


def _power_of_two_times(unit: float, least: float) -> float:
    """The smallest `unit * 2^k` that is not below `least`."""
    return math.ldexp(unit, math.ceil(math.log2(least / unit)))


def _statistics(range_: Range, scale: float) -> dict[str, np.ndarray]:
    """A range with exactly this scale, and with 0 exactly at a level."""
    zero = min(max(round(-128 - range_.minimum / scale), -128), 127)
    low, high = (-128 - zero) * scale, (127 - zero) * scale
    return {"min": np.array(low, np.float32), "max": np.array(high, np.float32)}


def _multiplications(model: flatbuffer.Model, names: list[str]) -> list[tuple[list[str], str]]:
    """(names of the inputs, name of the output) of every multiplication."""
    return [
        ([names[index] for index in op.inputs], names[op.outputs[0]])
        for op in model.subgraphs[0].operators
        if flatbuffer.operator_kind(model, op) == "MUL"
    ]


def _constant(values: np.ndarray, unit: float) -> dict[str, np.ndarray]:
    """A range for a constant whose scale is `unit` times a power of two."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    least = max((high - low) / _LEVELS, 1e-9)
    chosen = _statistics(Range(low, high), _power_of_two_times(unit, least))
    return {key: value.reshape((1,) * values.ndim) for key, value in chosen.items()}


def _weights(model: flatbuffer.Model, names: list[str]) -> Statistics:
    """Symmetric ranges with exact scales: one per tensor, of convolutions one per channel."""
    found: Statistics = {}
    for op in model.subgraphs[0].operators:
        kind = flatbuffer.operator_kind(model, op)
        if kind != "FULLY_CONNECTED" and kind not in _CHANNELWISE:
            continue
        values = _values(model, op.inputs[1])
        if values.size == 0:
            continue  # a product of two activations
        axes = {"CONV_2D": (1, 2, 3), "DEPTHWISE_CONV_2D": (0, 1, 2)}.get(kind)
        largest = np.maximum(np.abs(values).max(axis=axes, keepdims=True), 1e-9)
        bound = 127 * np.vectorize(rounded_up)(largest / 127)
        bound = bound.astype(np.float32)
        found[names[op.inputs[1]]] = {"min": -bound, "max": bound}
    return found


def _values(model: flatbuffer.Model, index: int) -> np.ndarray:
    """A constant's float values; empty for a tensor that is not constant."""
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return np.empty(0, np.float32)
    return np.frombuffer(bytes(data), np.float32).reshape(tensor.shape)
