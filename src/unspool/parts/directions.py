"""A Bidirectional layer as operations: two recurrent layers, and what merges their outputs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from unspool.parts.masks import joined
from unspool.parts.operations import BACKWARD, FORWARD, LAST, WHOLE, Key, Operation
from unspool.support._tensorflow import keras
from unspool.unrolling.recurrent_layers import MERGES


def both_ways(
    node: Any,
    sequences: set[Key],
    halves: dict[Key, Any],
    masks: tuple[Key, ...],
    begin: tuple[Key, ...],
) -> Iterator[Operation]:
    """A Bidirectional as two recurrent layers, and what merges their outputs."""
    layer, read = node.operation, id(node.input_tensors[0])
    sides = 1 if layer.merge_mode else 2
    states = [id(tensor) for tensor in node.outputs[sides:]]
    middle, half_of, merged = len(states) // 2, len(begin) // 2, []
    for part, way, own, first in (
        (layer.forward_layer, FORWARD, states[:middle], begin[:half_of]),
        (layer.backward_layer, BACKWARD, states[middle:], begin[half_of:]),
    ):
        half_layer = from_the_front(part, f"{layer.name}_{way.takes}", node)
        half, *_ = keras.tree.flatten(half_layer.compute_output_spec(node.input_tensors[0]))
        halves[id(half)] = half
        if layer.return_sequences:
            sequences.add(id(half))
        merged.append(id(half))
        inputs = (read, *first, *masks)
        call = _called(half_layer, len(first))
        yield Operation(half_layer.name, inputs, (id(half), *own), (way,), call, first)
    merge = MERGES[layer.merge_mode](name=layer.name) if layer.merge_mode else list
    yield Operation(
        layer.name,
        tuple(merged),
        tuple(map(id, node.outputs[:sides])),
        (FORWARD, BACKWARD, WHOLE) if layer.return_sequences else (LAST, WHOLE),
        lambda tensors: keras.tree.flatten(merge(list(tensors))),
    )


def _called(layer: Any, states: int) -> Callable[[Sequence[Any]], list[Any]]:
    """Calls a layer on a sequence, so many states and masks."""

    def call(tensors: Sequence[Any]) -> list[Any]:
        sequence, first, valid = tensors[0], tensors[1 : 1 + states], tensors[1 + states :]
        arguments = {"initial_state": list(first)} if first else {}
        if valid:
            arguments["mask"] = joined(valid)
        return list(keras.tree.flatten(layer(sequence, **arguments)))

    return call


def from_the_front(layer: Any, name: str, node: Any) -> Any:
    """A recurrent layer with the same weights, that takes a node's sequence as it is given."""
    forward_copy = type(layer).from_config(
        {**layer.get_config(), "go_backwards": False, "name": name}
    )
    forward_copy.build(node.input_tensors[0].shape)
    forward_copy.set_weights(layer.get_weights())
    return forward_copy
