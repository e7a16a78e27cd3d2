"""Normalizations: by what was learned, by a row's own mean, by a group's."""

from collections.abc import Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value, arranged, laid_out, natural_order
from unspool.support._tensorflow import keras


def _batch(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    if node.attributes.get("training_mode", 0) or any(node.outputs[1:]):
        raise UnspoolError("was exported in training mode; call model.eval() before the export")
    weights = [scope.needs(node, n) for n in (1, 2, 3, 4)]
    _check_channels(weights, value)
    order = [axis for axis in natural_order(value) if axis != 1] + [1]
    layer = keras.layers.BatchNormalization(
        epsilon=node.attributes.get("epsilon", 1e-5), name=node.name
    )
    result = layer(arranged(value, order))
    layer.set_weights(weights)
    return laid_out(result, order, len(value.axes))


def _layer(node: Node, scope: Scope) -> Value:
    value, scale, shift = scope.value(node), scope.needs(node, 1), scope.given(node, 2)
    rank = len(value.axes)
    axis = node.attributes.get("axis", -1) % rank
    over = [n for n in range(axis, rank) if value.axes[n] is not None]
    if len(over) != 1:
        raise UnspoolError(f"goes over axes {over}; expected the last one of more than one entry")
    order = [n for n in natural_order(value) if n not in over] + over
    layer = keras.layers.LayerNormalization(
        epsilon=node.attributes.get("epsilon", 1e-5), center=shift is not None, name=node.name
    )
    rows = [_row(w, value, over[0]) for w in (scale, shift) if w is not None]
    result = layer(arranged(value, order))
    layer.set_weights(rows)
    return laid_out(result, order, rank)


def _row(weights: np.ndarray, value: Value, axis: int) -> np.ndarray:
    """Weights along one axis, by ONNX's broadcasting.

    Raises:
        UnspoolError: they are others along another axis, too.
    """
    rank = len(value.axes)
    shape = (1,) * (rank - weights.ndim) + weights.shape
    if weights.size not in (1, value.shape[axis]) or weights.size != shape[axis]:
        raise UnspoolError(
            f"has weights of {weights.shape} for axis {axis} of {value.shape}; expected a row"
        )
    return np.broadcast_to(weights.ravel(), (value.shape[axis],))


def _check_channels(weights: Sequence[np.ndarray], value: Value) -> None:
    for array in weights:
        if array.shape != value.shape[1:2]:
            raise UnspoolError(f"has weights of {array.shape} for axis 1 of {value.shape}")


def _group(node: Node, scope: Scope) -> Value:
    groups = node.attributes.get("num_groups", 0)
    return _grouped(node, scope, int(groups), node.attributes.get("epsilon", 1e-5))


def _instance(node: Node, scope: Scope) -> Value:
    channels = scope.value(node).shape[1]
    return _grouped(node, scope, channels, node.attributes.get("epsilon", 1e-5))


def _grouped(node: Node, scope: Scope, groups: int, epsilon: float) -> Value:
    value, scale, shift = scope.value(node), scope.needs(node, 1), scope.needs(node, 2)
    channels = value.shape[1]
    if groups < 1 or channels % groups:
        raise UnspoolError(f"has {groups} groups of {channels} channels; expected equal ones")
    if scope.graph.opset < 21 and node.op == "GroupNormalization":  # one for each group
        scale, shift = (np.repeat(w, channels // groups) for w in (scale, shift))
    _check_channels([scale, shift], value)
    order = [axis for axis in natural_order(value) if axis not in (0, 1)] + [1]
    layer = keras.layers.GroupNormalization(groups, epsilon=epsilon, name=node.name)
    result = layer(arranged(value, order))
    layer.set_weights([scale, shift])
    return laid_out(result, order, len(value.axes))


FORMS: dict[str, Build] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
}
"""Operators that subtract a mean and divide by a deviation."""
