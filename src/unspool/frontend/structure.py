"""A Keras model's graph, and its inputs and outputs: single tensors, lists or dictionaries."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from unspool.frontend.activations import activation_name
from unspool.frontend.graph import functional, is_graph, maker, rows_of_ids, takes_ids
from unspool.frontend.sequences import in_time
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


def inputs(model: Any) -> tuple[OpenInput, ...]:
    """What a Keras model takes: inputs of a dictionary by its keys, others by their own names.

    Inputs whose values are looked up in a table have the type int32, all others float32.
    """
    whole = functional(model)
    paths = [path for path, _ in keras.tree.flatten_with_path(whole._inputs_struct)]
    described = []
    looked_up = zip(takes_ids(whole), rows_of_ids(whole), strict=True)
    for path, tensor, (ids, rows) in zip(paths, whole.inputs, looked_up, strict=True):
        by_key = any(isinstance(part, str) for part in path)
        name = _joined(path) if by_key else tensor.name
        dtype = "int32" if ids else "float32"
        also = tensor.name if by_key else ""
        described.append(OpenInput(name, tuple(tensor.shape), dtype, also, rows))
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
    tensors = []
    for tensor, has_time in zip(whole.inputs, in_time(model), strict=True):
        batch, *shape = tensor.shape
        if has_time or shape[:1] == [None]:
            shape[0] = time_steps
        tensors.append(keras.KerasTensor((batch, *shape), tensor.dtype))
    try:
        packed = keras.tree.pack_sequence_as(whole._inputs_struct, tensors)
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


def predict(model: Any, arrays: Sequence[np.ndarray], batch_size: int) -> list[np.ndarray]:
    """Outputs of a Keras model in the order of `model.outputs`, each (samples, ...).

    They are those of `model.predict`, without the data set that it makes of the samples: for a few
    hundred that takes longer than all else.

    Args:
        model: a built Sequential or Functional model.
        arrays: one (samples, ...) for each of `model.inputs`.
        batch_size: samples that run at once.
    """
    fed = packed(model, arrays)
    scopes = keras.src.backend.common.global_state.get_global_attribute(
        "name_scope_stack", default=[], set_to_default=True
    )
    open_before = len(scopes)
    try:
        return _in_batches(model.predict_on_batch, fed, batch_size)
    except ValueError:  # names that TensorFlow's graphs do not take, such as those with umlauts
        del scopes[open_before:]  # Keras leaves one, which all later names would begin with
        return _in_batches(partial(model, training=False), fed, batch_size)


def packed(model: Any, arrays: Sequence[np.ndarray]) -> Any:
    """Arrays in the order of `model.inputs`, in the structure that a call of the model takes."""
    if isinstance(model, keras.Sequential):
        return arrays[0]
    return keras.tree.pack_sequence_as(model._inputs_struct, list(arrays))


def _in_batches(call: Callable[[Any], Any], fed: Any, batch_size: int) -> list[np.ndarray]:
    """What a function of a batch makes of all samples, `batch_size` at a time."""
    parts = []
    for start in range(0, len(keras.tree.flatten(fed)[0]), batch_size):
        batch = keras.tree.map_structure(
            lambda array, start=start: tf.convert_to_tensor(array[start : start + batch_size]), fed
        )
        parts.append(keras.tree.flatten(call(batch)))
    return [
        np.concatenate([np.asarray(part, np.float32) for part in batches])
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
            tensor = maker(tensor).input_tensors[0]
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
