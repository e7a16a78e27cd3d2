"""What slides over axes of space or time: Keras's layers on ONNX's order of axes, strides and pads.

Keras and the NPU have the channels behind, ONNX in front of the axes that are slid over.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
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
    "Resize": (L.UpSampling1D, L.UpSampling2D),
    "pad": (L.ZeroPadding1D, L.ZeroPadding2D),
    "crop": (L.Cropping1D, L.Cropping2D),
}


def layer(kind: str, dimensions: int) -> Any:
    """Keras's layer for one or two axes that are slid over."""
    if dimensions not in (1, 2):
        raise UnspoolError(f"slides over {dimensions} axes; expected one or two")
    return _LAYERS[kind][dimensions - 1]


def spatial(value: Value) -> list[int]:
    """The axes that are slid over."""
    return list(range(2, len(value.axes)))


def applied(layer: Any, value: Value, weights: Sequence[np.ndarray] = ()) -> Value:
    """A layer on (None, ..., channels); a batch of frames is one of Keras's axes."""
    rank, order = len(value.axes), [*spatial(value), 1]
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


def pads(node: Node, value: Value, kernel: Sequence[int]) -> list[tuple[int, int]]:
    """Entries that are added in front of and behind each axis."""
    auto = node.attributes.get("auto_pad", "NOTSET")
    count = len(kernel)
    if auto in ("NOTSET", ""):
        flat = list(node.attributes.get("pads", [0] * 2 * count))
        return list(zip(flat[:count], flat[count:], strict=True))
    if auto == "VALID":
        return [(0, 0)] * count
    sides = []
    windows = zip(spatial(value), spans(node, kernel), strides(node, count), strict=True)
    for axis, span, stride in windows:
        size = value.shape[axis]
        small, large = same_sides(size, span, stride)
        sides.append((small, large) if auto == "SAME_UPPER" else (large, small))
    return sides


def with_zeros(value: Value, sides: Sequence[tuple[int, int]]) -> Value:
    """Zeros in front of each axis and behind it."""
    around = sides[0] if len(sides) == 1 else tuple(sides)
    return applied(layer("pad", len(sides))(around), value)


def same_sides(length: int, span: int, stride: int) -> tuple[int, int]:
    """What Keras's padding "same" adds in front of an axis and behind it."""
    total = max((-(-length // stride) - 1) * stride + span - length, 0)
    return total // 2, total - total // 2


def strides(node: Node, count: int) -> list[int]:
    """How far a window moves along each of `count` axes."""
    return list(node.attributes.get("strides", [1] * count))


def dilations(node: Node, count: int) -> list[int]:
    """How far apart a window's entries are along each of `count` axes."""
    return list(node.attributes.get("dilations", [1] * count))


def spans(node: Node, kernel: Sequence[int]) -> list[int]:
    """How many entries a kernel reaches over."""
    apart = dilations(node, len(kernel))
    return [(size - 1) * far + 1 for size, far in zip(kernel, apart, strict=True)]
