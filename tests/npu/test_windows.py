"""Upscaling, and reads that leave the bytes around them alone."""

from __future__ import annotations

import numpy as np
import pytest

from unspool.errors import UnspoolError
from unspool.npu import Program, windows
from unspool.npu.descriptors import Element, FeatureMap, Kernel, Tiles, Upscale
from unspool.npu.driver import Config
from unspool.npu.memory import SCRATCH, Memory


def _map(
    shape: tuple[int, int, int], offset: int = 0, column: int = 4, width: int = 2
) -> FeatureMap:
    tiles = Tiles((offset, 0, 0, 0), shape[0], shape[0], shape[1])
    strides = (column * shape[1], column, 0)
    return FeatureMap("IFM", SCRATCH, tiles, shape, strides, False, Element(width, True), 0)


def _kernel(size: int, padding: int = 0) -> Kernel:
    return Kernel((size, size), (1, 1), (1, 1), False, padding, padding, padding, padding)


@pytest.mark.parametrize("height", [2, 5, 6])
def test_upscaling(height: int) -> None:
    """Every element four times, or once with zeros; an odd size leaves out the last row."""
    values = np.arange(1, 1 + 2 * 3 * 4 * 2).reshape(2, 3, 4, 2)[:, : -(-height // 2)]
    target = _map((height, 7, 2))
    for mode in (Upscale.NEAREST, Upscale.ZEROS):
        output = windows.upscale(values, mode, _kernel(1), target)
        assert output.shape == (2, height, 7, 2)
        for y, x in np.ndindex(height, 7):
            expected: np.ndarray = values[:, y // 2, x // 2]
            if mode is Upscale.ZEROS and (y % 2 or x % 2):
                expected = np.zeros((2, 2))
            np.testing.assert_array_equal(output[:, y, x], expected)
    assert windows.upscale(values, Upscale.NONE, _kernel(1), target) is values


def test_an_upscaled_ifm_has_a_bound() -> None:
    values = np.zeros((1, 1, 1, 1))
    with pytest.raises(UnspoolError, match="the upscaled IFM has 4294967296 elements"):
        windows.upscale(values, Upscale.ZEROS, _kernel(1), _map((1 << 16, 1 << 16, 1)))


def test_a_read_leaves_its_neighbours_uniform() -> None:
    """What lies between and behind a feature map's elements may be weights."""
    config = Config("ethos-u55", 128, 24, 1)
    memory = Memory(Program(config, b"", 0, bytes(64), 64, None, (), ()), 3)
    memory.copy((0, 0), (SCRATCH, 0), 64)  # weights, the same for all samples
    varying = np.arange(3, dtype=np.int16).reshape(3, 1, 1, 1)
    memory.write(_map((1, 1, 1), 8), varying)
    values = memory.read(_map((1, 4, 1), 8))  # elements at bytes 8, 12, 16 and 20
    np.testing.assert_array_equal(values[..., 0], [[[n, 0, 0, 0]] for n in range(3)])
    varied = np.flatnonzero(~memory.region(SCRATCH).uniform)
    assert varied.tolist() == [8, 9, 12, 13, 16, 17, 20, 21]
    assert memory.read_bytes(SCRATCH, 22, 42, "weights") == bytes(42)
