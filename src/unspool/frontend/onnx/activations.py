"""Activations of ONNX as nodes of their own, by Keras's names."""

import warnings
from typing import Any

import numpy as np

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx.cell_activations import hard_sigmoid
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value, arranged, laid_out, natural_order
from unspool.support._tensorflow import keras
from unspool.support.text import in_a_line


def _named(activation: Any) -> Build:
    """A node whose function Keras knows by a name."""

    def build(node: Node, scope: Scope) -> Value:
        value = scope.value(node)
        return value.like(keras.layers.Activation(activation, name=node.name)(value.tensor))

    return build


def _layered(make: Any) -> Build:
    """A node of a layer that works on each entry, made of the node."""

    def build(node: Node, scope: Scope) -> Value:
        value = scope.value(node)
        return value.like(make(node)(value.tensor))

    return build


def _gelu(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    approximate = node.attributes.get("approximate", "none") == "tanh"
    return value.like(keras.ops.gelu(value.tensor, approximate=approximate))


def _selu(node: Node, scope: Scope) -> Value:
    for name, usual in (("alpha", 1.67326), ("gamma", 1.0507)):
        attribute = node.attributes.get(name, usual)
        if abs(attribute - usual) > 1e-4:
            raise UnspoolError(f"has {name}={attribute:g}; expected {usual:g}, as Keras's selu")
    return _named("selu")(node, scope)  # type: ignore[return-value]


def _swish(node: Node, scope: Scope) -> Value:
    if node.attributes.get("alpha", 1.0) != 1:
        raise UnspoolError(f"has alpha={node.attributes['alpha']:g}; expected 1")
    return _named("silu")(node, scope)  # type: ignore[return-value]


def _log_softmax(node: Node, scope: Scope) -> Value:
    """The order of classes is Softmax's; a logarithm of small numbers has no good int8 form."""
    read = any(node.outputs[0] in other.inputs for other in scope.graph.nodes)
    if read or node.outputs[0] not in scope.graph.outputs:
        raise UnspoolError("is read by other nodes, and has no form on the NPU; use Softmax")
    warnings.warn(
        in_a_line(
            f"node {node.name!r}: output {node.outputs[0]!r} gives probabilities (Softmax) in "
            "place of their logarithms (LogSoftmax): the order of classes is the same"
        ),
        UnspoolWarning,
        stacklevel=2,
    )
    return _softmax(node, scope)


def _softmax(node: Node, scope: Scope) -> Value:
    """Over one axis; before opset 13 over all from one on, the others of which are of size one."""
    value = scope.value(node)
    rank = len(value.axes)
    axis = node.attributes.get("axis", -1 if scope.graph.opset >= 13 else 1) % rank
    if scope.graph.opset < 13:
        over = [n for n in range(axis, rank) if value.axes[n] is not None] or [axis]
        if len(over) > 1:
            raise UnspoolError(f"goes over axes {over} at once; expected one (opset 13 or later)")
        axis = over[0]
    if value.shape[axis] == 1:
        raise UnspoolError(
            f"goes over axis {axis} of {value.shape}, of which it makes ones; expected more entries"
        )
    order = natural_order(value)
    place = order.index(axis) + 1
    tensor = arranged(value, order)
    last = place == len(order)
    layer = keras.layers.Softmax(axis=-1 if last else place, name=node.name)
    return laid_out(layer(tensor), order, rank)


def _prelu(node: Node, scope: Scope) -> Value:
    value, slopes = scope.value(node), scope.needs(node, 1)
    if slopes.size == 1 and slopes.item() >= 0:
        layer = keras.layers.LeakyReLU(negative_slope=slopes.item(), name=node.name)
        return value.like(layer(value.tensor))
    rank = len(value.axes)
    axes = [rank - slopes.ndim + n for n, size in enumerate(slopes.shape) if size != 1]
    if any(slopes.shape[axis - rank] != value.shape[axis] for axis in axes):
        raise UnspoolError(f"has slopes of {slopes.shape} for {value.shape}")
    order = [axis for axis in natural_order(value) if axis not in axes] + axes
    tensor = arranged(value, order)
    shared = list(range(1, len(order) - len(axes) + 1))
    layer = keras.layers.PReLU(shared_axes=shared, name=node.name)
    result = layer(tensor)
    sizes = [size for size in slopes.shape if size != 1]
    layer.set_weights([slopes.reshape((*[1] * len(shared), *sizes))])
    return laid_out(result, order, rank)


def _clip(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    low, high = scope.given(node, 1, "min"), scope.given(node, 2, "max")
    if low is not None and high is not None and low == 0 and high == 6:
        return value.like(keras.layers.Activation("relu6", name=node.name)(value.tensor))
    if low is not None and high is None and low == 0:
        return value.like(keras.layers.Activation("relu", name=node.name)(value.tensor))
    lowest = -np.inf if low is None else float(low.item())
    highest = np.inf if high is None else float(high.item())
    return value.like(keras.ops.clip(value.tensor, lowest, highest))


def _hard_sigmoid(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    activation = hard_sigmoid(node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5))
    tensor = value.tensor
    if (activation.scale, activation.shift) != (1, 0):
        tensor = keras.layers.Rescaling(activation.scale, activation.shift)(tensor)
    return value.like(keras.layers.Activation(activation.keras, name=node.name)(tensor))


FORMS: dict[str, Build] = {
    "Celu": _layered(
        lambda node: lambda x: keras.ops.celu(x, alpha=node.attributes.get("alpha", 1.0))
    ),
    "Clip": _clip,
    "Elu": _layered(lambda node: keras.layers.ELU(node.attributes.get("alpha", 1.0))),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _named("hard_silu"),
    "LeakyRelu": _layered(
        lambda node: keras.layers.LeakyReLU(
            negative_slope=node.attributes.get("alpha", 0.01), name=node.name
        )
    ),
    "LogSoftmax": _log_softmax,
    "Mish": _named("mish"),
    "PRelu": _prelu,
    "Relu": _named("relu"),
    "Selu": _selu,
    "Sigmoid": _named("sigmoid"),
    "Softmax": _softmax,
    "Softplus": _named("softplus"),
    "Softsign": _named("softsign"),
    "Swish": _swish,
    "Tanh": _named("tanh"),
}
"""Operators of one value, entry by entry or over one axis."""
