"""A Keras model's graph: its layers and functions, their calls, and who reads a tensor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from unspool.support._tensorflow import keras


def functional(model: Any) -> Any:
    """The graph of layers of a built Sequential or Functional model, as a Functional model.

    That of a Sequential is made once for each time that it is built.
    """
    if not isinstance(model, keras.Sequential):
        return model
    graph = _GRAPHS.get(model)
    if graph is None or graph.outputs[0] is not model.outputs[0]:
        graph = _GRAPHS[model] = keras.Model(model.inputs, model.outputs)
    return graph


_GRAPHS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def admitted(inputs: Sequence[Any]) -> list[Any]:
    """The same tensors, as inputs of a model that need not read all of them.

    Keras 3.12, the last for Python 3.10, refuses an input on which no layer was called. One that
    is no part of the model will do.
    """
    for tensor in inputs:
        if not tensor._keras_history.operation._outbound_nodes:
            keras.layers.Identity()(tensor)
    return list(inputs)


def is_graph(layer: Any) -> bool:
    """Whether a layer is itself a Sequential or Functional model."""
    return isinstance(layer, keras.Sequential | keras.src.models.functional.Functional)


def is_real(tensor: Any) -> bool:
    """Whether a tensor or a weight holds real values."""
    return str(tensor.dtype).startswith(("float", "bfloat"))


def is_whole(tensor: Any) -> bool:
    """Whether a tensor holds whole numbers."""
    return str(tensor.dtype).startswith(("int", "uint"))


def cloned(model: Any, clone_function: Callable[[Any], Any] | None = None) -> Any:
    """A model's graph with layers and variables of its own, not compiled.

    Args:
        model: a built Sequential or Functional model.
        clone_function: makes a layer's copy, as `keras.models.clone_model` takes it.
    """
    # Keras would write the losses as JSON, which a user's own cannot be.
    compiled, model.compiled = model.compiled, False
    try:
        return keras.models.clone_model(model, clone_function=clone_function)
    finally:
        model.compiled = compiled


def nodes(model: Any) -> list[Any]:
    """All nodes of a model's graph, from its inputs to its outputs."""
    by_depth = functional(model)._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def calls(model: Any, layer: Any) -> list[Any]:
    """The nodes of a model's graph that call a layer.

    The layer's own list includes calls in other graphs: a Sequential that was loaded from a file
    has built its graph twice.
    """
    return [node for node in nodes(model) if node.operation is layer]


def maker(tensor: Any) -> Any:
    """The node, a call of an operation, that computes a tensor.

    Not of a state that a Bidirectional gives: Keras knows it by the layer within, which has none.
    """
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def readers(model: Any, tensor: Any) -> list[Any]:
    """The nodes of a model's graph, each a call of an operation, that read a tensor's values.

    What only computes a mask, by Keras or by the user, is left out.
    """
    return [
        node
        for node in nodes(model)
        if any(read is tensor for read in node.input_tensors) and not makes_mask(model, node)
    ]


def makes_mask(model: Any, node: Any) -> bool:
    """Whether a node computes truth values that nothing reads but as a mask."""
    if node.is_input or any(tensor.dtype != "bool" for tensor in node.outputs):
        return False
    truths = set(map(id, node.outputs))
    if any(id(output) in truths for output in model.outputs):
        return False
    return all(
        id(reader.arguments.kwargs.get("mask")) in truths or makes_mask(model, reader)
        for reader in nodes(model)
        if any(id(read) in truths for read in reader.input_tensors)
    )


@dataclass(frozen=True)
class Entry:
    """A layer or function of a model's graph.

    Attributes:
        name: its own; in a nested model behind that model's name and a slash.
        operation: the layer or function.
        calls: the nodes of the graph that call it.
    """

    name: str
    operation: Any
    calls: tuple[Any, ...]


def operations(model: Any, prefix: str = "") -> Iterator[Entry]:
    """The layers and functions of a model and of those nested in it, in the order of its graph.

    Inputs are left out, and so is what only computes masks: that is done before the network.
    """
    whole = functional(model)
    called: dict[int, list[Any]] = {}
    for node in nodes(whole):
        if not node.is_input and not makes_mask(whole, node):
            called.setdefault(id(node.operation), []).append(node)
    for operation in whole.operations:
        name = prefix + operation.name
        if is_graph(operation):
            yield from operations(operation, f"{name}/")
        elif id(operation) in called:
            yield Entry(name, operation, tuple(called[id(operation)]))


def takes_ids(model: Any) -> tuple[bool, ...]:
    """Whether each input of a model is looked up in a table: whole numbers, whatever its type."""
    return tuple(bool(_tables(model, tensor)) for tensor in model.inputs)


def rows_of_ids(model: Any) -> tuple[int, ...]:
    """How many rows the table has that each input is looked up in; 0 for other inputs."""
    tables = (_tables(model, tensor) for tensor in model.inputs)
    return tuple(min(filter(None, sizes), default=0) for sizes in tables)


def _tables(model: Any, tensor: Any) -> list[int]:
    """The rows of each table that a tensor is looked up in; 0 where they are not known."""
    sizes = []
    reading = readers(model, tensor)
    for node in reading:
        operation = node.operation
        if is_graph(operation):
            position = next(n for n, read in enumerate(node.input_tensors) if read is tensor)
            sizes += _tables(operation, operation.inputs[position])
        elif looks_up(node, tensor):
            sizes.append(_rows(node))
        elif hands_on(node, tensor) and (len(reading) == 1 or not is_real(tensor)):
            sizes += [rows for output in node.outputs for rows in _tables(model, output)]
    return sizes


def _rows(node: Any) -> int:
    operation = node.operation
    if isinstance(operation, keras.layers.Embedding):
        return int(operation.input_dim)
    if type(operation).__name__ == "Take" and operation.axis is not None:
        return int(np.shape(node.arguments.args[0])[operation.axis] or 0)
    return 0


def hands_on(node: Any, tensor: Any) -> bool:
    """Whether a call gives whole numbers if it takes them: it computes with them, or moves them."""
    computes = all(is_whole(each) for each in (tensor, *node.outputs))
    return computes or type(node.operation).__name__ in _MOVES


_MOVES = ("Cast", "ExpandDims", "Flatten", "GetItem", "Permute", "Reshape", "Squeeze", "Transpose")


def looks_up(node: Any, tensor: Any) -> bool:
    """Whether a call takes whole numbers in a tensor, that stand for rows of a table."""
    operation = node.operation
    if type(operation).__name__ == "Take":
        return any(tensor is argument for argument in keras.tree.flatten(node.arguments.args[1:]))
    return isinstance(operation, keras.layers.Embedding) or type(operation).__name__ in _LOOKUPS


_LOOKUPS = ("CategoryEncoding", "IntegerLookup", "Hashing", "OneHot")
