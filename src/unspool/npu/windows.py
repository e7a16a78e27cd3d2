"""The windows of an IFM that a kernel visits: upscaled, padded, unfolded."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from unspool.errors import UnspoolError
from unspool.npu import fields
from unspool.npu.decoder import Registers
from unspool.npu.descriptors import FeatureMap, Kernel, Upscale
from unspool.npu.regions import Array

MAX_WINDOW_ELEMENTS = 1 << 26  # of one sample


def input_map(registers: Registers, kernel: Kernel, target: FeatureMap, depth: int) -> FeatureMap:
    """The IFM: its height and width follow from the OFM, the kernel, padding and upscaling."""
    height, width = kernel.ifm_size(*target.shape[:2])
    if fields.upscale(registers) is not Upscale.NONE:
        height, width = -(-height // 2), -(-width // 2)
    return fields.feature_map(registers, "IFM", (height, width, depth))


def upscale(values: Array, mode: Upscale, kernel: Kernel, target: FeatureMap) -> Array:
    """An IFM (N, H, W, C), its zero point subtracted, at twice its height and width.

    Each element becomes a square of four: itself four times, or once with three zeros. An odd
    size leaves out the last row or column.
    """
    if mode is Upscale.NONE:
        return values
    batch, _, _, depth = values.shape
    height, width = kernel.ifm_size(*target.shape[:2])
    _bound("upscaled", height * width * depth)
    result = np.zeros((batch, height, width, depth), values.dtype)
    for row in range(2 if mode is Upscale.NEAREST else 1):
        for column in range(2 if mode is Upscale.NEAREST else 1):
            hole = result[:, row::2, column::2]
            hole[...] = values[:, : hole.shape[1], : hole.shape[2]]
    return result


def pad(values: Array, kernel: Kernel, value: int) -> Array:
    """Surround an IFM (N, H, W, C) with the kernel's padding."""
    if not kernel.padded:
        return values
    _, height, width, depth = values.shape
    rows, columns = (kernel.top, kernel.bottom), (kernel.left, kernel.right)
    _bound("padded", (height + sum(rows)) * (width + sum(columns)) * depth)
    return np.pad(values, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def unfold(padded: Array, kernel: Kernel, target: FeatureMap) -> Array:
    """The windows of a padded IFM (N, H, W, C): a view (N, OH, OW, kh, kw, C)."""
    n, _, _, channels = padded.shape
    s_n, s_y, s_x, s_c = padded.strides
    return as_strided(
        padded,
        (n, *target.shape[:2], *kernel.size, channels),
        (
            s_n,
            s_y * kernel.stride[0],
            s_x * kernel.stride[1],
            s_y * kernel.dilation[0],
            s_x * kernel.dilation[1],
            s_c,
        ),
        writeable=False,
    )


def _bound(what: str, elements: int) -> None:
    if elements > MAX_WINDOW_ELEMENTS:
        raise UnspoolError(f"the {what} IFM has {elements} elements")
