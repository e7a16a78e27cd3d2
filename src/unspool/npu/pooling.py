"""POOL operations: maximum and average over windows, sum over channels."""

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu import fields
from unspool.npu.arithmetic import Ints, scale
from unspool.npu.decoder import Operation, Registers
from unspool.npu.descriptors import FeatureMap, Kernel, Output, Scale, Upscale
from unspool.npu.regions import Array
from unspool.npu.state import Machine
from unspool.npu.windows import input_map, pad, unfold, upscale

_WORK = 8  # units per tap
_LOWEST = -(1 << 40)  # below every element: padding never is the maximum


def pooling(machine: Machine, operation: Operation) -> None:
    """Run one POOL operation."""
    registers, mode = operation.registers, operation.mode
    target, kernel = fields.ofm(registers), fields.kernel(registers)
    output = fields.output(registers)
    reduce = mode == "REDUCE_SUM"
    depth = registers["IFM_DEPTH_M1"] + 1 if reduce else target.shape[2]
    source = input_map(registers, kernel, target, depth)
    taps = kernel.size[0] * kernel.size[1]
    machine.spend(_WORK * target.shape[0] * target.shape[1] * depth * taps)
    values = machine.memory.read(source).astype(np.int64) - source.zero_point
    values = upscale(values, _resampling(registers), kernel, target)
    if reduce:
        result = _reduce_sum(values, kernel, target, output)
    elif mode == "MAX":
        result = _maximum(values, kernel, target, output)
    else:
        result = _average(values, kernel, target, output)
    machine.memory.write(target, machine.finish(result, output))


def _resampling(registers: Registers) -> Upscale:
    mode = fields.upscale(registers)
    if mode is Upscale.ZEROS:
        raise UnspoolError("POOL over an IFM with zeros between its elements")
    return mode


def _scaled(value: Ints, output: Output) -> Ints:
    if output.scale is None:
        return value
    return scale(value, output.scale.multiplier, output.scale.shift, output.rounding)


def _windows(values: Array, kernel: Kernel, target: FeatureMap, padding: int) -> Array:
    return unfold(pad(values, kernel, padding), kernel, target)


def _reduce_sum(values: Ints, kernel: Kernel, target: FeatureMap, output: Output) -> Ints:
    if target.shape[2] != 1 or kernel.size != (1, 1) or kernel.padded:
        raise UnspoolError("REDUCE_SUM with a kernel, padding or an OFM of more than 1 channel")
    windows = _windows(values, kernel, target, 0)
    return _scaled(windows.sum(axis=(3, 4, 5))[..., None], output)


def _maximum(values: Ints, kernel: Kernel, target: FeatureMap, output: Output) -> Ints:
    return _scaled(_windows(values, kernel, target, _LOWEST).max(axis=(3, 4)), output)


def _average(values: Ints, kernel: Kernel, target: FeatureMap, output: Output) -> Ints:
    total = _windows(values, kernel, target, 0).sum(axis=(3, 4))
    if not kernel.padded:
        if output.scale is None:
            raise UnspoolError("AVERAGE without OFM_SCALE (OFM_PRECISION bit 8 is clear)")
        return _scaled(total, output)
    # With padding, each window is divided by the number of its taps that are not padding.
    # The regor backend writes the neutral scale (1, 0), the legacy one writes none.
    if output.scale not in (None, Scale(1, 0)):
        raise UnspoolError(f"AVERAGE over a padded IFM with the scale {output.scale}")
    ones = np.ones((1, *values.shape[1:3], 1), np.int64)
    taps = _windows(ones, kernel, target, 0).sum(axis=(3, 4))
    if not taps.all():
        raise UnspoolError("AVERAGE over a window that is all padding")
    multiplier, shift = reciprocal(taps)
    return scale(total, multiplier, shift, output.rounding)


def reciprocal(count: Ints) -> tuple[Ints, Ints]:
    """(multiplier, shift) of a division by `count`, as Vela's `quantise_pooling_scale` has it.

    The multiplier is a little above the exact quotient, so that halves leave zero: -2.5 becomes
    -3 although the rounding that follows takes halves up.
    """
    bits = np.frexp((count - 1).astype(np.float64))[1].astype(np.int64)
    one = np.int64(1)
    return ((one << 31 + bits) + (one << bits)) // count, 31 + bits
