"""Layers that look up whole numbers in a table, or make them."""

from collections.abc import Sequence
from typing import Any

from unspool.frontend.graph import hands_on, is_real, maker
from unspool.support._tensorflow import keras

TO_WHOLE = (
    keras.layers.Discretization,
    keras.layers.HashedCrossing,
    keras.layers.Hashing,
    keras.layers.IntegerLookup,
)
"""Layers that make whole numbers of what they are given."""

WHY_NOT_WHOLE = (
    "makes whole numbers of what it is given, which neither TFLM nor an Ethos-U does; use it in "
    "front of the network, and give its result in as an input"
)

ON_THE_CPU = (
    "looks up token ids: an Ethos-U85 does that, U55 and U65 leave it to the CPU (accept it with "
    "`allow_cpu`)"
)

_TABLES = tuple(
    getattr(keras.layers, name)
    for name in ("Embedding", "ReversibleEmbedding")
    if hasattr(keras.layers, name)  # the second is younger than the oldest Keras that is taken
)


def is_table(layer: Any) -> bool:
    """Whether it is an Embedding of some kind."""
    return isinstance(layer, keras.layers.Embedding)


def problem(layer: Any, calls: Sequence[Any]) -> str:
    """Why an Embedding cannot be deployed; empty where it can.

    Args:
        layer: an Embedding.
        calls: the nodes of the graph that call it.
    """
    if type(layer).call not in [table.call for table in _TABLES]:
        return (
            "its class has a call() of its own, which would be lost; use keras.layers.Embedding "
            "and a layer behind it"
        )
    constants = [value for node in calls for value in _constants(node)]
    if any(value is True for value in constants):
        return "reverse=True: multiplies by its table; use a Dense layer for that"
    if any(_are_computed(node.input_tensors[0]) for node in calls):
        return (
            "looks up real numbers that are computed, which int8 rounds; give the ids in as whole "
            "numbers"
        )
    return ""


def _are_computed(ids: Any) -> bool:
    """Whether ids are cast from real numbers that are no input of the model."""
    node = maker(ids)
    if node.is_input:
        return False
    if not all(hands_on(node, tensor) for tensor in node.input_tensors):
        return is_real(ids)
    return any(map(_are_computed, node.input_tensors))


def _constants(node: Any) -> list[Any]:
    return [*node.arguments.args, *node.arguments.kwargs.values()]
