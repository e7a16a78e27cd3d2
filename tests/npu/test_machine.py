"""The machine on programs that were changed by hand: refusals, bounds, layouts."""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable

import models
import mutations
import numpy as np
import pytest
from models import Graph, options

from unspool.errors import UnspoolError
from unspool.npu import Program, load, run
from unspool.npu.decoder import decode
from unspool.npu.descriptors import Element, FeatureMap, Tiles
from unspool.npu.driver import Config
from unspool.npu.memory import SCRATCH, Memory
from unspool.npu.registers import LONG, SHORT

_CODES = {name: code for code, name in SHORT.items()} | {
    name: code | 0x4000 for code, name in LONG.items()
}


def _addition() -> Program:
    graph = Graph()
    inputs = [graph.input((1, 2, 3, 8), 0.02, 3), graph.input((1, 2, 3, 8), 0.05, -7)]
    graph.op("ADD", inputs, graph.output((1, 2, 3, 8), 0.06, 1), options("AddOptions"))
    return load(models.vela(graph.build()))


def _convolution() -> Program:
    graph, rng = Graph(), np.random.default_rng(0)
    x = graph.input((1, 6, 6, 3), 0.02, -3)
    graph.outputs.append(models.convolution(graph, rng, x, 8))
    return load(models.vela(graph.build()))


def _pool() -> Program:
    graph = Graph()
    x = graph.input((1, 6, 6, 3), 0.02, -3)
    graph.outputs.append(models.pool(graph, "MAX_POOL_2D", x, 2))
    return load(models.vela(graph.build()))


def _set(program: Program, name: str, value: int) -> Program:
    """The program with a register write right before its last operation."""
    at = 4 * decode(program.stream)[-1].position
    words = [_CODES[name] | (value >> 32 if name in LONG.values() else value) << 16]
    if name in LONG.values():
        words.append(value & 0xFFFFFFFF)
    patch = struct.pack(f"<{len(words)}I", *words)
    return dataclasses.replace(program, stream=program.stream[:at] + patch + program.stream[at:])


def _run(program: Program) -> list[np.ndarray]:
    return run(program, [np.zeros((1, *t.shape[1:]), t.dtype) for t in program.inputs])


REFUSED = [
    (_addition, "IFM_REGION", 5, "memory region 5 does not exist"),
    (_addition, "OFM_REGION", 0, "a write to region 0|larger than region 0"),
    (_addition, "IFM_BASE0", 1 << 20, "the IFM is at bytes 1048576 to"),
    (_addition, "OFM_BASE0", 1 << 39, "the OFM is at bytes -549755813888 to"),
    (_addition, "OFM_STRIDE_Y", 1 << 30, "outside the .* bytes of region 1"),
    (_addition, "OFM_HEIGHT_M1", 0xFFFF, "is larger than region 1"),
    (_addition, "OFM_PRECISION", 0x4101, "TRUNCATE is not simulated"),
    (_addition, "OFM_PRECISION", 0xC101, "the rounding mode 3"),
    (_addition, "OFM_PRECISION", 0x0001, r"no OFM_SCALE .OFM_PRECISION bit 8 is clear"),
    (_addition, "OFM_PRECISION", 0x0107, "width code 3"),
    (_addition, "IFM_PRECISION", 0x0401, "IFM_PRECISION has unknown bits, 0x401"),
    (_addition, "IFM_PRECISION", 0x4201, "an operand scale with rounding TRUNCATE"),
    (_addition, "IFM_PRECISION", 0x0301, "IFM scale mode 3"),
    (_addition, "IFM_UPSCALE", 1, "ELEMENTWISE on an upscaled IFM"),
    (_addition, "IFM2_BROADCAST", 0x10, "IFM2_BROADCAST has unknown bits"),
    (_addition, "ACTIVATION", 3, "TANH on other than 16-bit values"),
    (_addition, "ACTIVATION", 5, "ACTIVATION has the function 5"),
    (_addition, "ACTIVATION", 0x1000, "ACTIVATION has the clip range 1"),
    (_addition, "OFM_SCALE", 64 << 32 | 1, "OFM_SCALE has the shift 64, above 63"),
    (_addition, "ACTIVATION_MIN", 0x7F, None),
    (_addition, "BLOCKDEP", 3, None),
    (_convolution, "IFM_UPSCALE", 3, "IFM_UPSCALE has the mode 3"),
    (_pool, "IFM_UPSCALE", 2, "POOL over an IFM with zeros between its elements"),
    (_convolution, "IFM_PAD_TOP", 0xFFFF, "the IFM would have the shape"),
    (_convolution, "KERNEL_HEIGHT_M1", 0xFFFF, "larger than region|elements|work|expected"),
    (_convolution, "KERNEL_STRIDE", 0x20, "KERNEL_STRIDE has unknown bits"),
    (_convolution, "OFM_PRECISION", 0x0101, "OFM_SCALE"),
    (_convolution, "ACC_FORMAT", 2, "ACC_FORMAT 2"),
    (_convolution, "PARALLEL_MODE", 1, "PARALLEL_MODE 1 on ethos-u55-128"),
    (_convolution, "WEIGHT_LENGTH", 16, "weight stream|weight streams"),
    (_convolution, "WEIGHT_BASE", 1 << 30, "the WEIGHT stream is at bytes 1073741824"),
    (_convolution, "SCALE_LENGTH", 16, "16 bytes of scales for 8 output channels, expected 80"),
    (_convolution, "WEIGHT_REGION", 1, "depends on the network's input|weight stream|outside"),
]


@pytest.mark.parametrize(("build", "register", "value", "message"), REFUSED)
def test_registers(
    build: Callable[[], Program], register: str, value: int, message: str | None
) -> None:
    program = _set(build(), register, value)
    if message is None:
        _run(program)
        return
    with pytest.raises(UnspoolError, match=message) as caught:
        _run(program)
    assert " at word " in str(caught.value), "the operation is not named"


def test_an_operation_that_is_not_simulated_is_named() -> None:
    program = _addition()
    position = decode(program.stream)[-1].position
    stream = bytearray(program.stream)
    struct.pack_into("<I", stream, 4 * position, 8 << 16 | 0x006)  # SHR
    program = dataclasses.replace(program, stream=bytes(stream))
    with pytest.raises(
        UnspoolError, match=f"ELEMENTWISE SHR at word {position}: SHR with the rounding mode"
    ):
        _run(program)


def test_stale_scale_of_a_maximum() -> None:
    """Without OFM_PRECISION bit 8, POOL MAX ignores whatever OFM_SCALE holds."""
    program = _pool()
    program = _set(_set(program, "OFM_PRECISION", 0x0001), "OFM_SCALE", 5 << 32 | 12345)
    np.testing.assert_array_equal(_run(program)[0], _run(_pool())[0])


def _memory(batch: int = 3) -> Memory:
    config = Config("ethos-u55", 128, 24, 1)
    return Memory(Program(config, b"", 0, bytes(range(256)), 4096, None, (), ()), batch)


def _map(bricks: bool, shape: tuple[int, int, int], tiles: Tiles | None = None) -> FeatureMap:
    strides = (512, 16, 128) if bricks else (512, shape[2], 0)
    return FeatureMap(
        "OFM",
        SCRATCH,
        tiles or Tiles((64, 0, 0, 0), shape[0], shape[0], shape[1]),
        shape,
        strides,
        bricks,
        Element(1, True),
        0,
    )


@pytest.mark.parametrize("bricks", [False, True])
@pytest.mark.parametrize("depth", [1, 15, 16, 17, 32, 40])
def test_addresses(bricks: bool, depth: int) -> None:
    """Every element lies where the address formula says, and nothing else is written."""
    memory, shape = _memory(), (2, 5, depth)
    values = np.random.default_rng(0).integers(1, 100, (3, *shape)).astype(np.int8)
    memory.write(_map(bricks, shape), values)
    np.testing.assert_array_equal(memory.read(_map(bricks, shape)), values)
    expected = np.zeros((3, 4096), np.int8)
    for y, x, c in np.ndindex(shape):
        inside = 16 * x + 128 * (c // 16) + c % 16 if bricks else depth * x + c
        expected[:, 64 + 512 * y + inside] = values[:, y, x, c]
    region = memory.region(SCRATCH)
    region.spread(0, 4096)
    np.testing.assert_array_equal(region.rows.view(np.int8), expected)


def test_tiles() -> None:
    """A rolling buffer: rows from height0 on are in tile 2, columns from width0 on in tile 1."""
    memory, shape = _memory(), (4, 6, 8)
    tiles = Tiles((0, 100, 2048, 2148), height0=3, height1=2, width0=4)
    values = np.random.default_rng(0).integers(1, 100, (3, *shape)).astype(np.int8)
    memory.write(_map(False, shape, tiles), values)
    np.testing.assert_array_equal(memory.read(_map(False, shape, tiles)), values)
    region = memory.region(SCRATCH)
    region.spread(0, 4096)
    rows = region.rows.view(np.int8)
    np.testing.assert_array_equal(rows[:, 100:108], values[:, 0, 4])  # tile 1, column 4 - 4
    np.testing.assert_array_equal(rows[:, 2048:2056], values[:, 3, 0])  # tile 2, row 3 - 3
    np.testing.assert_array_equal(rows[:, 2148:2156], values[:, 2, 4])  # tile 3, row 2 - 2


def test_uniform_and_varying_bytes_mix() -> None:
    memory, shape = _memory(), (1, 4, 8)
    whole = _map(False, shape)
    left = _map(False, (1, 2, 8))
    memory.write(whole, np.full((1, *shape), 7, np.int8))
    assert len(memory.read(whole)) == 1
    varying = np.arange(3 * 16, dtype=np.int8).reshape(3, 1, 2, 8)
    memory.write(left, varying)
    result = memory.read(whole)
    np.testing.assert_array_equal(result[:, :, :2], varying)
    np.testing.assert_array_equal(result[:, :, 2:], np.full((3, 1, 2, 8), 7))


@pytest.mark.parametrize("count", [400, pytest.param(3000, marks=pytest.mark.slow)])
def test_mutations(count: int) -> None:
    """Damaged programs and files give a result or an UnspoolError."""
    files = mutations.seeds()
    programs = [load(file) for file in files]
    outcomes = {"result": 0, "UnspoolError": 0}
    for number in range(count):
        case = mutations.mutate(random.Random(number), files, programs)
        outcome = mutations.attempt(case)
        outcomes["result" if outcome == "result" else "UnspoolError"] += 1
    assert min(outcomes.values()) > 20
