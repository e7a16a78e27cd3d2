"""A model that was built for one length of the sequence, for any length, as its file has it."""

import re
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.graph import admitted
from unspool.frontend.onnx.graph import Graph
from unspool.support._tensorflow import keras

ANY_LENGTH = 1009
"""Steps that a graph is built with where its time stays open in the end: a prime, which shows."""

OTHER_LENGTH = 50
"""Steps that it is tried with."""


def with_cause(error: UnspoolError) -> UnspoolError:
    """An error of a model with an open length, which says so where it is the cause."""
    if not any(int(number) % ANY_LENGTH == 0 for number in re.findall(r"[1-9]\d*", str(error))):
        return error
    return UnspoolError(
        f"{error}; the file leaves the length of the sequence open, which is tried with "
        f"{ANY_LENGTH}: give it (`time_steps`)"
    )


def opened(model: Any, graph: Graph, other: Any) -> Any:
    """The same model for sequences of any length.

    Args:
        model: of a graph with sequences of ANY_LENGTH.
        graph: which says where that is.
        other: the model of the same file with OTHER_LENGTH.

    Raises:
        UnspoolError: it computes something else than `other`: something in it needs the length.
    """
    inputs = []
    for tensor, end in zip(model.inputs, graph.inputs, strict=True):
        sizes = [None if axis == end.open else end.shape[axis] for axis in end.order]
        inputs.append(keras.Input(sizes, dtype=tensor.dtype, name=tensor.name))
    try:
        result = keras.models.clone_model(
            model, input_tensors=admitted(inputs), clone_function=_cloned
        )
        result.set_weights(model.get_weights())
        same = _agree(result, other)
    except Exception:  # a layer that knows one length alone
        same = False
    if not same:
        name = next(end.name for end in graph.inputs if end.open is not None)
        raise UnspoolError(
            f"input {name!r}: the file leaves the length of the sequence open, but a node needs "
            "it; give it (`time_steps`)"
        )
    return result


def _cloned(layer: Any) -> Any:
    """A layer of the same settings; one that is a Reshape leaves the length open."""
    if not isinstance(layer, keras.layers.Reshape):
        return layer.__class__.from_config(layer.get_config())
    sizes = [-1 if size % ANY_LENGTH == 0 else size for size in layer.target_shape]
    return keras.layers.Reshape(sizes, name=layer.name)


def _longest(model: Any) -> int:
    """Steps of the longest recurrence."""
    recurrent = (keras.layers.RNN, keras.layers.Bidirectional)
    layers = (layer for layer in model.layers if isinstance(layer, recurrent))
    return max((keras.tree.flatten(layer.input)[0].shape[1] or 0 for layer in layers), default=0)


def _agree(model: Any, other: Any) -> bool:
    """Whether two models compute the same of sequences of the second's length."""
    rng = np.random.default_rng(0)
    feed = {}
    for tensor in other.inputs:
        shape = (1, *tensor.shape[1:])
        drawn = rng.normal(0, 1, shape) if tensor.dtype == "float32" else np.zeros(shape)
        feed[tensor.name] = drawn.astype(tensor.dtype)
    # A graph takes longer to make than a few steps to run.
    at_once = _longest(other) <= 4 * OTHER_LENGTH
    outputs, expected = (
        each(feed) if at_once else each.predict_on_batch(feed) for each in (model, other)
    )
    return all(
        outputs[name].shape == value.shape
        and np.allclose(outputs[name], value, rtol=1e-3, atol=1e-4, equal_nan=True)
        for name, value in expected.items()
    )
