"""Normalizations: by what was learned, by a row's own mean, by a group's."""

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.building import Build, Scope
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.values import Value, arranged, laid_out, natural_order
from unspool.support._tensorflow import keras


def _batch(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    if node.attributes.get("training_mode", 0) or len(node.outputs) > 1:
        raise UnspoolError("was exported in training mode; call model.eval() before the export")
    weights = [scope.needs(node, n) for n in (1, 2, 3, 4)]
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
    result = layer(arranged(value, order))
    width = value.shape[over[0]]
    layer.set_weights(
        [np.broadcast_to(w.ravel(), (width,)) for w in (scale, shift) if w is not None]
    )
    return laid_out(result, order, rank)


def _group(node: Node, scope: Scope) -> Value:
    groups = node.attributes.get("num_groups", 0)
    return _grouped(node, scope, int(groups), node.attributes.get("epsilon", 1e-5))


def _instance(node: Node, scope: Scope) -> Value:
    channels = scope.value(node).shape[1]
    return _grouped(node, scope, channels, node.attributes.get("epsilon", 1e-5))


def _grouped(node: Node, scope: Scope, groups: int, epsilon: float) -> Value:
    value, scale, shift = scope.value(node), scope.needs(node, 1), scope.needs(node, 2)
    channels = value.shape[1]
    scale, shift = (
        w if w.size == channels else np.repeat(w, channels // groups) for w in (scale, shift)
    )
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
