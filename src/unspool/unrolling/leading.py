"""Layers that only scale an input: whoever quantizes the input can do that at no cost.

Inside the network they would come after quantization: an input has one scale, and a small feature
beside a large one is lost before a Normalization can help. Applied before quantization, they give
every feature the full range of levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.frontend.graph import calls, readers
from unspool.frontend.structure import REMOVED, spread
from unspool.support._tensorflow import keras
from unspool.tflite.input_scaling import InputScaling


@dataclass(frozen=True)
class Leading:
    """The layers behind an input that only scale it.

    Attributes:
        layers: one after the other.
        shift: of `(x - shift) * factor`, which all of them together compute; (features,) or (1,).
        factor: the same.
    """

    layers: tuple[Any, ...]
    shift: np.ndarray
    factor: np.ndarray


class Scaled(keras.layers.Layer):  # type: ignore[misc]
    """`(x - shift) * factor`, for each feature along the last axis."""

    def __init__(self, leading: Leading, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.shift = tuple(np.asarray(leading.shift, np.float32).tolist())
        self.factor = tuple(np.asarray(leading.factor, np.float32).tolist())

    def call(self, x: Any) -> Any:
        """Scale (..., features)."""
        return (x - np.asarray(self.shift, np.float32)) * np.asarray(self.factor, np.float32)


def leading(model: Any) -> tuple[Leading | None, ...]:
    """The layers that only scale each input of a trained Keras model; None for inputs without.

    These are Normalization, Rescaling and BatchNormalization along the last axis, each called
    once, where no other layer reads the same tensor. A Masking layer may come first.
    """
    return tuple(_of_input(tensor, model) for tensor in model.inputs)


def input_scalings(
    leads: Sequence[Leading | None], names: Sequence[str]
) -> dict[int, InputScaling]:
    """Position of an input -> its scaling; `leads` is what `leading` returns."""
    return {
        position: _scaling(name, Scaled(lead))
        for position, (lead, name) in enumerate(zip(leads, names, strict=True))
        if lead is not None
    }


def stripped(deploy_model: Any, names: Sequence[str]) -> tuple[Any, dict[int, InputScaling]]:
    """A deploy model without the `Scaled` layers behind its inputs, and their scalings.

    Args:
        deploy_model: as `unroll` returns it.
        names: of its inputs in the .tflite.

    Returns:
        a Keras model that takes scaled inputs; position of an input -> its scaling.
    """
    inputs, scalings = [], {}
    for position, (tensor, name) in enumerate(zip(deploy_model.inputs, names, strict=True)):
        reading = readers(deploy_model, tensor)
        if len(reading) == 1 and isinstance(reading[0].operation, Scaled):
            scalings[position] = _scaling(name, reading[0].operation)
            inputs.append(reading[0].outputs[0])
        else:
            inputs.append(tensor)
    if not scalings:
        return deploy_model, {}
    return keras.Model(inputs, deploy_model.outputs, name=deploy_model.name), scalings


def _scaling(name: str, layer: Scaled) -> InputScaling:
    return InputScaling(name, layer.shift, layer.factor)


def _of_input(tensor: Any, model: Any) -> Leading | None:
    factor, offset = np.ones(1), np.zeros(1)  # x * factor + offset
    layers: list[Any] = []
    scales = False
    while not any(tensor is output for output in model.outputs):
        reading = readers(model, tensor)
        if len(reading) != 1 or len(calls(model, reading[0].operation)) != 1:
            break
        layer = reading[0].operation
        is_first_masked = isinstance(layer, keras.layers.Masking) and not scales
        if not isinstance(layer, REMOVED) and not is_first_masked:
            step = _affine(layer, tensor)
            if step is None:
                break
            factor, offset = factor * step[0], offset * step[0] + step[1]
            scales = True
        layers.append(layer)
        tensor = reading[0].outputs[0]
    if not scales or not np.all(factor) or not np.isfinite([*factor, *offset]).all():
        return None
    factor, offset = np.broadcast_arrays(factor, offset)
    return Leading(tuple(layers), 0.0 - offset / factor, factor)


def _affine(layer: Any, tensor: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """(factor, offset) of a layer that is `x * factor + offset` along the last axis, or None."""
    match layer:
        case Scaled():
            factor, offset = np.array(layer.factor), -np.array(layer.shift) * layer.factor
        case keras.layers.Rescaling():
            factor, offset = layer.scale, layer.offset
        case keras.layers.Normalization():
            width, mean = spread(layer), np.asarray(layer.mean)
            factor, offset = (width, mean) if layer.invert else (1 / width, -mean / width)
        case keras.layers.BatchNormalization() if layer.axis in (-1, len(tensor.shape) - 1):
            variance = np.asarray(layer.moving_variance, np.float64)
            gamma = np.asarray(layer.gamma) if layer.scale else 1.0
            factor = gamma / np.sqrt(variance + layer.epsilon)
            beta = np.asarray(layer.beta) if layer.center else 0.0
            offset = beta - np.asarray(layer.moving_mean) * factor
        case _:
            return None
    values = [np.asarray(value, np.float64) for value in (factor, offset)]
    features = tensor.shape[-1]
    if any(v.size not in (1, features) or (v.ndim and v.shape[-1] != v.size) for v in values):
        return None  # along another axis
    return values[0].reshape(-1), values[1].reshape(-1)
