"""Why operators stay on the CPU of which Vela says no more than that."""

from dataclasses import replace

from unspool.compilation.compiled import Compiled, Operator
from unspool.tflite import flatbuffer

_TOO_LARGE = 2.0**32
"""Vela has a scale as an integer of 31 bits that is shifted right. Of those that would be shifted
left it prints "Quantization scale of any tensor must be positive", without the operator."""


def explained(compiled: Compiled, tflite: bytes) -> Compiled:
    """The same, with a reason for operators whose tensors have a scale that Vela cannot write.

    Args:
        compiled: what Vela made.
        tflite: what it compiled.
    """
    if all(op.reason for op in compiled.cpu_operators):
        return compiled
    reasons = _reasons(tflite)

    def told(op: Operator) -> Operator:
        return op if op.on_npu or op.reason else replace(op, reason=reasons.get(op.name, ""))

    return replace(
        compiled,
        operators=tuple(map(told, compiled.operators)),
        cpu_operators=tuple(map(told, compiled.cpu_operators)),
    )


def _reasons(tflite: bytes) -> dict[str, str]:
    """Name of the written tensor -> the reason."""
    graph = flatbuffer.look(tflite).subgraphs[0]
    reasons: dict[str, str] = {}
    for op in graph.operators:
        for index in (*op.inputs, *op.outputs):
            tensor = graph.tensors[index]
            scales = tensor.quantization.scale if tensor.quantization else None
            if index >= 0 and scales is not None and max(scales) >= _TOO_LARGE:
                reasons[graph.tensors[op.outputs[0]].name.decode()] = (
                    f"Vela takes no scale of 2^32 or more; {tensor.name.decode()!r} has "
                    f"{max(scales):.1e}: its values are too large, scale down what it is made of"
                )
    return reasons
