"""A model as inference needs it: what was only for training or for its batches is left out."""

from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras
from unspool.support.text import last_line


def for_inference(model: Any) -> Any:
    """The same model in float32, for batches of any size, without states between calls.

    None of these is in the weights. The model itself where it is all that already.

    Raises:
        UnspoolError: a layer cannot be made again from its configuration.
    """
    layers = list(model._flatten_layers())
    fixed = any(tensor.shape[0] not in (None, 1) for tensor in model.inputs)
    if not fixed and all(
        layer.compute_dtype == "float32" and not getattr(layer, "stateful", False)
        for layer in layers
    ):
        return model
    try:
        copy = type(model).from_config(_for_inference(model.get_config()))
        own_states = {id(state) for layer in layers for state in _states(layer)}
        weights = [np.asarray(w, np.float32) for w in model.weights if id(w) not in own_states]
        copy.set_weights(weights)
    except Exception as error:
        raise UnspoolError(
            f"model {model.name!r} has a fixed batch size, keeps states or computes in other types "
            f"than float32, and cannot be made again without ({last_line(error)}); build it so"
        ) from error
    return with_loss(copy, model)


def _states(layer: Any) -> list[Any]:
    """What a stateful layer keeps between calls."""
    return list(keras.tree.flatten(getattr(layer, "states", None) or []))


def with_loss(copy: Any, model: Any) -> Any:
    """Compile a copy of a model with the model's loss, which says how outputs are read."""
    if getattr(model, "loss", None) is not None:
        copy.compile(loss=model.loss)
    return copy


def _for_inference(config: Any) -> Any:
    """A configuration with other values for what `for_inference` changes."""
    if isinstance(config, dict):
        return {key: _setting(key, value) for key, value in config.items()}
    return [*map(_for_inference, config)] if isinstance(config, list | tuple) else config


def _setting(key: str, value: Any) -> Any:
    if key == "dtype" and not str(value).startswith(("int", "uint", "bool")):
        return "float32"
    if key == "stateful":
        return False
    if key in ("batch_shape", "batch_input_shape") and value:
        return [None, *value[1:]]
    return _for_inference(value)
