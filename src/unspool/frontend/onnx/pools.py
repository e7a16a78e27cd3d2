"""Pools: the largest or the mean of what a window shows."""

from collections.abc import Sequence

from unspool.errors import UnspoolError
from unspool.frontend.onnx import sliding
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value


def _pool(node: Node, scope: Scope) -> Value:
    value, sizes = scope.value(node), node.attributes["kernel_shape"]
    if node.attributes.get("ceil_mode") and _has_rest(node, value, sizes):
        raise UnspoolError("pools what is left over at the end (ceil_mode=1); expected ceil_mode=0")
    if set(sliding.dilations(node, len(sizes))) != {1}:
        raise UnspoolError("has dilations, which have no form on the NPU")
    strides = sliding.strides(node, len(sizes))
    pads = sliding.pads(node, value, sizes)
    padding = "valid"
    if any(map(any, pads)) and node.attributes.get("count_include_pad", 0):
        value = sliding.with_zeros(value, pads)
    elif any(map(any, pads)):
        padding = "same"
        _check_same(value, sizes, strides, pads)
    layer = sliding.layer(node.op, len(sizes))(
        sizes, strides=strides, padding=padding, name=node.name
    )
    return sliding.applied(layer, value)


def _has_rest(node: Node, value: Value, sizes: Sequence[int]) -> bool:
    strides = sliding.strides(node, len(sizes))
    pads = sliding.pads(node, value, sizes)
    return any(
        (value.shape[axis] + sum(pad) - size) % stride
        for axis, size, stride, pad in zip(
            sliding.spatial(value), sizes, strides, pads, strict=True
        )
    )


def _check_same(
    value: Value, sizes: Sequence[int], strides: Sequence[int], pads: Sequence[tuple[int, int]]
) -> None:
    """Check that padding is Keras's "same": a pool looks at no padded entry, a mean counts none."""
    for axis, size, stride, pad in zip(sliding.spatial(value), sizes, strides, pads, strict=True):
        length = value.shape[axis]
        if tuple(pad) != sliding.same_sides(length, size, stride):
            raise UnspoolError(
                f"pads axis {axis} of {length} entries by {tuple(pad)}, which has no form yet; "
                "expected none, or as many as keep the length"
            )


def _global_pool(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    layer = sliding.layer(node.op, len(value.axes) - 2)(keepdims=True, name=node.name)
    return sliding.applied(layer, value)


FORMS: dict[str, Build] = {
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "MaxPool": _pool,
}
"""Operators that slide a window over axes of space or time."""
