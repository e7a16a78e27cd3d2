"""Convolutions, also transposed ones."""

from collections.abc import Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx import sliding
from unspool.frontend.onnx.dense import diagonal
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value


def _padding(node: Node, value: Value, kernel: Sequence[int]) -> tuple[str, Value]:
    """Keras's padding, and the value with zeros around it where Keras has no name for them."""
    pads = sliding.pads(node, value, kernel)
    if not any(map(any, pads)):
        return "valid", value
    if set(sliding.strides(node, len(kernel))) == {1} and all(
        pad == ((span - 1) // 2, span - 1 - (span - 1) // 2)
        for pad, span in zip(pads, sliding.spans(node, kernel), strict=True)
    ):
        return "same", value
    return "valid", sliding.with_zeros(value, pads)


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
        "strides": sliding.strides(node, len(sizes)),
        "dilation_rate": sliding.dilations(node, len(sizes)),
        "padding": padding,
        "use_bias": bias is not None,
        "name": node.name,
    }
    behind = [*range(2, kernel.ndim), 1, 0]
    if groups == channels > 1:
        layer = sliding.layer("depthwise", len(sizes))(
            sizes, depth_multiplier=kernel.shape[0] // groups, **settings
        )
        shaped = kernel.transpose(behind).reshape(*sizes, groups, -1)
    else:
        layer = sliding.layer("Conv", len(sizes))(kernel.shape[0], sizes, groups=groups, **settings)
        shaped = kernel.transpose(behind)
    return sliding.applied(layer, padded, [shaped, *([] if bias is None else [bias])])


def _conv_transpose(node: Node, scope: Scope) -> Value:
    value, kernel, bias = scope.value(node), scope.needs(node, 1), scope.given(node, 2)
    sizes = kernel.shape[2:]
    count = len(sizes)
    if "output_shape" in node.attributes:
        raise UnspoolError("has the attribute output_shape, which has no form yet; expected pads")
    _check_kernel(value, kernel, kernel.shape[0])
    groups = node.attributes.get("group", 1)
    kernel = diagonal(kernel.reshape(groups, -1, *kernel.shape[1:]))
    if set(sliding.dilations(node, count)) != {1}:
        raise UnspoolError("has dilations, which have no form on the NPU")
    layer = sliding.layer("ConvTranspose", count)(
        kernel.shape[1],
        sizes,
        strides=sliding.strides(node, count),
        padding="valid",
        use_bias=bias is not None,
        name=node.name,
    )
    shaped = kernel.transpose([*range(2, kernel.ndim), 1, 0])
    whole = sliding.applied(layer, value, [shaped, *([] if bias is None else [bias])])
    sides = _cropped(node, value, sizes)
    if not any(map(any, sides)):
        return whole
    return sliding.applied(
        sliding.layer("crop", count)(sides[0] if count == 1 else tuple(sides)), whole
    )


def _cropped(node: Node, value: Value, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Entries that Keras's layer makes and ONNX's node does not, in front of and behind each axis.

    Raises:
        UnspoolError: ONNX's node makes more.
    """
    if node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID", ""):
        raise UnspoolError(f"has auto_pad={node.attributes['auto_pad']!r}; expected pads")
    more = node.attributes.get("output_padding", [0] * len(sizes))
    strides = sliding.strides(node, len(sizes))
    sides = [
        (front, behind - extra + max(stride - size, 0))  # Keras fills up the last stride
        for (front, behind), extra, stride, size in zip(
            sliding.pads(node, value, sizes), more, strides, sizes, strict=True
        )
    ]
    if min(map(min, sides)) < 0:
        raise UnspoolError(f"adds output_padding={list(more)} to what it makes; expected less")
    return sides


FORMS: dict[str, Build] = {"Conv": _conv, "ConvTranspose": _conv_transpose}
"""Operators that slide a kernel over axes of space or time."""
