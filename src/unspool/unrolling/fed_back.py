"""States by hand: an input that a recurrent layer starts from, and the output that it ends with.

Whoever builds a model so feeds the output back as the input of the next call. Both get one scale:
then the bytes are fed back as they are.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import graph, structure
from unspool.support._tensorflow import keras
from unspool.tflite.names import State
from unspool.unrolling.given_states import given_states


def fed_back(model: Any, pairs: Mapping[str, str]) -> tuple[State, ...]:
    """The states that a trained model takes and gives itself.

    Args:
        model: a built Sequential or Functional model.
        pairs: input -> output, of states that its graph does not show.

    Raises:
        UnspoolError: a given pair is no input and output of one shape.
    """
    states = {before: after for _, before, after in _graph_states(model)}
    inputs = {tensor.name: tuple(tensor.shape) for tensor in structure.inputs(model)}
    tensors = zip(structure.output_names(model), model.outputs, strict=True)
    outputs = {name: tuple(tensor.shape) for name, tensor in tensors}
    for before, after in pairs.items():
        if before not in inputs or after not in outputs:
            raise UnspoolError(
                f"state {before}={after}: expected one of the inputs {', '.join(inputs)} and one "
                f"of the outputs {', '.join(outputs)}"
            )
        if inputs[before] != outputs[after]:
            raise UnspoolError(
                f"state {before}={after}: goes in as {inputs[before]} and comes out as "
                f"{outputs[after]}; expected one shape"
            )
    states |= pairs
    return tuple(State(before, before, after) for before, after in states.items())


def _graph_states(model: Any) -> Iterator[tuple[str, str, str]]:
    """Layer, input and output of each state, by the graph."""
    names = [tensor.name for tensor in structure.inputs(model)]
    inputs = dict(zip(map(id, model.inputs), names, strict=True))
    sources = [id(_before(tensor)) for tensor in model.outputs]
    outputs = dict(zip(sources, structure.output_names(model), strict=True))
    for node in graph.nodes(model):
        if not isinstance(node.operation, keras.layers.RNN):
            continue
        for tensor, after in zip(given_states(node), _states(node), strict=False):
            before = _before(tensor)
            if id(before) in inputs and id(after) in outputs:
                yield node.operation.name, inputs[id(before)], outputs[id(after)]


def _states(node: Any) -> list[Any]:
    """The tensors of a call that are the states after it."""
    layer = node.operation
    if layer.return_state:
        return list(node.outputs[1:])
    # Without them, the last output of Keras's own cells is their first state.
    is_state = not layer.return_sequences and type(layer).__module__.startswith("keras.")
    return list(node.outputs[:1]) if is_state else []


def _before(tensor: Any) -> Any:
    """The tensor that another one is, behind layers that do nothing at inference."""
    while isinstance(tensor._keras_history.operation, structure.REMOVED):
        tensor = graph.maker(tensor).input_tensors[0]
    return tensor


def by_layer(model: Any) -> dict[str, str]:
    """Recurrent layer -> what there is to say of the states that the model takes and gives."""
    pairs: dict[str, list[str]] = {}
    for layer, before, after in _graph_states(model):
        pairs.setdefault(layer, []).append(f"{before!r} comes out as {after!r}")
    return {
        layer: f"its state {' and '.join(each)}: one scale, fed back as bytes"
        for layer, each in pairs.items()
    }
