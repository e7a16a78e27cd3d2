"""A model with a scale for each feature of its inputs, for a model that was trained on raw units.

An input has one scale in int8, which the feature with the largest values decides. Here a Rescaling
is put in front after training: it gives every feature the range -1 to 1, as a Normalization would
have done, and the kernel that reads it is changed so that the result stays the same:

    x = x' / factor + shift,  so  x W + b = x' (W / factor) + (b + shift W)

`convert` takes the Rescaling out of the network again: whoever quantizes the input applies it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import graph, structure
from unspool.frontend.inference_form import with_loss
from unspool.support import samples
from unspool.support._tensorflow import keras
from unspool.support.samples import Samples
from unspool.unrolling.leading import leading

_RECURRENT = (keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM)
_READERS = (*_RECURRENT, keras.layers.Bidirectional, keras.layers.Dense, keras.layers.Conv1D)


def with_feature_scales(model: Any, data: Samples) -> Any:
    """The same function of the same inputs, with a Rescaling in front of each input of features.

    Inputs that a layer of the model scales already, those of token ids, those that are a layer's
    initial state, and those that no layer reads stay as they are.

    Args:
        model: a built Sequential or Functional Keras model.
        data: samples, one array (samples, ..., features) per input; each feature's range in them
            becomes -1 to 1.

    Returns:
        a Functional Keras model with weights of its own; its outputs are equal within float32's
        precision.

    Raises:
        UnspoolError: the samples do not fit, or the reader of an input is not a single SimpleRNN,
            GRU, LSTM, Bidirectional, Dense or unpadded Conv1D layer.

    Example:
        >>> scaled = unspool.with_feature_scales(model, data)
        >>> unspool.inspect(scaled)[0].action  # what becomes of its first layer
        'input'
    """
    inputs, scaled = structure.inputs(model), leading(model)
    arrays = samples.check(data, inputs, "samples")
    scalings: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for tensor, spec, array, lead in zip(model.inputs, inputs, arrays, scaled, strict=True):
        nodes = [node for node in graph.readers(model, tensor) if not _as_state(node, tensor)]
        if nodes and lead is None and spec.dtype == "float32" and array.ndim > 1:
            scalings[_reader(model, nodes, spec.name).name] = _scaling(array)
    if not scalings:
        return model
    rescaled = keras.models.clone_model(
        graph.functional(model),
        clone_function=lambda layer: _clone(layer, layer.name in scalings),
        call_function=lambda layer, *args, **kwargs: _called(layer, scalings, args, kwargs),
    )
    for layer in graph.functional(model).layers:
        weights = layer.get_weights()
        if layer.name in scalings:
            weights = _refolded(layer, weights, *scalings[layer.name])
        if weights:
            rescaled.get_layer(layer.name).set_weights(weights)
    return with_loss(rescaled, model)


def _as_state(node: Any, tensor: Any) -> bool:
    """Whether a call of a recurrent layer takes a tensor as a state, which has no kernel."""
    recurrent = isinstance(node.operation, keras.layers.RNN | keras.layers.Bidirectional)
    return recurrent and node.input_tensors[0] is not tensor


def _reader(model: Any, nodes: Sequence[Any], name: str) -> Any:
    """The only layer that reads an input, if its kernel can take the scales.

    Raises:
        UnspoolError: several layers read it, or one whose kernel cannot take them.
    """
    layer = nodes[0].operation
    convolves = isinstance(layer, keras.layers.Conv1D)
    padded = convolves and layer.padding != "valid"
    other = convolves and (layer.groups != 1 or layer.data_format != "channels_last")
    alone = len(nodes) == 1 and len(graph.calls(model, layer)) == 1
    wraps = isinstance(layer, keras.layers.Bidirectional)
    known = isinstance(layer.forward_layer if wraps else layer, _READERS)
    if not alone or padded or other or not known or type(layer) not in _READERS:
        what = " and ".join(f"{n.operation.name!r} ({type(n.operation).__name__})" for n in nodes)
        raise UnspoolError(
            f"feature scales: input {name!r} is read by {what}"
            f"{', which pads with zeros' * padded}; expected one recurrent, Dense or plain, "
            "unpadded Conv1D layer: put a Normalization layer in front of it and train again"
        )
    return layer


def _scaling(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(shift, factor) that map each feature's range to -1 to 1; a constant feature becomes 0."""
    rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
    low, high = rows.min(axis=0), rows.max(axis=0)
    return (low + high) / 2, np.where(high > low, 2 / np.maximum(high - low, 1e-300), 1.0)


def _clone(layer: Any, with_bias: bool) -> Any:
    config = layer.get_config()
    if with_bias:  # which takes the sum that the shift adds
        inner = [config[key]["config"] for key in ("layer", "backward_layer") if config.get(key)]
        for settings in inner or [config]:
            settings["use_bias"] = True
    return type(layer).from_config(config)


def _called(layer: Any, scalings: Any, args: Any, kwargs: Any) -> Any:
    if layer.name in scalings:
        shift, factor = scalings[layer.name]
        in_front = keras.layers.Rescaling(
            factor.tolist(), (-shift * factor).tolist(), name=f"{layer.name}_feature_scales"
        )
        args = (in_front(args[0]), *args[1:])
    return layer(*args, **kwargs)


def _refolded(
    layer: Any, weights: list[np.ndarray], shift: np.ndarray, factor: np.ndarray
) -> list[np.ndarray]:
    """Weights of a layer that reads `(x - shift) * factor` in place of `x`."""
    if isinstance(layer, keras.layers.Bidirectional):
        half = len(weights) // 2
        parts = zip((layer.forward_layer, layer.backward_layer), (0, half), strict=True)
        return [
            weight
            for inner, start in parts
            for weight in _refolded(inner, weights[start : start + half], shift, factor)
        ]
    kernel = weights[0].astype(np.float64)  # (..., features, columns)
    added = np.einsum("nfc,f->c", kernel.reshape(-1, *kernel.shape[-2:]), shift)
    others = weights[1:2] if isinstance(layer, _RECURRENT) else []
    columns = kernel.shape[-1]
    bias = weights[1 + len(others)] if layer.use_bias else _no_bias(layer, columns)
    bias = bias.astype(np.float64)
    if bias.ndim == 2:  # GRU with reset_after: that of the input, that of the state
        bias[0] += added
    else:
        bias += added
    return [(kernel / factor[:, None]).astype(np.float32), *others, bias.astype(np.float32)]


def _no_bias(layer: Any, columns: int) -> np.ndarray:
    two = isinstance(layer, keras.layers.GRU) and layer.reset_after
    return np.zeros((2, columns) if two else columns)
