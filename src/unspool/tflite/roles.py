"""What each tensor of a network is, whatever the step: the tensors that share one range."""

from collections.abc import Mapping
from typing import Any

from unspool.tflite import ends, flatbuffer
from unspool.tflite.marks import Marks, read
from unspool.tflite.state_pairs import state_pairs


def roles(model: flatbuffer.Model) -> dict[str, str]:
    """Tensor name -> role: what a tensor is, whatever the step.

    `gru/step_007/h` has the role `gru/step/h`. An output of the graph has the signature's name in
    place of its step's; its role is that of a tensor that the same kind of operator computes from
    tensors of the same roles in another step.
    """
    graph, marks = model.subgraphs[0], read(model)
    steps = marks.steps
    names = [tensor.name.decode() for tensor in graph.tensors]
    role_of = {name: steps.role(name) for name in names}
    for op in graph.operators:  # parts of one tensor: each step has its own
        if flatbuffer.operator_kind(model, op) in ("SPLIT", "UNPACK"):
            role_of |= dict.fromkeys((names[i] for i in op.outputs), role_of[names[op.outputs[0]]])

    def recipe(op: Any) -> tuple[str, ...]:
        kind = flatbuffer.operator_kind(model, op)
        return (kind, *(role_of[names[index]] for index in op.inputs if index >= 0))

    known = {
        recipe(op): role_of[names[op.outputs[0]]]
        for op in graph.operators
        if len(op.outputs) == 1 and steps.find(names[op.outputs[0]])
    }
    for op in graph.operators:
        if op.outputs[0] in graph.outputs and recipe(op) in known:
            role_of[names[op.outputs[0]]] = known[recipe(op)]
    for op in graph.operators:  # the steps' outputs one after the other: what each of them is
        if flatbuffer.operator_kind(model, op) in ("CONCATENATION", "PACK"):
            parts = {role_of[names[index]] for index in op.inputs}
            if len(parts) == 1:
                role_of[names[op.outputs[0]]] = parts.pop()
    return role_of | _tied_states(model, marks, role_of)


def _tied_states(
    model: flatbuffer.Model, marks: Marks, role_of: Mapping[str, str]
) -> dict[str, str]:
    """Name of a state's input tensor -> role of its output: it goes in as it comes out."""
    graph = model.subgraphs[0]
    inputs, outputs = ends.inputs_and_outputs(model)
    return {
        graph.tensors[graph.inputs[pair.input]].name.decode(): role_of[
            graph.tensors[graph.outputs[pair.output]].name.decode()
        ]
        for pair in state_pairs(marks.carried, inputs, outputs)
    }
