"""Convolutions and pools."""

from typing import Any

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, behind_gru, floats, of_channels, one, turned, w

IMAGE, SERIES = (1, 4, 7, 6), (1, 4, 9)


def conv(*kernel: int, bias: bool = True, **attributes: Any) -> Form:
    """A Conv of an image or a series with as many channels as the kernel asks for."""
    shape = IMAGE if len(kernel) == 4 else SERIES
    return one("Conv", w(*kernel), *([w(kernel[0])] if bias else []), shape=shape, **attributes)


def up(*kernel: int, **attributes: Any) -> Form:
    shape = IMAGE if len(kernel) == 4 else SERIES
    return one("ConvTranspose", w(*kernel), w(kernel[1]), shape=shape, **attributes)


FORMS = {
    "1d": conv(5, 4, 3),
    "1d no bias": conv(5, 4, 3, bias=False),
    "1d kept": conv(5, 4, 3, pads=[1, 1]),
    "1d even": conv(5, 4, 4, pads=[1, 2]),
    "1d even, other side": conv(5, 4, 4, pads=[2, 1]),
    "1d causal": conv(5, 4, 3, pads=[2, 0]),
    "1d strides": conv(5, 4, 3, pads=[1, 1], strides=[2]),
    "1d dilations": conv(5, 4, 3, pads=[2, 2], dilations=[2]),
    "1d causal dilations": conv(5, 4, 2, pads=[3, 0], dilations=[3]),
    "1d groups": conv(6, 2, 3, group=2),
    "1d depthwise": conv(4, 1, 3, group=4, pads=[1, 1]),
    "1d depthwise times 2": conv(8, 1, 3, group=4, pads=[2, 0], dilations=[1]),
    "1d depthwise strides": conv(4, 1, 3, group=4, strides=[2]),
    "1d depthwise dilations": conv(4, 1, 3, group=4, dilations=[2]),
    "1d told": one("Conv", w(2, 4, 3), shape=SERIES, kernel_shape=[3]),
    "1d one": conv(1, 4, 1),
    "1d upper": conv(5, 4, 4, auto_pad="SAME_UPPER", strides=[2]),
    "1d lower": conv(5, 4, 4, auto_pad="SAME_LOWER", strides=[2]),
    "1d lower kept": conv(5, 4, 4, auto_pad="SAME_LOWER"),
    "1d valid": conv(5, 4, 4, auto_pad="VALID"),
    "1d whole": conv(5, 4, 9),
    "1d of one channel": one("Conv", w(3, 1, 3), w(3), shape=(1, 1, 9)),
    "1d of one step": one("Conv", w(3, 4, 3), w(3), shape=(1, 4, 1), pads=[1, 1]),
    "1d turned": turned([0, 2, 1], "Conv", w(3, 5, 3), w(3), shape=(1, 7, 5)),
    "1d behind": of_channels(node("Conv", "c w b", "y", pads=[1, 1]), w=w(3, 4, 3), b=w(3)),
    "1d over units": behind_gru(
        node("Squeeze", "g", "s"), node("Unsqueeze", "s a", "u"), node("Conv", "u w b", "y"),
        w=w(3, 5, 2), b=w(3), opset=17, a=np.array([0]),
    ),
    "2d": conv(5, 4, 3, 2),
    "2d kept": conv(5, 4, 3, 3, pads=[1, 1, 1, 1]),
    "2d one side": conv(5, 4, 3, 3, pads=[0, 1, 2, 0]),
    "2d strides": conv(5, 4, 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]),
    "2d two strides": conv(5, 4, 3, 3, strides=[2, 1]),
    "2d dilations": conv(5, 4, 3, 3, pads=[2, 1, 2, 1], dilations=[2, 1]),
    "2d groups": conv(4, 2, 3, 3, group=2),
    "2d depthwise": conv(4, 1, 3, 3, group=4, pads=[1, 1, 1, 1]),
    "2d depthwise times 3": conv(12, 1, 3, 3, group=4),
    "2d depthwise strides": conv(4, 1, 3, 3, group=4, strides=[2, 2], pads=[1, 1, 1, 1]),
    "2d depthwise two strides": conv(4, 1, 3, 3, group=4, strides=[2, 1]),
    "2d depthwise dilations": conv(4, 1, 3, 3, group=4, dilations=[2, 2]),
    "2d depthwise two dilations": conv(4, 1, 3, 2, group=4, dilations=[2, 1]),
    "2d upper": conv(5, 4, 3, 2, auto_pad="SAME_UPPER", strides=[2, 2]),
    "2d lower": conv(5, 4, 3, 2, auto_pad="SAME_LOWER", strides=[2, 2]),
    "2d of frames": behind_gru(
        node("Conv", "g w b", "f"), node("Transpose", "f", "y", perm=[2, 0, 1, 3]),
        w=w(3, 1, 1, 2), b=w(3),
    ),
    "2d over time": behind_gru(
        node("Transpose", "g", "t", perm=[1, 2, 0, 3]), node("Conv", "t w b", "y"),
        w=w(3, 1, 2, 2), b=w(3),
    ),
    "2d flat": one("Conv", w(3, 4, 1, 3), w(3), shape=(1, 4, 1, 9)),
    "up 1d": up(4, 5, 3),
    "up 1d strides": up(4, 5, 3, strides=[2]),
    "up 1d far strides": up(4, 5, 2, strides=[3]),
    "up 1d pads": up(4, 5, 3, strides=[2], pads=[1, 1]),
    "up 1d one side": up(4, 5, 4, strides=[2], pads=[1, 0]),
    "up 1d more": up(4, 5, 3, strides=[2], pads=[1, 1], output_padding=[1]),
    "up 2d": up(4, 5, 3, 2, strides=[2, 2]),
    "up 2d pads": up(4, 5, 4, 4, strides=[2, 2], pads=[1, 1, 1, 1]),
    "up 1d behind": of_channels(
        node("ConvTranspose", "c w b", "y", strides=[2]), w=w(4, 3, 2), b=w(3)
    ),
    "transposed in groups": one("ConvTranspose", w(4, 3, 2), w(6), shape=(1, 4, 5), group=2),
    "transposed 2d, channels apart": one(
        "ConvTranspose", w(4, 1, 2, 3), shape=(1, 4, 3, 5), group=4, strides=[1, 2]
    ),
    "max 1d": one("MaxPool", shape=SERIES, kernel_shape=[3], strides=[2]),
    "max 1d strides of one": one("MaxPool", shape=SERIES, kernel_shape=[2]),
    "max 1d pads": one("MaxPool", shape=SERIES, kernel_shape=[3], pads=[1, 1], strides=[2]),
    "max ceil, none left": one(
        "MaxPool", shape=SERIES, kernel_shape=[3], strides=[3], ceil_mode=1
    ),
    "max 1d pads of an even length": one(
        "MaxPool", shape=(1, 3, 8), kernel_shape=[3], pads=[1, 1], strides=[2]
    ),
    "max on one side": one("MaxPool", shape=SERIES, kernel_shape=[3], pads=[2, 0]),
    "max ceil": one("MaxPool", shape=(1, 3, 8), kernel_shape=[3], strides=[2], ceil_mode=1),
    "max ceil, pads": one(
        "MaxPool", shape=(1, 3, 8), kernel_shape=[3], strides=[3], pads=[1, 1], ceil_mode=1
    ),
    "max 2d of text lines": one(
        "MaxPool", shape=IMAGE, kernel_shape=[2, 2], strides=[2, 1], pads=[0, 1, 0, 1]
    ),
    "nearest": one("Resize", None, floats(1, 1, 2), shape=SERIES, mode="nearest",
                   coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    "nearest, half a pixel": one("Resize", None, floats(1, 1, 3), shape=SERIES,
                                 mode="nearest"),
    "nearest, by sizes": one("Resize", None, None, np.array([1, 4, 18], np.int64), shape=SERIES,
                             mode="nearest"),
    "nearest 2d": one("Resize", None, floats(1, 1, 2, 3), shape=IMAGE, mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    "nearest, opset 10": one("Resize", floats(1, 1, 2), shape=SERIES, mode="nearest",
                             opset=10),
    "nearest, opset 9": one("Upsample", floats(1, 1, 2), shape=SERIES, mode="nearest",
                            opset=9),
    "max 2d": one("MaxPool", shape=IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    "max 2d kept": one("MaxPool", shape=IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "max 2d upper": one(
        "MaxPool", shape=IMAGE, kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[2, 2]
    ),
    "max 1d behind": of_channels(node("MaxPool", "c", "y", kernel_shape=[2], strides=[2])),
    "mean 1d": one("AveragePool", shape=SERIES, kernel_shape=[3], strides=[2]),
    "mean upper": one(
        "AveragePool", shape=SERIES, kernel_shape=[3], strides=[2], auto_pad="SAME_UPPER"
    ),
    "mean ceil, none left": one("AveragePool", shape=(1, 3, 8), kernel_shape=[2], strides=[2],
                                ceil_mode=1),
    "mean 1d pads": one("AveragePool", shape=SERIES, kernel_shape=[3], pads=[1, 1]),
    "mean 2d": one("AveragePool", shape=IMAGE, kernel_shape=[2, 3], strides=[2, 1]),
    "mean 2d kept": one("AveragePool", shape=IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "mean counted": one(
        "AveragePool", shape=SERIES, kernel_shape=[3], pads=[1, 1], count_include_pad=1
    ),
    "mean counted, one side": one(
        "AveragePool", shape=IMAGE, kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 2],
        count_include_pad=1,
    ),
    "global max 1d": one("GlobalMaxPool", shape=SERIES),
    "global max 2d": one("GlobalMaxPool", shape=IMAGE),
    "global mean 1d": one("GlobalAveragePool", shape=SERIES),
    "global mean 2d": one("GlobalAveragePool", shape=IMAGE),
    "global mean behind": of_channels(node("GlobalAveragePool", "c", "y")),
    "global mean of one channel": one("GlobalAveragePool", shape=(1, 1, 7)),
}  # fmt: skip
