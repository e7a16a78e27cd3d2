"""Scales of the steps that were copied: each step's tensors have ranges of their own."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from litert_quantizer import qtyping
from litert_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor

from unspool.quantization.kernels import Statistics
from unspool.quantization.ties import WEIGHTED
from unspool.tflite import flatbuffer
from unspool.tflite.gaps import Irregular


def rescale(
    model: flatbuffer.Model, copies: Mapping[str, str], statistics: Statistics, bits: int
) -> None:
    """Give copied tensors the scales and zero points of their own ranges.

    Args:
        model: a quantized model; is changed.
        copies: tensor -> the one that it is a copy of.
        statistics: the ranges that the model was quantized with.
        bits: of an activation, 8 or 16.

    Raises:
        Irregular: a scale is not that of its range, or a bias was stored for another one.
    """
    graph = model.subgraphs[0]
    rescaled = set()
    for index, tensor in enumerate(graph.tensors):
        like = copies.get(tensor.name.decode(), "")
        own, others = (statistics.get(name) for name in (tensor.name.decode(), like))
        if own is None or others is None or own == others:
            continue
        if _parameters(tensor) != _of_range(others, bits):
            raise Irregular
        tensor.quantization = copy(tensor.quantization)
        scale, zero = _of_range(own, bits)
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
        rescaled.add(index)
    for op in graph.operators:
        if flatbuffer.operator_kind(model, op) in WEIGHTED and op.inputs[0] in rescaled:
            raise Irregular


def _parameters(tensor: Any) -> tuple[float, int]:
    (scale,), (zero,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    return float(scale), int(zero)


def _of_range(range_: Mapping[str, np.ndarray], bits: int) -> tuple[float, int]:
    """The scale, as float32, and the zero point that litert-quantizer gives a range."""
    zero, scale = uniform_quantize_tensor.tensor_zp_scale_from_min_max(
        range_["min"],
        range_["max"],
        bits,
        bits == 16,
        qtyping.QuantGranularity.TENSORWISE,
    )
    return float(np.float32(scale)), int(zero)
