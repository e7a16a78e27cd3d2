"""How large what parts hand on is."""

import math
from collections.abc import Sequence

from unspool.compilation.in_parts import CompiledPart, Ends
from unspool.tflite.signature import Signature


def handed_on(
    parts: Sequence[CompiledPart], quantized: Sequence[bytes], ends: Ends
) -> dict[str, int]:
    """Bytes of each value that a part hands on to a later one, and is no output of the network.

    Args:
        parts: in the order in which they run.
        quantized: the quantized file of each.
        ends: what the network takes and gives.
    """
    read = {port.value for part in parts for port in part.inputs} - set(ends.outputs)
    sizes = {}
    for part, tflite in zip(parts, quantized, strict=True):
        for port, tensor in zip(part.outputs, Signature(tflite).outputs, strict=True):
            if port.value in read:
                calls = part.compiled.calls if port.is_sequence else 1
                sizes[port.value] = math.prod(tensor.shape) * tensor.dtype.itemsize * calls
    return sizes
