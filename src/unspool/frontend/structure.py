"""A Keras model's graph, and its inputs and outputs: single tensors, lists or dictionaries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.frontend.activations import activation_name
from unspool.support._tensorflow import keras, tf
from unspool.support.samples import OpenInput

REMOVED = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization,
    keras.layers.Identity,
    *(
        getattr(keras.layers, name)
        for name in (
            "AugMix",
            "CutMix",
            "MixUp",
            "RandAugment",
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomColorJitter",
            "RandomContrast",
            "RandomElasticTransform",
            "RandomErasing",
            "RandomFlip",
            "RandomGaussianBlur",
            "RandomGrayscale",
            "RandomHue",
            "RandomInvert",
            "RandomPerspective",
            "RandomPosterization",
            "RandomRotation",
            "RandomSaturation",
            "RandomSharpness",
            "RandomShear",
            "RandomTranslation",
            "RandomZoom",
        )
        if hasattr(keras.layers, name)  # some are younger than the oldest Keras that is taken
    ),
)
"""Layers that do nothing at inference."""


def functional(model: Any) -> Any:
    """The graph of layers of a built Sequential or Functional model, as a Functional model."""
    return (
        keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model
    )


def inputs(model: Any) -> tuple[OpenInput, ...]:
    """What a Keras model takes: inputs of a dictionary by its keys, others by their own names.

    Inputs whose values are looked up in a table have the type int32, all others float32.
    """
    whole = functional(model)
    paths = [path for path, _ in keras.tree.flatten_with_path(whole._inputs_struct)]
    described = []
    for path, tensor, ids in zip(paths, whole.inputs, takes_ids(model), strict=True):
        by_key = any(isinstance(part, str) for part in path)
        name = _joined(path) if by_key else tensor.name
        dtype = "int32" if ids else "float32"
        described.append(OpenInput(name, tuple(tensor.shape), dtype, tensor.name if by_key else ""))
    return tuple(described)


def output_names(model: Any) -> tuple[str, ...]:
    """Names of a model's outputs, in the order of `model.outputs`.

    Outputs of a dictionary are named by its keys, others by the layers that compute them, with a
    number at the end where one layer has several outputs.
    """
    whole = functional(model)
    paths = [path for path, _ in keras.tree.flatten_with_path(whole._outputs_struct)]
    layers = list(whole.output_names)
    named = [
        _joined(path) if any(isinstance(part, str) for part in path) else layer
        for path, layer in zip(paths, layers, strict=True)
    ]
    return distinct(named)


def output_shapes(model: Any, time_steps: int | None) -> list[tuple[int | None, ...]]:
    """Shapes of a model's outputs, (samples, ...), for sequences of a length.

    Args:
        model: a built Sequential or Functional model.
        time_steps: of its inputs; None leaves the length to the model.
    """
    whole = functional(model)
    if time_steps is None:
        return [tuple(tensor.shape) for tensor in whole.outputs]
    given = []
    for tensor in whole.inputs:
        batch, *shape = tensor.shape
        if len(shape) > 1 or shape[:1] == [None]:
            shape[0] = time_steps
        given.append(keras.KerasTensor((batch, *shape), tensor.dtype))
    try:
        packed = keras.tree.pack_sequence_as(whole._inputs_struct, given)
        outputs = whole.compute_output_spec(packed)
    except Exception:  # its layers take one length alone, which unrolling says by name
        return [tuple(tensor.shape) for tensor in whole.outputs]
    return [tuple(output.shape) for output in keras.tree.flatten(outputs)]


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names made distinct: those that occur more than once get a number."""
    return tuple(
        name if names.count(name) == 1 else f"{name}_{names[:position].count(name)}"
        for position, name in enumerate(names)
    )


def _joined(path: Sequence[Any]) -> str:
    return "_".join(map(str, path))


def readers(model: Any, tensor: Any) -> list[Any]:
    """The nodes of a model's graph, each a call of an operation, that read a tensor's values.

    What only computes a mask, by Keras or by the user, is left out.
    """
    return [
        node
        for node in nodes(model)
        if any(read is tensor for read in node.input_tensors) and not _makes_mask(model, node)
    ]


def _makes_mask(model: Any, node: Any) -> bool:
    """Whether a node computes truth values that nothing reads but as a mask."""
    if node.is_input or any(tensor.dtype != "bool" for tensor in node.outputs):
        return False
    truths = set(map(id, node.outputs))
    if any(id(output) in truths for output in model.outputs):
        return False
    return all(
        id(reader.arguments.kwargs.get("mask")) in truths or _makes_mask(model, reader)
        for reader in nodes(model)
        if any(id(read) in truths for read in reader.input_tensors)
    )


def calls(model: Any, layer: Any) -> list[Any]:
    """The nodes of a model's graph that call a layer.

    The layer's own list includes calls in other graphs: a Sequential that was loaded from a file
    has built its graph twice.
    """
    return [node for node in nodes(model) if node.operation is layer]


def nodes(model: Any) -> list[Any]:
    """All nodes of a model's graph, from its inputs to its outputs."""
    by_depth = functional(model)._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


@dataclass(frozen=True)
class Found:
    """A layer or function of a model's graph.

    Attributes:
        name: its own; in a nested model behind that model's name and a slash.
        operation: the layer or function.
        calls: the nodes of the graph that call it.
    """

    name: str
    operation: Any
    calls: tuple[Any, ...]


def operations(model: Any, prefix: str = "") -> Iterator[Found]:
    """The layers and functions of a model and of those nested in it, in the order of its graph.

    Inputs are left out, and so is what only computes masks: that is done before the network.
    """
    for operation in functional(model).operations:
        name = prefix + operation.name
        called = tuple(node for node in calls(model, operation) if not _makes_mask(model, node))
        if is_graph(operation):
            yield from operations(operation, f"{name}/")
        elif called and not isinstance(operation, keras.layers.InputLayer):
            yield Found(name, operation, called)


def is_graph(layer: Any) -> bool:
    """Whether a layer is itself a Sequential or Functional model."""
    return isinstance(layer, keras.Sequential | keras.src.models.functional.Functional)


def takes_ids(model: Any) -> tuple[bool, ...]:
    """Whether each input of a model is looked up in a table: whole numbers, whatever its type."""
    return tuple(_looked_up(model, tensor) for tensor in model.inputs)


def _looked_up(model: Any, tensor: Any) -> bool:
    for node in readers(model, tensor):
        operation = node.operation
        if is_graph(operation):
            position = next(n for n, read in enumerate(node.input_tensors) if read is tensor)
            if _looked_up(operation, operation.inputs[position]):
                return True
        elif looks_up(node, tensor):
            return True
    return False


def looks_up(node: Any, tensor: Any) -> bool:
    """Whether a call takes whole numbers in a tensor, that stand for rows of a table."""
    operation = node.operation
    if type(operation).__name__ == "Take":
        return any(tensor is given for given in keras.tree.flatten(node.arguments.args[1:]))
    return type(operation).__name__ in _LOOKUPS


_LOOKUPS = ("Embedding", "CategoryEncoding", "IntegerLookup", "Hashing", "OneHot")


def predict(model: Any, arrays: Sequence[np.ndarray], batch_size: int) -> list[np.ndarray]:
    """Outputs of a Keras model in the order of `model.outputs`, each (samples, ...).

    Args:
        model: a built Sequential or Functional model.
        arrays: one (samples, ...) for each of `model.inputs`.
        batch_size: samples that run at once.
    """
    is_sequence = isinstance(model, keras.Sequential)
    fed = (
        arrays[0]
        if is_sequence
        else keras.tree.pack_sequence_as(model._inputs_struct, list(arrays))
    )
    scopes = keras.src.backend.common.global_state.get_global_attribute(
        "name_scope_stack", default=[], set_to_default=True
    )
    open_before = len(scopes)
    try:
        outputs = model.predict(fed, batch_size=batch_size, verbose=0)
    except ValueError:  # names that TensorFlow's graphs do not take, such as those with umlauts
        del scopes[open_before:]  # Keras leaves one, which all later names would begin with
        outputs = _eagerly(model, fed, batch_size)
    return [np.asarray(output, np.float32) for output in keras.tree.flatten(outputs)]


def _eagerly(model: Any, fed: Any, batch_size: int) -> list[np.ndarray]:
    """`predict` without a graph: slow, but it takes any names of layers."""
    count = len(keras.tree.flatten(fed)[0])
    parts = []
    for start in range(0, count, batch_size):
        batch = keras.tree.map_structure(
            lambda array, start=start: tf.convert_to_tensor(array[start : start + batch_size]), fed
        )
        parts.append(keras.tree.flatten(model(batch, training=False)))
    return [
        np.concatenate([np.asarray(part) for part in batches])
        for batches in zip(*parts, strict=True)
    ]


def spread(layer: Any) -> np.ndarray:
    """What a Normalization divides by, for each feature: `max(sqrt(variance), epsilon)`."""
    divided: np.ndarray = np.maximum(np.sqrt(np.asarray(layer.variance)), keras.backend.epsilon())
    return divided


def last_activation(tensor: Any) -> str:
    """Name of the activation that a model's output comes out of: "softmax", "linear", ...

    Layers that only move values or do nothing at inference are looked through.
    """
    operation = tensor._keras_history.operation
    while True:
        if isinstance(operation, keras.layers.TimeDistributed):
            operation = operation.layer
        if is_graph(operation):
            tensor = operation.outputs[0]
        elif isinstance(operation, _LOOKED_THROUGH):
            node = operation._inbound_nodes[tensor._keras_history.node_index]
            tensor = node.input_tensors[0]
        else:
            break
        operation = tensor._keras_history.operation
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return activation_name(activation)
    return type(operation).__name__.lower()  # Softmax, the layer or the function


_LOOKED_THROUGH = (
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.Reshape,
    keras.layers.Flatten,
)


def losses(model: Any) -> list[Any]:
    """The loss of each output of a Keras model, as Keras has it; None where there is none."""
    loss = getattr(model, "loss", None)
    count = len(model.outputs)
    if isinstance(loss, dict):
        names = output_names(model)
        layers = list(functional(model).output_names)
        loss = [loss.get(name, loss.get(layer)) for name, layer in zip(names, layers, strict=True)]
    elif isinstance(loss, list | tuple):
        loss = [*loss, *[None] * count][:count]
    else:
        loss = [loss] * count
    return [_loss(own) for own in loss]


def _loss(loss: Any) -> Any:
    """A loss object or function; None for one that Keras does not know."""
    if not isinstance(loss, str | dict):
        return loss
    try:
        return keras.losses.get(loss)
    except (ValueError, TypeError):
        return None
