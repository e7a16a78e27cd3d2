"""Ranges of quantization-aware training that the quantized file does not have."""

from typing import Any

from unspool.frontend.ranged import ranged
from unspool.quantization.known import taken_over

_LISTED = 5


def lost_ranges(model: Any, float_tflite: bytes, tflite: bytes) -> tuple[str, ...]:
    """Say which ranges of a trained model its quantized file does not have; nothing if it has all.

    Args:
        model: the trained one.
        float_tflite: what `convert` made of it.
        tflite: what `quantize` made of that.
    """
    layers = [layer.name for layer in ranged(model)]
    matches = taken_over(float_tflite, tflite)
    lost = [name for name in layers if name not in matches]
    if not lost:
        return ()
    more = ", ..." * (len(lost) > _LISTED)
    return (
        f"{len(lost)} of the {len(layers)} ranges that the trained model has are not the binary's "
        f"({', '.join(lost[:_LISTED])}{more}): it is not in int8, has no such tensor, or one whose "
        "range is fixed or shared with others",
    )
