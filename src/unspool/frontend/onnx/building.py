"""A graph of ONNX's nodes as a Keras functional model of real layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.graph import admitted
from unspool.frontend.graph import nodes as nodes_of
from unspool.frontend.onnx import lengths
from unspool.frontend.onnx.graph import RECURRENT, Graph, Node, check_entries
from unspool.frontend.onnx.names import free
from unspool.frontend.onnx.ranges import give_ranges, range_names
from unspool.frontend.onnx.scope import Build, Given, Scope, input_name
from unspool.frontend.onnx.tracing import LayerNames, made_since, names_of, traced
from unspool.frontend.onnx.values import Value, arranged, laid_out
from unspool.frontend.origins import keep
from unspool.support._tensorflow import keras
from unspool.support.text import brief


def build(graph: Graph, forms: Mapping[str, Build]) -> Any:
    """Make a Keras model of a graph.

    Args:
        graph: whose nodes are built.
        forms: operator -> what builds one.

    Returns:
        a functional model, its inputs named as the graph's, its outputs a dictionary by name.

    Raises:
        UnspoolError: a node has no form.
    """
    _check_forms(graph, forms)
    graph = _apart(graph)
    built = _built(graph, forms, {})
    if built.recurrent:
        built = _built(graph, forms, _read(built.model, built.recurrent))
    keep(built.model, traced(graph, built.layers))
    return built.model


@dataclass(frozen=True)
class _Built:
    """A model, its recurrent nodes' Keras tensors by name, and which node made which layer."""

    model: Any
    recurrent: dict[str, Any]
    layers: LayerNames


def _apart(graph: Graph) -> Graph:
    """The same graph, no node named as an input: Keras wants names of their own for both."""
    inputs = {input_name(end.name) for end in graph.inputs}
    names = inputs | {node.name for node in graph.nodes}
    nodes = []
    for node in graph.nodes:
        name = free(node.name, names) if node.name in inputs else node.name
        names.add(name)
        nodes.append(replace(node, name=name))
    return replace(graph, nodes=tuple(nodes))


def _check_forms(graph: Graph, forms: Mapping[str, Build]) -> None:
    for node in graph.nodes:
        if node.op not in forms:
            raise UnspoolError(
                f"node {node.name!r}: the operator {node.op} has no form on the NPU; leave it out "
                "of the exported model, or let it be computed before or behind the network"
            )


def _built(graph: Graph, forms: Mapping[str, Build], read: Mapping[str, frozenset[int]]) -> _Built:
    scope = Scope(graph, dict(graph.constants), read, lengths.fed(graph))
    inputs = _inputs(graph, scope)
    recurrent: dict[str, Any] = {}
    known: dict[int, Any] = {}
    made_since(inputs.values(), known)
    ranges = range_names(graph)
    by_value = give_ranges(inputs, ranges, scope, known)
    for node in graph.nodes:
        listed = _results(node, forms[node.op], scope)
        scope.values.update(zip(node.outputs, listed, strict=False))
        layers = made_since([value.tensor for value in listed], known)
        by_value = dict.fromkeys(node.outputs, layers) | by_value  # of an output, its range
        if node.op in RECURRENT:
            recurrent[node.name] = [_tensors(value) for value in listed]
        by_value |= give_ranges(node.outputs, ranges, scope, known)
    inputs |= scope.masks
    ordered = [inputs[end.name] for end in graph.inputs]
    outputs = {name: _output(scope.values.get(name), name, graph) for name in graph.outputs}
    outputs = _by_layers(outputs, graph)
    by_output = {name: made_since([tensor], known) for name, tensor in outputs.items()}
    try:
        model = keras.Model(admitted(ordered), outputs)
    except Exception as error:  # names that occur twice
        raise UnspoolError(f"the graph cannot be a Keras model: {brief(error)}") from None
    return _Built(model, recurrent, names_of(by_value, by_output, model))


def _inputs(graph: Graph, scope: Scope) -> dict[str, Any]:
    """Keras's inputs by the graph's names; the scope gets their values."""
    inputs = {}
    for end in graph.inputs:
        if end.name in scope.lengths:
            continue
        dtype = "float32" if end.dtype.startswith(("float", "bfloat")) else "int32"
        order = end.order
        shape = [end.shape[axis] for axis in order]
        inputs[end.name] = keras.Input(shape, dtype=dtype, name=input_name(end.name))
        scope.values[end.name] = laid_out(inputs[end.name], order, len(end.shape))
    return inputs


def _results(node: Node, form: Build, scope: Scope) -> list[Value]:
    """What a node makes; Keras's errors, too, name the node."""
    try:
        for name in node.inputs:
            if name and name not in scope.values and name not in scope.lengths:
                raise UnspoolError(
                    f"reads {name!r}, which is not computed here; read another output"
                )
        results = form(node, scope)
        listed = [results] if isinstance(results, Value) else list(results)
        for value in listed:
            check_entries("makes a tensor that is too large", value.shape)
    except UnspoolError as error:
        raise UnspoolError(f"node {node.name!r}: its {node.op} {error}") from None
    except Exception as error:  # of Keras and NumPy, of many kinds
        raise UnspoolError(
            f"node {node.name!r}: its {node.op} cannot be built as Keras's layers: {brief(error)}"
        ) from None
    return listed


def _output(value: Given | None, name: str, graph: Graph) -> Any:
    """The tensor of an output, its axes as in the file, the batch in front."""
    if value is None:
        raise UnspoolError(f"output {name!r}: no node makes it")
    if not isinstance(value, Value):
        raise UnspoolError(f"output {name!r}: is constant")
    if graph.frames:
        count = next(end.shape[end.open] for end in graph.inputs if end.open is not None)
        axes = sorted(range(len(value.axes)), key=lambda axis: value.shape[axis] != count)
        return arranged(value, axes)
    if all(end.batch is None for end in graph.inputs):  # as the file's, whole
        return arranged(value, list(range(len(value.axes))))
    batch = next((axis for axis, place in enumerate(value.axes) if place is None), None)
    if batch is None:
        raise UnspoolError(f"output {name!r}: {value.shape} has no axis of one for the batch")
    order = [axis for axis in range(len(value.axes)) if axis != batch]
    return arranged(value, order or [batch])


def _by_layers(outputs: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    """The outputs, an input among them as a layer gives it.

    Keras 3.12 neither copies nor loads a model in which no layer reads an input.
    """
    names = {*(input_name(end.name) for end in graph.inputs), *(node.name for node in graph.nodes)}
    tensors = dict(outputs)
    for name, tensor in outputs.items():
        if isinstance(tensor._keras_history.operation, keras.layers.InputLayer):
            layer = keras.layers.Identity(name=free(f"{tensor.name}_given_out", names))
            tensors[name] = layer(tensor)
            names.add(layer.name)
    return tensors


def _tensors(value: Value) -> list[Any]:
    """The tensors that a state of one direction or of two is in."""
    whole = value.along == 0 and len(value.pieces) > 1
    return [value.tensor, *(piece.tensor for _, piece in value.pieces if whole)]


def _read(model: Any, recurrent: Mapping[str, Sequence[Any]]) -> dict[str, frozenset[int]]:
    """For each recurrent node, the outputs that the model's outputs depend on."""
    wanted = {id(tensor) for node in nodes_of(model) for tensor in node.input_tensors}
    wanted |= {id(tensor) for tensor in model.outputs}
    return {
        name: frozenset(n for n, tensors in enumerate(outputs) if wanted & set(map(id, tensors)))
        for name, outputs in recurrent.items()
    }
