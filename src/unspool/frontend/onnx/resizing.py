"""Resize and Upsample by whole factors, to the nearest entry: each entry so many times."""

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx import sliding
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value

_FLOOR = {"floor"}
_ROUND = {"round_prefer_floor", "round_prefer_ceil"}
_REPEATS = {"asymmetric": _FLOOR, "half_pixel": _ROUND, "pytorch_half_pixel": _ROUND}
"""How places are computed -> how they are rounded, so that whole factors repeat each entry."""


def _resize(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    mode = _text(node, "mode", "nearest")
    if mode != "nearest":
        raise UnspoolError(f"resizes with mode={mode!r}; expected 'nearest'")
    factors = _factors(node, scope, value)
    axes = sliding.spatial(value)
    beside = [factor for axis, factor in enumerate(factors) if axis not in axes]
    if any(factor != 1 for factor in beside) or any(factor % 1 or factor < 1 for factor in factors):
        raise UnspoolError(
            f"resizes {value.shape} by {', '.join(f'{factor:g}' for factor in factors)}; expected "
            "whole factors, 1 for batch and channels"
        )
    places = _text(node, "coordinate_transformation_mode", "half_pixel")
    rounded = _text(node, "nearest_mode", "round_prefer_floor")
    if node.op == "Resize" and rounded not in _REPEATS.get(places, ()) and not _is_old(node):
        raise UnspoolError(
            f"takes entries by {places!r} and {rounded!r}; expected such as repeat each entry: "
            "'asymmetric' and 'floor'"
        )
    times = [int(factors[axis]) for axis in axes]
    layer = sliding.layer("Resize", len(axes))
    return sliding.applied(layer(times[0] if len(axes) == 1 else times, name=node.name), value)


def _factors(node: Node, scope: Scope, value: Value) -> list[float]:
    """By which each axis grows: as opset 7 to 10 have it, or later ones, or by sizes."""
    if node.op == "Upsample" or _is_old(node):
        scales = scope.given(node, 1, "scales")
    else:
        scales = scope.given(node, 2)
        sizes = scope.given(node, 3)
        if sizes is not None and (scales is None or not scales.size):
            scales = sizes / np.asarray(value.shape)
    if scales is None or scales.size != len(value.axes):
        raise UnspoolError("resizes some axes alone; expected a factor for each")
    return [float(factor) for factor in scales.ravel()]


def _is_old(node: Node) -> bool:
    """Whether it is of opset 10, which has scales alone, and repeats."""
    return len(node.inputs) == 2


def _text(node: Node, name: str, default: str) -> str:
    value = node.attributes.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


FORMS: dict[str, Build] = {"Resize": _resize, "Upsample": _resize}
