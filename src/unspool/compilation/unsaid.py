"""Why operators stay on the CPU of which Vela says no more than that."""

from unspool.tflite import flatbuffer

_TOO_LARGE = 2.0**32
"""Vela has a scale as an integer of 31 bits that is shifted right. Of those that would be shifted
left it prints "Quantization scale of any tensor must be positive", without the operator."""


def too_large(network: flatbuffer.Model, position: tuple[int, int]) -> str:
    """The reason where a tensor of an operator has a scale that Vela cannot write, or "".

    Args:
        network: what Vela compiled.
        position: of the operator: the number of its graph, and its own there.
    """
    graph = network.subgraphs[position[0]]
    op = graph.operators[position[1]]
    for tensor in (graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0):
        scales = tensor.quantization.scale if tensor.quantization else None
        if scales is not None and len(scales) and max(scales) >= _TOO_LARGE:
            return (
                f"Vela takes no scale of 2^32 or more; {tensor.name.decode()!r} has "
                f"{max(scales):.1e}: its values are too large, scale down what it is made of"
            )
    return ""
