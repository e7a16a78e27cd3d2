"""First states that a model gives to a recurrent layer itself, by `initial_state`."""

from typing import Any

from unspool.frontend import graph
from unspool.support._tensorflow import keras
from unspool.unrolling.leading import Scaled, leading


def given_states(node: Any) -> list[Any]:
    """The tensors that a call of a recurrent layer has as `initial_state`; none without."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    states = (*args[1:2], kwargs.get("initial_state"))
    return [tensor for tensor in keras.tree.flatten(states) if tensor is not None]


def begun_by_inputs(model: Any) -> set[int]:
    """Calls of recurrent layers, by id, whose first states are inputs that nothing else reads.

    They may be scaled, which is done where they are quantized. Of such an input, the first of
    several calls takes what the model is given, and each later one what the call before it has
    left: in the same bytes of memory.

    Args:
        model: a built Sequential or Functional model.
    """
    whole = graph.functional(model)
    inputs, outputs = set(map(id, whole.inputs)), set(map(id, whole.outputs))
    for lead in filter(None, leading(whole)):
        inputs |= {id(call.outputs[0]) for call in graph.calls(whole, lead.layers[-1])}
    calls = set()
    for node in graph.nodes(whole):
        states = given_states(node) if isinstance(node.operation, keras.layers.RNN) else []
        if states and all(
            id(state) in inputs - outputs
            and graph.readers(whole, state) == [node]
            and sum(read is state for read in node.input_tensors) == 1
            for state in states
        ):
            calls.add(id(node))
    return calls


def input_of(tensor: Any) -> Any:
    """The input of a deploy model that a tensor is, scaled or as it is."""
    is_scaled = isinstance(tensor._keras_history.operation, Scaled)
    return graph.maker(tensor).input_tensors[0] if is_scaled else tensor
