"""Convolutions and pools: channels behind, as Keras and the NPU have them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.building import Build, Scope
from unspool.frontend.onnx.dense import diagonal
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.values import Value, arranged, laid_out
from unspool.support._tensorflow import keras

L = keras.layers
_LAYERS = {
    "Conv": (L.Conv1D, L.Conv2D),
    "depthwise": (L.DepthwiseConv1D, L.DepthwiseConv2D),
    "ConvTranspose": (L.Conv1DTranspose, L.Conv2DTranspose),
    "MaxPool": (L.MaxPooling1D, L.MaxPooling2D),
    "AveragePool": (L.AveragePooling1D, L.AveragePooling2D),
    "GlobalMaxPool": (L.GlobalMaxPooling1D, L.GlobalMaxPooling2D),
    "GlobalAveragePool": (L.GlobalAveragePooling1D, L.GlobalAveragePooling2D),
    "pad": (L.ZeroPadding1D, L.ZeroPadding2D),
    "crop": (L.Cropping1D, L.Cropping2D),
}


def _kind(kind: str, dimensions: int) -> Any:
    """Keras's layer for one or two axes that are slid over."""
    if dimensions not in (1, 2):
        raise UnspoolError(f"slides over {dimensions} axes; expected one or two")
    return _LAYERS[kind][dimensions - 1]


def _spatial(value: Value) -> list[int]:
    return list(range(2, len(value.axes)))


def _applied(layer: Any, value: Value, weights: Sequence[np.ndarray] = ()) -> Value:
    """A layer on (None, ..., channels); a batch of frames is one of Keras's axes."""
    rank, order = len(value.axes), [*_spatial(value), 1]
    if value.axes[0] is not None:
        order = [0, *order]
        layer = _over_frames(layer)
        if type(layer).__name__.endswith("2D"):  # over the frames by one, which is no axis of 1-D
            weights = [w[None] if w.ndim == 3 else w for w in weights]
    result = layer(arranged(value, order))
    layer.set_weights(list(weights))
    return laid_out(result, order, rank)


_TWINS: dict[str, Any] = {
    "Conv1D": L.Conv2D,
    "DepthwiseConv1D": L.DepthwiseConv2D,
    "Conv1DTranspose": L.Conv2DTranspose,
    "MaxPooling1D": L.MaxPooling2D,
    "AveragePooling1D": L.AveragePooling2D,
    "ZeroPadding1D": L.ZeroPadding2D,
    "Cropping1D": L.Cropping2D,
}

_BY_ONE = {"kernel_size": 1, "strides": 1, "pool_size": 1, "dilation_rate": 1}
_BY_NONE = ("padding", "cropping")


def _over_frames(layer: Any) -> Any:
    """The layer on each of many frames: where it slides over one axis, a twin over two."""
    twin = _TWINS.get(type(layer).__name__)
    if twin is None:
        return L.TimeDistributed(layer, name=layer.name)
    settings = layer.get_config()
    for key, one in _BY_ONE.items():
        if key in settings:
            settings[key] = (one, *np.ravel(settings[key]).tolist())
    for key in _BY_NONE:
        if key in settings and not isinstance(settings[key], str):
            settings[key] = ((0, 0), tuple(settings[key]))
    return twin.from_config(settings)


def _pads(node: Node, value: Value, kernel: Sequence[int]) -> list[tuple[int, int]]:
    """Entries that are added in front of and behind each axis."""
    auto = node.attributes.get("auto_pad", "NOTSET")
    count = len(kernel)
    if auto in ("NOTSET", ""):
        flat = list(node.attributes.get("pads", [0] * 2 * count))
        return list(zip(flat[:count], flat[count:], strict=True))
    if auto == "VALID":
        return [(0, 0)] * count
    sides = []
    spans, strides = _spans(node, kernel), _strides(node, count)
    for axis, span, stride in zip(_spatial(value), spans, strides, strict=True):
        size = value.shape[axis]
        small, large = _same_sides(size, span, stride)
        sides.append((small, large) if auto == "SAME_UPPER" else (large, small))
    return sides


def _same_sides(length: int, span: int, stride: int) -> tuple[int, int]:
    """What Keras's padding "same" adds in front of an axis and behind it."""
    total = max((-(-length // stride) - 1) * stride + span - length, 0)
    return total // 2, total - total // 2


def _strides(node: Node, count: int) -> list[int]:
    return list(node.attributes.get("strides", [1] * count))


def _dilations(node: Node, count: int) -> list[int]:
    return list(node.attributes.get("dilations", [1] * count))


def _spans(node: Node, kernel: Sequence[int]) -> list[int]:
    """How many entries a kernel reaches over."""
    dilations = _dilations(node, len(kernel))
    return [(size - 1) * far + 1 for size, far in zip(kernel, dilations, strict=True)]


def _padding(node: Node, value: Value, kernel: Sequence[int]) -> tuple[str, Value]:
    """Keras's padding, and the value with zeros around it where Keras has no name for them."""
    pads = _pads(node, value, kernel)
    if not any(map(any, pads)):
        return "valid", value
    if set(_strides(node, len(kernel))) == {1} and all(
        pad == ((span - 1) // 2, span - 1 - (span - 1) // 2)
        for pad, span in zip(pads, _spans(node, kernel), strict=True)
    ):
        return "same", value
    around = pads[0] if len(pads) == 1 else tuple(pads)
    return "valid", _applied(_kind("pad", len(pads))(around), value)


def _check_kernel(value: Value, kernel: np.ndarray, channels: int) -> None:
    if len(value.axes) != kernel.ndim or value.shape[1] != channels:
        raise UnspoolError(f"slides a kernel of {kernel.shape} over {value.shape}, which misfit")


def _conv(node: Node, scope: Scope) -> Value:
    value, kernel, bias = scope.value(node), scope.needs(node, 1), scope.given(node, 2)
    sizes = kernel.shape[2:]
    groups, channels = node.attributes.get("group", 1), value.shape[1]
    _check_kernel(value, kernel, kernel.shape[1] * groups)
    padding, padded = _padding(node, value, sizes)
    settings = {
        "strides": _strides(node, len(sizes)),
        "dilation_rate": _dilations(node, len(sizes)),
        "padding": padding,
        "use_bias": bias is not None,
        "name": node.name,
    }
    behind = [*range(2, kernel.ndim), 1, 0]
    if groups == channels > 1:
        layer = _kind("depthwise", len(sizes))(
            sizes, depth_multiplier=kernel.shape[0] // groups, **settings
        )
        shaped = kernel.transpose(behind).reshape(*sizes, groups, -1)
    else:
        layer = _kind("Conv", len(sizes))(kernel.shape[0], sizes, groups=groups, **settings)
        shaped = kernel.transpose(behind)
    return _applied(layer, padded, [shaped, *([] if bias is None else [bias])])


def _conv_transpose(node: Node, scope: Scope) -> Value:
    value, kernel, bias = scope.value(node), scope.needs(node, 1), scope.given(node, 2)
    sizes = kernel.shape[2:]
    count = len(sizes)
    if "output_shape" in node.attributes:
        raise UnspoolError("has the attribute output_shape, which has no form yet; expected pads")
    _check_kernel(value, kernel, kernel.shape[0])
    groups = node.attributes.get("group", 1)
    kernel = diagonal(kernel.reshape(groups, -1, *kernel.shape[1:]))
    if set(_dilations(node, count)) != {1}:
        raise UnspoolError("has dilations, which have no form on the NPU")
    layer = _kind("ConvTranspose", count)(
        kernel.shape[1],
        sizes,
        strides=_strides(node, count),
        padding="valid",
        use_bias=bias is not None,
        name=node.name,
    )
    shaped = kernel.transpose([*range(2, kernel.ndim), 1, 0])
    whole = _applied(layer, value, [shaped, *([] if bias is None else [bias])])
    sides = _cropped(node, value, sizes)
    if not any(map(any, sides)):
        return whole
    return _applied(_kind("crop", count)(sides[0] if count == 1 else tuple(sides)), whole)


def _cropped(node: Node, value: Value, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Entries that Keras's layer makes and ONNX's node does not, in front of and behind each axis.

    Raises:
        UnspoolError: ONNX's node makes more.
    """
    if node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID", ""):
        raise UnspoolError(f"has auto_pad={node.attributes['auto_pad']!r}; expected pads")
    more = node.attributes.get("output_padding", [0] * len(sizes))
    strides = _strides(node, len(sizes))
    sides = [
        (front, behind - extra + max(stride - size, 0))  # Keras fills up the last stride
        for (front, behind), extra, stride, size in zip(
            _pads(node, value, sizes), more, strides, sizes, strict=True
        )
    ]
    if min(map(min, sides)) < 0:
        raise UnspoolError(f"adds output_padding={list(more)} to what it makes; expected less")
    return sides


def _pool(node: Node, scope: Scope) -> Value:
    value, sizes = scope.value(node), node.attributes["kernel_shape"]
    if node.attributes.get("ceil_mode") and _has_rest(node, value, sizes):
        raise UnspoolError("pools what is left over at the end (ceil_mode=1); expected ceil_mode=0")
    if set(_dilations(node, len(sizes))) != {1}:
        raise UnspoolError("has dilations, which have no form on the NPU")
    strides = _strides(node, len(sizes))
    pads = _pads(node, value, sizes)
    padding = "valid"
    if any(map(any, pads)) and node.attributes.get("count_include_pad", 0):
        value = _applied(_kind("pad", len(pads))(pads[0] if len(pads) == 1 else tuple(pads)), value)
    elif any(map(any, pads)):
        padding = "same"
        _check_same(value, sizes, strides, pads)
    layer = _kind(node.op, len(sizes))(sizes, strides=strides, padding=padding, name=node.name)
    return _applied(layer, value)


def _has_rest(node: Node, value: Value, sizes: Sequence[int]) -> bool:
    strides = _strides(node, len(sizes))
    pads = _pads(node, value, sizes)
    return any(
        (value.shape[axis] + sum(pad) - size) % stride
        for axis, size, stride, pad in zip(_spatial(value), sizes, strides, pads, strict=True)
    )


def _check_same(
    value: Value, sizes: Sequence[int], strides: Sequence[int], pads: Sequence[tuple[int, int]]
) -> None:
    """Check that padding is Keras's "same": a pool looks at no padded entry, a mean counts none."""
    for axis, size, stride, pad in zip(_spatial(value), sizes, strides, pads, strict=True):
        length = value.shape[axis]
        if tuple(pad) != _same_sides(length, size, stride):
            raise UnspoolError(
                f"pads axis {axis} of {length} entries by {tuple(pad)}, which has no form yet; "
                "expected none, or as many as keep the length"
            )


def _global_pool(node: Node, scope: Scope) -> Value:
    value = scope.value(node)
    layer = _kind(node.op, len(value.axes) - 2)(keepdims=True, name=node.name)
    return _applied(layer, value)


FORMS: dict[str, Build] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "MaxPool": _pool,
}
"""Operators that slide over axes of space or time."""
