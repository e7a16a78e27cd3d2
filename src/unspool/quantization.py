"""Ranges -> int8 .tflite, through litert-quantizer."""

from collections.abc import Mapping

import numpy as np
from litert_quantizer import qtyping, quantizer, recipe_manager

from unspool import flatbuffer
from unspool.calibration import Range
from unspool.errors import UnspoolError
from unspool.quiet import quiet

_Operation = qtyping.TFLOperationName
_GRANULARITIES = (
    (_Operation.ALL_SUPPORTED, qtyping.QuantGranularity.TENSORWISE),
    (_Operation.CONV_2D, qtyping.QuantGranularity.CHANNELWISE),
    (_Operation.DEPTHWISE_CONV_2D, qtyping.QuantGranularity.CHANNELWISE),
)


def quantize(float_tflite: bytes, ranges: Mapping[str, Range]) -> bytes:
    """Quantize weights and activations, inputs and outputs included, to int8.

    Dense and recurrent kernels get one scale per tensor: with one scale per channel the weights
    spread over more int8 values, and Vela's compressed weight stream grows by a tenth at the same
    accuracy (docs/decisions.md). Convolutions keep one scale per output channel.

    Args:
        float_tflite: as `convert` returns it.
        ranges: a range for every activation tensor, as in `Calibration.ranges`.

    Returns:
        the bytes of an int8 .tflite file that LiteRT and TFLM read.

    Raises:
        UnspoolError: an operator has no int8 form; the message names it.
    """
    recipe = recipe_manager.RecipeManager()
    for operation, granularity in _GRANULARITIES:
        recipe.add_static_config(
            regex=".*",
            operation_name=operation,
            activation_num_bits=8,
            weight_num_bits=8,
            weight_granularity=granularity,
        )
    statistics = {
        name: {"min": np.array(r.minimum, np.float32), "max": np.array(r.maximum, np.float32)}
        for name, r in ranges.items()
    }
    with quiet():  # a progress bar that its own switch does not turn off
        result = quantizer.Quantizer(
            bytearray(float_tflite), recipe.get_quantization_recipe()
        ).quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    model = flatbuffer.read(bytes(result.quantized_model))
    left = flatbuffer.float_operators(model)
    if left:
        kind, name = next((op for op in left if op[0] != "DEQUANTIZE"), left[0])
        raise UnspoolError(
            f"{len(left)} operators have no int8 form and would run in float on the CPU; "
            f"the first is {kind} at {name!r}"
        )
    return flatbuffer.write(model)
