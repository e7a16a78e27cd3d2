"""CONV and DEPTHWISE: windows of the IFM times weights, plus bias, scaled per channel."""

from functools import lru_cache
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu import fields
from unspool.npu.arithmetic import INT32_MAX, Ints, Rounding, largest, natural_scale, tfl_scale
from unspool.npu.decoder import Operation, Registers
from unspool.npu.descriptors import FeatureMap, Kernel, Output
from unspool.npu.memory import READ_ONLY
from unspool.npu.regions import Array
from unspool.npu.state import Machine
from unspool.npu.weights import (
    Prepared,
    Traversal,
    ofm_ublock_depth,
    read_scales,
    read_weights,
)
from unspool.npu.windows import MAX_WINDOW_ELEMENTS, input_map, pad, unfold, upscale

_EXACT = {"float32": 1 << 24, "float64": 1 << 53}  # integers up to here have no rounding
_WINDOW_BYTES = 1 << 26  # of unfolded windows at a time
_ACCUMULATORS = {0: INT32_MAX, 1: (1 << 39) - 1}  # ACC_FORMAT -> largest value


def convolution(machine: Machine, operation: Operation) -> None:
    """Run one CONV or DEPTHWISE operation."""
    registers = operation.registers
    depthwise = operation.kind == "DEPTHWISE"
    target, kernel = fields.ofm(registers), fields.kernel(registers)
    output = fields.output(registers)
    if output.scale is not None:
        raise UnspoolError("one OFM_SCALE for all channels (OFM_PRECISION bit 8), not simulated")
    mode = fields.upscale(registers)
    source = input_map(registers, kernel, target, registers["IFM_DEPTH_M1"] + 1)
    if depthwise and source.shape[2] != target.shape[2]:
        raise UnspoolError(f"IFM depth {source.shape[2]} for OFM depth {target.shape[2]}")
    taps = kernel.size[0] * kernel.size[1] * (1 if depthwise else source.shape[2])
    area = target.shape[0] * target.shape[1]
    work = 8 * target.shape[2] if depthwise else target.shape[2] + 8
    machine.spend(area * (taps * work + 16 * target.shape[2]))
    unfolded = area * kernel.size[0] * kernel.size[1] * source.shape[2]
    if unfolded > MAX_WINDOW_ELEMENTS:
        raise UnspoolError(f"the windows of the IFM have {unfolded} elements")
    values = machine.memory.read(source)
    prepared = _prepared(machine, registers, kernel, source, target, depthwise)
    limit = _ACCUMULATORS.get(registers["ACC_FORMAT"])
    if limit is None:
        raise UnspoolError(f"ACC_FORMAT {registers['ACC_FORMAT']}")
    # Large windows are unfolded for a part of the batch at a time.
    step = max(1, _WINDOW_BYTES // (4 * unfolded))
    parts = []
    for start in range(0, len(values), step):
        centred = _centred(values[start : start + step], source, prepared.matrix.dtype)
        windows = unfold(pad(upscale(centred, mode, kernel, target), kernel, 0), kernel, target)
        accumulator = _product(windows, prepared.matrix, depthwise, target)
        accumulator += prepared.scales.bias
        if prepared.bound > limit and largest(accumulator) > limit:
            raise UnspoolError(f"an accumulator of {largest(accumulator)} overflows {limit}")
        parts.append(machine.finish(_rescale(accumulator, prepared, output), output))
    machine.memory.write(target, parts[0] if len(parts) == 1 else np.concatenate(parts))


def _centred(values: Array, source: FeatureMap, dtype: np.dtype[Any]) -> Array:
    """The IFM without its zero point, which is also the value of the padding."""
    centred = values.astype(dtype)
    if source.zero_point:
        centred -= source.zero_point
    return centred


def _product(windows: Array, matrix: Array, depthwise: bool, target: FeatureMap) -> Ints:
    if depthwise:
        n, height, width, k_y, k_x, depth = windows.shape
        weights = matrix.reshape(k_y, k_x, depth)
        total = np.zeros((n, height, width, depth), matrix.dtype)
        for y in range(k_y):
            for x in range(k_x):
                total += windows[:, :, :, y, x] * weights[y, x]
        return total.astype(np.int64)
    rows = windows.reshape(-1, len(matrix))
    product: Ints = (rows @ matrix).astype(np.int64)
    return product.reshape(len(windows), *target.shape)


def _rescale(accumulator: Ints, prepared: Prepared, output: Output) -> Ints:
    factor, limit = largest(prepared.multiplier), 1 << 62
    if prepared.bound * factor >= limit and largest(accumulator) * factor >= limit:
        raise UnspoolError("an accumulator times its scale exceeds 62 bits: not simulated")
    if output.rounding is Rounding.TFL:
        return tfl_scale(accumulator, prepared.multiplier, prepared.shift)
    if output.rounding is Rounding.NATURAL:
        return natural_scale(accumulator, prepared.multiplier, prepared.shift)
    raise UnspoolError("the rounding mode TRUNCATE is not simulated")


def _prepared(
    machine: Machine,
    registers: Registers,
    kernel: Kernel,
    source: FeatureMap,
    target: FeatureMap,
    depthwise: bool,
) -> Prepared:
    parallel = registers.get("PARALLEL_MODE") or 0
    if parallel not in (0, 1) or parallel >= machine.config.cores:
        raise UnspoolError(f"PARALLEL_MODE {parallel} on {machine.config.name}")
    suffixes = ("", "1") if parallel else ("",)
    traversal = Traversal(
        shape=(target.shape[2], *kernel.size, 1 if depthwise else source.shape[2]),
        block_depth=registers["OFM_BLK_DEPTH_M1"] + 1,
        ofm_ublock=ofm_ublock_depth(machine.config.macs // machine.config.cores),
        depthwise=depthwise,
        part_kernel=kernel.part_kernel and not depthwise,
        bits=8 * source.element.bytes,
        dilation=kernel.dilation,
    )
    low, high = source.element.range
    magnitude = max(high - source.zero_point, source.zero_point - low)
    places = tuple(_place(registers, kind, s) for kind in ("WEIGHT", "SCALE") for s in suffixes)
    key: object = (places, traversal, magnitude)
    if any(region != READ_ONLY for _, region, _, _ in places):
        key = None  # what is there may change
    prepared = machine.cache.weights.get(key)
    if prepared is None:
        contents = tuple(machine.stream(*place) for place in places)
        half = len(suffixes)
        prepared = _prepare(contents[:half], contents[half:], traversal, magnitude)
        if key is not None:
            machine.cache.weights[key] = prepared
    return prepared


def _place(registers: Registers, kind: str, suffix: str) -> tuple[str, int, int, int]:
    """(what, region, address, length) of a weight or scale stream."""
    name = f"{kind}{suffix}"
    length = registers[f"{name}_LENGTH"]
    address = registers.address(f"{name}_BASE") if length else 0
    return f"the {name} stream", registers[f"{kind}_REGION"], address, length


@lru_cache(maxsize=64)
def _prepare(
    streams: tuple[bytes, ...], records: tuple[bytes, ...], traversal: Traversal, magnitude: int
) -> Prepared:
    weights = read_weights(list(streams), traversal)
    scales = read_scales(list(records), traversal.shape[0])
    out = traversal.shape[0]
    flat = weights.reshape(out, -1)
    reach = int(np.max(np.abs(flat).sum(axis=1, dtype=np.int64))) * magnitude
    dtype = next((name for name, limit in _EXACT.items() if reach < limit), None)
    if dtype is None:
        raise UnspoolError(f"accumulators of up to {reach} exceed the exact range of float64")
    return Prepared(
        matrix=np.ascontiguousarray(flat.T, dtype),
        scales=scales,
        multiplier=_one(scales.scale),
        shift=_one(scales.shift),
        bound=reach + largest(scales.bias),
    )


def _one(values: Ints) -> Ints | int:
    first = int(values[0])
    return first if (values == first).all() else values
