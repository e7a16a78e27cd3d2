"""Trained model -> deploy model: the same function with batch size 1 and no loop."""

from typing import Any

from unspool._tensorflow import keras
from unspool.errors import UnspoolError
from unspool.recurrent import is_recurrent, unrolled


def unroll(model: Any, time_steps: int | None = None) -> Any:
    """Rebuild a trained Keras model without loops, for one sample at a time.

    Recurrent layers are replaced by `time_steps` copies of their step that share weights; every
    other layer is cloned with its weights. The trained model is not changed.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        time_steps: length of the sequence where the model leaves it open, `(None, features)`.

    Returns:
        a Functional Keras model with the same input names and batch size 1.

    Raises:
        UnspoolError: the model has no graph, no recurrent layer, or a layer that cannot be
            deployed; the message names it.
    """
    _check(model)
    inputs = [_deploy_input(tensor, time_steps) for tensor in model.inputs]
    outputs = _rebuild(model, inputs)
    return keras.Model(_alone(inputs), _alone(outputs), name=model.name)


def _alone(tensors: list[Any]) -> Any:
    """A list of one as its element: Keras then takes and returns a tensor, not a list."""
    return tensors[0] if len(tensors) == 1 else tensors


def _check(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise UnspoolError(f"expected a Keras model, got {type(model).__name__}")
    if not isinstance(model, keras.Sequential | keras.src.models.functional.Functional):
        raise UnspoolError(
            f"model {model.name!r} is a subclass of keras.Model without a graph of layers; "
            "build it with keras.Sequential or keras.Model(inputs, outputs)"
        )
    if not model.built:
        raise UnspoolError(
            f"model {model.name!r} is not built; give it an Input with the shape of one sample"
        )
    if not any(is_recurrent(layer) for layer in model._flatten_layers()):
        raise UnspoolError(
            f"model {model.name!r} has no recurrent layer (SimpleRNN, GRU or LSTM) to unroll"
        )


def _deploy_input(tensor: Any, time_steps: int | None) -> Any:
    """An input with batch size 1, and `time_steps` where the model leaves the length open."""
    shape = list(tensor.shape[1:])
    if shape and shape[0] is None:
        if time_steps is None:
            raise UnspoolError(
                f"input {tensor.name!r} has the open shape {tuple(tensor.shape)}: "
                "say how many time steps to unroll (--time-steps N, or time_steps=N)"
            )
        shape[0] = time_steps
    elif time_steps is not None and shape and shape[0] != time_steps:
        raise UnspoolError(
            f"input {tensor.name!r} has {shape[0]} time steps fixed in the model, got "
            f"time_steps={time_steps}: leave it out, or build the model with (None, features)"
        )
    if None in shape:
        raise UnspoolError(f"input {tensor.name!r} has the open shape {tuple(tensor.shape)}")
    return keras.Input(shape, batch_size=1, dtype=tensor.dtype, name=tensor.name)


def _rebuild(model: Any, inputs: list[Any]) -> Any:
    """Run `model`'s graph on new tensors, through deploy-time clones of its layers."""
    trained = {}  # deploy-time layer -> the layer whose weights it takes

    def clone(layer: Any) -> Any:
        if isinstance(layer, keras.layers.InputLayer) or not isinstance(layer, keras.layers.Layer):
            return layer  # no weights, no configuration: an input, or a function of keras.ops
        if is_recurrent(layer):
            return unrolled(layer)
        config = layer.get_config()
        config["dtype"] = "float32"
        copy = type(layer).from_config(config)
        trained[copy] = layer
        return copy

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("mask", None)
        outputs = layer(*args, **kwargs)
        if layer in trained:
            layer.set_weights(trained.pop(layer).get_weights())
        return outputs

    graph = keras.Model(model.inputs, model.outputs)
    copy = keras.models.clone_model(
        graph, input_tensors=inputs, clone_function=clone, call_function=call
    )
    return copy.outputs
