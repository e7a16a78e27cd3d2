"""Pools: the largest or the mean of what a window shows."""

from collections.abc import Sequence

from unspool.errors import UnspoolError
from unspool.frontend.onnx import sliding
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.padding import with_edges
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value


def _pool(node: Node, scope: Scope) -> Value:
    value, sizes = scope.value(node), node.attributes["kernel_shape"]
    if set(sliding.dilations(node, len(sizes))) != {1}:
        raise UnspoolError("has dilations, which have no form on the NPU")
    strides = sliding.strides(node, len(sizes))
    pads = sliding.pads(node, value, sizes)
    if node.attributes.get("ceil_mode"):
        pads = _to_the_end(node, value, sizes, pads)
    padding = "valid"
    if any(map(any, pads)) and node.attributes.get("count_include_pad", 0):
        value = sliding.with_zeros(value, pads)
    elif any(map(any, pads)) and _are_same(value, sizes, strides, pads):
        padding = "same"
    elif any(map(any, pads)):
        _check_edges(node, value, sizes, pads)
        value = with_edges(value, pads)
    layer = sliding.layer(node.op, len(sizes))(
        sizes, strides=strides, padding=padding, name=node.name
    )
    return sliding.applied(layer, value)


def _to_the_end(
    node: Node, value: Value, sizes: Sequence[int], pads: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Padding such that a window begins with each stride that begins within (ceil_mode=1).

    Raises:
        UnspoolError: it is a mean, which would count what is padded.
    """
    sides = []
    strides = sliding.strides(node, len(sizes))
    for axis, size, stride, (front, end) in zip(
        sliding.spatial(value), sizes, strides, pads, strict=True
    ):
        length = value.shape[axis]
        rest = (length + front + end - size) % stride
        more = stride - rest if rest else 0
        begins_within = length + front + end + more - size < length + front
        sides.append((front, end + more if begins_within else end))
    if node.op != "MaxPool" and sides != list(pads):
        raise UnspoolError("averages what is left over at the end (ceil_mode=1); expected 0")
    return sides


def _are_same(
    value: Value, sizes: Sequence[int], strides: Sequence[int], pads: Sequence[tuple[int, int]]
) -> bool:
    """Whether padding is Keras's "same": a pool looks at no padded entry, a mean counts none."""
    axes = zip(sliding.spatial(value), sizes, strides, pads, strict=True)
    return all(
        tuple(pad) == sliding.same_sides(value.shape[axis], size, stride)
        for axis, size, stride, pad in axes
    )


def _check_edges(
    node: Node, value: Value, sizes: Sequence[int], pads: Sequence[tuple[int, int]]
) -> None:
    """Check that each window that sees a padded entry sees the one beside it, too.

    That one may then stand in the place of it: a largest value stays the same.

    Raises:
        UnspoolError: it does not, or a mean is taken.
    """
    for axis, size, pad in zip(sliding.spatial(value), sizes, pads, strict=True):
        if node.op != "MaxPool" or max(pad) >= size:
            raise UnspoolError(
                f"pads axis {axis} of {value.shape[axis]} entries by {tuple(pad)}, which has no "
                "form yet; expected none, or as many as keep the length"
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
