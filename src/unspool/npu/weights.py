"""Weight streams -> OHWI arrays, and the scale records that go with them.

The hardware reads weights in the order in which its multipliers need them: blocks of output
channels, within them blocks of input channels and sub-kernels, and so on (`_traversal`). Two
cores (ethos-u65-512) take alternate output channels, each from a stream of its own.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError
from unspool.npu import codec
from unspool.npu.arithmetic import Ints

SCALE_RECORD_BYTES = 10
_IFM_UBLOCK = 8  # input channels that are read together
_MAX_SUBKERNEL = 8  # rows and columns of a kernel that are handled at once


@dataclass(frozen=True)
class Traversal:
    """What the order of the weights depends on.

    Attributes:
        shape: in elements, (out, h, w, in); `in` is 1 for depthwise.
        block_depth: output channels of a block.
        ofm_ublock: output channels that are computed together.
        depthwise: whether each output channel has one input channel.
        part_kernel: whether the order is kernel before depth.
        bits: of an input element.
        dilation: (y, x).
    """

    shape: tuple[int, int, int, int]
    block_depth: int
    ofm_ublock: int
    depthwise: bool
    part_kernel: bool
    bits: int
    dilation: tuple[int, int]


@dataclass(frozen=True)
class Scales:
    """One record per output channel, each array of shape (channels,).

    Attributes:
        bias: 40 bits, signed.
        scale: 32 bits, unsigned.
        shift: 6 bits.
    """

    bias: Ints
    scale: Ints
    shift: Ints


@dataclass(frozen=True)
class Prepared:
    """Weights in the form that the matrix product wants.

    Attributes:
        matrix: float32 or float64, of shape (h * w * in, out), depthwise (h * w, out).
        scales: of the output channels.
        multiplier: of the scales: one number where all channels have the same.
        shift: likewise.
        bound: a magnitude that no accumulator exceeds.
    """

    matrix: npt.NDArray[Any]
    scales: Scales
    multiplier: Ints | int
    shift: Ints | int
    bound: int


def ofm_ublock_depth(macs_per_core: int) -> int:
    """Output channels that the hardware computes together."""
    return 4 if macs_per_core == 32 else 8


def read_weights(streams: list[bytes], traversal: Traversal) -> npt.NDArray[np.int16]:
    """The weights of an operation, zero point already subtracted, as OHWI.

    Args:
        streams: one per core; core c of n has the output channels c::n.
        traversal: of the weights of all cores.

    Raises:
        UnspoolError: a stream is damaged or has too few weights.
    """
    out, height, width, deep = traversal.shape
    cores = len(streams)
    decoded = [_decode(stream) for stream in streams]
    size, available = out * height * width * deep, sum(len(part) for part in decoded)
    if size > available:  # before memory is taken
        raise UnspoolError(
            f"the weight streams hold {available} weights, expected {size} for the"
            f" (out, height, width, in) shape {traversal.shape}"
        )
    result = np.zeros(traversal.shape, np.int16)
    for core, weights in enumerate(decoded):
        channels = len(range(core, out, cores))
        if not channels:
            continue
        part = replace(
            traversal,
            shape=(channels, height, width, deep),
            block_depth=max(1, (traversal.block_depth + cores - 1 - core) // cores),
        )
        result[core::cores] = _reorder(weights, part)
    return result


def read_scales(records: list[bytes], channels: int) -> Scales:
    """The scale records of an operation: one packed array of records per core.

    Raises:
        UnspoolError: an array is too short for the output channels of its core.
    """
    cores = len(records)
    table = np.zeros((channels, SCALE_RECORD_BYTES), np.int64)
    for core, data in enumerate(records):
        count = len(range(core, channels, cores))
        if len(data) < count * SCALE_RECORD_BYTES:
            raise UnspoolError(
                f"{len(data)} bytes of scales for {count} output channels,"
                f" expected {count * SCALE_RECORD_BYTES}"
            )
        raw = np.frombuffer(data, np.uint8, count * SCALE_RECORD_BYTES)
        table[core::cores] = raw.reshape(count, SCALE_RECORD_BYTES)
    bias = table[:, :5] @ (1 << np.arange(0, 40, 8))
    return Scales(
        bias=np.where(bias >> 39, bias - (1 << 40), bias),
        scale=table[:, 5:9] @ (1 << np.arange(0, 32, 8)),
        shift=table[:, 9] & 0x3F,
    )


@lru_cache(maxsize=16)
def _decode(stream: bytes) -> npt.NDArray[np.int16]:
    return codec.decode(stream)


def _reorder(weights: npt.NDArray[np.int16], traversal: Traversal) -> npt.NDArray[np.int16]:
    size = int(np.prod(traversal.shape, dtype=np.int64))
    if size <= len(weights):  # else do not even compute the order
        order = _order(traversal)
        if len(order) <= len(weights):
            result = np.zeros(size + 1, np.int16)  # the last one takes the padding
            result[order] = weights[: len(order)]
            return result[:-1].reshape(traversal.shape)
        size = len(order)
    raise UnspoolError(
        f"the weight stream holds {len(weights)} weights, expected {size} for the"
        f" (out, height, width, in) shape {traversal.shape}"
    )


def _ceil(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


@lru_cache(maxsize=64)
def _order(t: Traversal) -> Ints:
    """Index into the flattened OHWI array of each weight in stream order; padding is last."""
    out, height, width, deep = t.shape
    ibd = 16 if t.part_kernel or t.bits == 16 else 32
    step_y, step_x = _MAX_SUBKERNEL // t.dilation[0], _MAX_SUBKERNEL // t.dilation[1]
    pieces: list[Ints] = []
    for oz in range(0, out, t.block_depth):
        # Channels behind the block's end are padding, also where the next block has them.
        real = min(t.block_depth, out - oz)
        channels: Ints = np.arange(_ceil(real, t.ofm_ublock))
        outs = np.where(channels < real, oz + channels, out).reshape(-1, t.ofm_ublock)
        for iz in range(0, 1 if t.depthwise else deep, ibd):
            for y in range(0, height, step_y):
                for x in range(0, width, step_x):
                    pieces.append(_block(t, outs, iz, ibd, y, x, step_y, step_x))
    return np.concatenate(pieces)


def _block(
    t: Traversal, outs: Ints, iz: int, ibd: int, y: int, x: int, step_y: int, step_x: int
) -> Ints:
    """The order within one block of channels and one sub-kernel.

    Axes, outermost first: input ublocks (part kernel first), output ublocks, kernel elements,
    input ublocks (depth first), output channels, input channels.
    """
    out, height, width, deep = t.shape
    sub_h, sub_w = min(step_y, height - y), min(step_x, width - x)
    multiple = 4 if t.depthwise else 1 if not t.part_kernel else 2 if t.bits == 16 else 4
    elements = np.arange(_ceil(sub_h * sub_w, multiple))
    ky = np.where(elements < sub_h * sub_w, y + elements // sub_w, height)
    kx = x + elements % sub_w
    if t.depthwise:  # one input channel, in step with the output channel
        ins = np.zeros((1, 1), np.int64)
    else:
        span = min(ibd, deep - iz) if t.part_kernel else ibd
        ins = iz + np.arange(_ceil(span, _IFM_UBLOCK)).reshape(-1, _IFM_UBLOCK)
    depth_axis = 0 if t.part_kernel else 3
    i = np.expand_dims(ins, tuple(axis for axis in range(5) if axis != depth_axis))
    o = outs[None, :, None, None, :, None]
    ky, kx = ky[None, None, :, None, None, None], kx[None, None, :, None, None, None]
    index = ((o * height + ky) * width + kx) * deep + i
    valid = (o < out) & (ky < height) & (i < deep)
    return np.where(valid, index, out * height * width * deep).ravel()
