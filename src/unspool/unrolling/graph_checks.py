"""What a model must be to be unrolled at all: a built graph of layers with finite weights."""

from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import graph, sequences, structure
from unspool.support._tensorflow import keras


def check_graph(model: Any) -> None:
    """Check that a model has a graph of layers that can be rebuilt.

    Raises:
        UnspoolError: not a Keras model, a subclass without a graph, or a model that is not built;
            or a weight is not finite, an input is not read, or an output does not hold real values.
    """
    if not isinstance(model, keras.Model):
        raise UnspoolError(f"expected a Keras model, got {type(model).__name__}")
    if not graph.is_graph(model):
        raise UnspoolError(
            f"model {model.name!r} is a subclass of keras.Model without a graph of layers; "
            "build it with keras.Sequential or keras.Model(inputs, outputs)"
        )
    if not model.built:
        raise UnspoolError(
            f"model {model.name!r} is not built; give it an Input with the shape of one sample"
        )
    _check_weights(model)
    _check_ends(model)


def _check_weights(model: Any) -> None:
    for weight in model.weights:
        if not graph.is_real(weight):
            continue
        values = np.asarray(weight, np.float32)
        bad = values.size - int(np.isfinite(values).sum())
        if bad:
            raise UnspoolError(
                f"weight {weight.path!r}: {bad} of {values.size} values are NaN or infinite; the "
                "training has failed: train again, or load an earlier checkpoint"
            )


def _check_ends(model: Any) -> None:
    """Every input is read, every output holds real values."""
    for tensor in model.inputs:
        given_out = any(tensor is output for output in model.outputs)
        is_read = graph.readers(model, tensor) or sequences.is_mask(model, tensor)
        if not is_read and not given_out:
            raise UnspoolError(
                f"input {tensor.name!r}: no layer reads it; build the model without it"
            )
    for tensor, name in zip(model.outputs, structure.output_names(model), strict=True):
        if not graph.is_real(tensor):
            raise UnspoolError(
                f"output {name!r}: holds {tensor.dtype}, but a deployed network gives real "
                f"values; give out what {_first_of_whole(tensor).name!r} reads, and let "
                "firmware do the rest"
            )


def _first_of_whole(tensor: Any) -> Any:
    """The operation that makes whole numbers or truth values of real ones, on a tensor's way."""
    node = graph.maker(tensor)
    for read in node.input_tensors:
        if not graph.is_real(read) and not graph.maker(read).is_input:
            return _first_of_whole(read)
    return node.operation
