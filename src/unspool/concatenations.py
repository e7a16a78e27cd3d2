"""Concatenations of many tensors as trees of small ones: TFLM's kernel takes ten inputs."""

from copy import copy
from typing import Any

from unspool import flatbuffer

TFLM_INPUTS = 10
"""`kMaxInputNum` in tflite-micro's `kernels/concatenation.cc`."""


def narrow(model: flatbuffer.Model) -> None:
    """Give no CONCATENATION of a float model more than ten inputs; the values stay the same.

    What is put together in between is called `<output>/part_0` and so on.
    """
    graph = model.subgraphs[0]
    operators = []
    for op in graph.operators:
        if flatbuffer.operator_kind(model, op) == "CONCATENATION":
            operators += _parts(graph, op)
        operators.append(op)
    graph.operators = operators


def _parts(graph: Any, op: Any) -> list[Any]:
    """Operators that put inputs of `op` together, ten at a time, until it has ten at most."""
    made: list[Any] = []
    while len(op.inputs) > TFLM_INPUTS:
        groups = [op.inputs[i : i + TFLM_INPUTS] for i in range(0, len(op.inputs), TFLM_INPUTS)]
        op.inputs = [
            _part(graph, op, group, made) if len(group) > 1 else group[0] for group in groups
        ]
    return made


def _part(
    graph: Any,
    op: Any,
    group: list[int],
    made: list[Any],
) -> int:
    """Add an operator that puts a group together to `made`; returns its tensor's index."""
    whole = graph.tensors[op.outputs[0]]
    axis = op.builtinOptions.axis % len(whole.shape)
    tensor, part = copy(whole), copy(op)
    tensor.shape = list(whole.shape)
    tensor.shapeSignature = None
    tensor.shape[axis] = sum(int(graph.tensors[index].shape[axis]) for index in group)
    tensor.name = whole.name + f"/part_{len(made)}".encode()
    graph.tensors.append(tensor)
    part.inputs, part.outputs = list(group), [len(graph.tensors) - 1]
    made.append(part)
    return len(graph.tensors) - 1
