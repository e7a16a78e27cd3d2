"""Pad: zeros or another constant, the last entries again, or those before them mirrored."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Scope
from unspool.frontend.onnx.sliding import layer, spatial
from unspool.frontend.onnx.values import Value, arranged, laid_out, natural_order
from unspool.support._tensorflow import keras


def pad(node: Node, scope: Scope) -> Value:
    """The value of a Pad."""
    value = scope.value(node)
    pads = scope.given(node, 1, "pads")
    fill = scope.given(node, 2, "value")
    mode = node.attributes.get("mode", "constant")
    if pads is None or mode not in ("constant", "edge", "reflect"):
        raise UnspoolError(f"pads with mode={mode!r}; expected 'constant', 'edge' or 'reflect'")
    if (pads < 0).any():
        raise UnspoolError("pads by less than nothing; expected a Slice")
    rank = len(value.axes)
    axes = scope.given(node, 3)
    places = range(rank) if axes is None else [int(axis) % rank for axis in axes]
    by_axis = dict(zip(places, zip(*np.split(pads.astype(int), 2), strict=True), strict=True))
    padded = {axis for axis, sides in by_axis.items() if any(sides)}
    order = natural_order(value)
    slides = spatial(value)
    if len(slides) in (1, 2) and padded <= set(slides) and value.axes[0] is None:
        order = [*slides, 1]  # as a convolution takes it
    order = order if padded <= set(order) else sorted({*order, *padded})
    if not padded:
        return value
    sides = [(0, 0), *(tuple(map(int, by_axis.get(axis, (0, 0)))) for axis in order)]
    tensor = arranged(value, order)
    if mode == "edge":
        return laid_out(_with_edges(tensor, sides), order, rank)
    constant = 0.0 if fill is None or mode == "reflect" else float(fill.item())
    if mode == "constant" and not constant and sides[-1] == (0, 0) and len(sides) in (3, 4):
        zeros = layer("pad", len(sides) - 2)  # whose rows in time a stream knows
        return laid_out(zeros(sides[1] if len(sides) == 3 else sides[1:3])(tensor), order, rank)
    arguments = {"constant_values": constant} if constant else {}
    return laid_out(keras.ops.pad(tensor, sides, mode, **arguments), order, rank)


def with_edges(value: Value, sides: Sequence[tuple[int, int]]) -> Value:
    """The first and the last entry of each axis that is slid over, so many times more."""
    order = [*spatial(value), 1]
    if value.axes[0] is not None:
        order = [0, *order]
    around = [(0, 0)] * (len(order) - len(sides)) + [*sides, (0, 0)]
    return laid_out(_with_edges(arranged(value, order), around), order, len(value.axes))


def _with_edges(tensor: Any, sides: Sequence[tuple[int, ...]]) -> Any:
    """The first and the last entry of each axis, so many times more."""
    for axis, (before, behind) in enumerate(sides):
        first, last = ((*[slice(None)] * axis, part) for part in (slice(1), slice(-1, None)))
        ends = [keras.ops.repeat(tensor[first], before, axis)] if before else []
        ends += [tensor]
        ends += [keras.ops.repeat(tensor[last], behind, axis)] if behind else []
        tensor = keras.ops.concatenate(ends, axis) if len(ends) > 1 else tensor
    return tensor
