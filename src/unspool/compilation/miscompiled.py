"""Operators that Vela 5.2 compiles to other than what they compute; what `convert` writes has none.

Found by the simulator beside TFLM: tests/npu/test_miscompiled.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.compilation.targets import Target
from unspool.tflite import flatbuffer
from unspool.tflite.rewriting import packs_columns


@dataclass(frozen=True)
class _Wrong:
    """When an operator is compiled wrongly, and what is told of it."""

    happens: Callable[[flatbuffer.Model, Any], bool]
    text: str


_ON_NPU = (schema.TensorType.INT8, schema.TensorType.INT16)


def miscompiled(tflite: bytes, target: Target) -> tuple[str, ...]:
    """What is wrong with the binary of a .tflite file, a line for each such operator.

    Args:
        tflite: what Vela compiles.
        target: what for; for Ethos-U85, Vela has another compiler.
    """
    if target.family == "ethos-u85":
        return ()
    network = flatbuffer.look(tflite)
    graph = network.subgraphs[0]
    problems = []
    for op in graph.operators:
        kind = flatbuffer.operator_kind(network, op)
        wrong = _WRONG.get(kind)
        if wrong is None:
            continue
        output = graph.tensors[op.outputs[0]]
        if output.type in _ON_NPU and wrong.happens(network, op):
            name = output.name.decode(errors="replace")
            problems.append(f"operator {kind} {name!r} {wrong.text}")
    return tuple(problems)


def _axes(network: flatbuffer.Model, op: Any) -> list[int]:
    """The axes of a reduction, counted from the front."""
    rank = len(network.subgraphs[0].tensors[op.inputs[0]].shape)
    axes = np.frombuffer(flatbuffer.constant_bytes(network, op.inputs[1]), np.int32)
    return [int(axis) % rank for axis in axes]


def _sums_several(network: flatbuffer.Model, op: Any) -> bool:
    return len(_axes(network, op)) > 1


def _drops_the_last(network: flatbuffer.Model, op: Any) -> bool:
    rank = len(network.subgraphs[0].tensors[op.inputs[0]].shape)
    return not op.builtinOptions.keepDims and rank - 1 in _axes(network, op)


_WRONG = {
    "PACK": _Wrong(
        packs_columns,
        "stacks along the last axis, which Vela 5.2 compiles so that it writes beyond its memory; "
        "stack along another one, or concatenate",
    ),
    "MIRROR_PAD": _Wrong(
        lambda *_: True,
        "may give other values in front of a convolution, as Vela 5.2 compiles it; simulate the "
        "file, or concatenate what it adds",
    ),
    "SUM": _Wrong(
        _sums_several,
        "goes over several axes, of which Vela 5.2 sums the first alone; sum them one by one",
    ),
    **dict.fromkeys(
        ("REDUCE_MAX", "REDUCE_MIN"),
        _Wrong(
            _drops_the_last,
            "goes over the last axis without keeping it, which Vela 5.2 compiles wrongly; keep the "
            "axis (keepdims), or pool",
        ),
    ),
}
"""Kind of an operator -> when it is compiled wrongly, and what is told of it."""
