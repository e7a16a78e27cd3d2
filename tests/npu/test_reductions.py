"""MEAN, SUM and REDUCE_MAX over time, features and images."""

from __future__ import annotations

import math

import models
import numpy as np
import pytest
from models import Graph, options

from unspool.errors import UnspoolError
from unspool.npu import load, run
from unspool.npu.arithmetic import natural_scale, tfl_scale

AXES = {"time": (1,), "features": (2,), "time and features": (1, 2)}


def _reduce(
    graph: Graph,
    name: str,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    quantizations: tuple[tuple[float, int], tuple[float, int]],
    dtype: str,
    keep: bool = False,
) -> None:
    left = [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes]
    numbers = graph.tensor((len(axes),), dtype="int32", data=np.array(axes))
    x = graph.input(shape, *quantizations[0], dtype)
    out = graph.output(tuple(left), *quantizations[1], dtype)
    graph.op(name, [x, numbers], out, options("ReducerOptions", keepDims=keep))


def _compare(graph: Graph, samples: list[np.ndarray], target: str = "ethos-u55-128") -> list[int]:
    """How many bytes of each output differ from TFLM's."""
    model = graph.build()
    results = run(load(models.vela(model, target)), samples)
    pairs = zip(results, models.tflm(model, samples), strict=True)
    return [int((output != expected).sum()) for output, expected in pairs]


def _random(graph: Graph, rng: np.random.Generator, dtype: str) -> list[np.ndarray]:
    limits, samples = np.iinfo(dtype), []
    for i in graph.inputs:
        values = rng.integers(limits.min, limits.max + 1, (8, *models.shape(graph, i)[1:]))
        values[0], values[1] = limits.min, limits.max
        samples.append(values.astype(dtype))
    return samples


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", [*AXES, "image"])
def test_mean(kind: str, dtype: str) -> None:
    """Lengths up to 300, each with its own quantizations."""
    rng = np.random.default_rng(len(kind) + len(dtype))
    for target in ("ethos-u55-128", "ethos-u65-512"):
        graph = Graph()
        for length in (1, 2, 3, 5, 28, 31, 32, 33, 49, 63, 64, 65, 100, 127, 128, 200, 255, 300):
            deep, wide = int(rng.choice([1, 3, 16, 20])), int(rng.integers(1, 12))
            shape = {
                "time": (1, length, deep),
                "features": (1, deep, length),
                "time and features": (1, length, wide),
                "image": (1, -(-length // wide), wide, deep),
            }[kind]
            scale = math.exp(rng.uniform(-7, -3))
            zeros = (0, 0) if dtype == "int16" else rng.integers(-128, 128, 2)
            out = scale * length ** rng.uniform(-0.5, 0), int(zeros[1])
            axes = AXES.get(kind, (1, 2))
            _reduce(graph, "MEAN", shape, axes, ((scale, int(zeros[0])), out), dtype)
        assert not any(_compare(graph, _random(graph, rng, dtype), target))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", ["time", "features"])
def test_sums_that_round_once(kind: str, dtype: str) -> None:
    """With input scale / output scale of 1/2 or more, TFLM rounds once, as Vela's stream does."""
    rng, graph = np.random.default_rng(7), Graph()
    for length in (1, 2, 5, 28, 64, 100, 200):
        shape = (1, length, 8) if kind == "time" else (1, 8, length)
        scale = math.exp(rng.uniform(-7, -3))
        zeros = (0, 0) if dtype == "int16" else (5, -9)
        pair = (scale, zeros[0]), (scale * float(rng.uniform(0.2, 2)), zeros[1])
        _reduce(graph, "SUM", shape, AXES[kind], pair, dtype, keep=True)
    assert not any(_compare(graph, _random(graph, rng, dtype)))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("ratio", [0.4, 0.25, 0.2, 0.1, 0.03])
def test_sums_that_tflm_rounds_twice(dtype: str, ratio: float) -> None:
    """Below 1/2, TFLM rounds twice and Vela's stream once: they differ for exactly those sums."""
    rng, graph, scale = np.random.default_rng(9), Graph(), 0.01
    _reduce(graph, "SUM", (1, 28, 64), (1,), ((scale, 0), (scale / ratio, 0)), dtype)
    low = 1.5 / ratio  # keeps the sum inside the output's range
    spread = np.iinfo(dtype).max * min(1.0, low / 28)
    x = rng.uniform(-spread, spread, (20, 28, 64)).astype(dtype)
    model = graph.build()
    (expected,), (output,) = models.tflm(model, [x]), run(load(models.vela(model)), [x])
    real = float(np.float32(scale)) / float(np.float32(scale / ratio))
    fraction, exponent = math.frexp(real)
    multiplier, shift = round(fraction * (1 << 31)), 31 - exponent
    total = x.astype(np.int64).sum(axis=1)
    limits = np.iinfo(dtype)
    for result, rule in ((expected, tfl_scale), (output, natural_scale)):
        wanted = np.clip(rule(total, multiplier, shift), limits.min, limits.max)
        np.testing.assert_array_equal(result, wanted)
    assert (output != expected).mean() > 0.2 * ratio


def test_largest_of_a_row() -> None:
    """With keep_dims over every axis; without, Vela 5.2 compiles the last axes wrongly."""
    rng, graph = np.random.default_rng(3), Graph()
    for axes in ((1,), (2,), (3,), (1, 2), (1, 2, 3)):
        _reduce(graph, "REDUCE_MAX", (1, 5, 7, 9), axes, ((0.02, 3),) * 2, "int8", keep=True)
    _reduce(graph, "REDUCE_MAX", (1, 28, 16), (1,), ((0.02, 3),) * 2, "int8")
    assert not any(_compare(graph, _random(graph, rng, "int8")))


def test_a_stream_that_sums_rows_into_one_channel() -> None:
    """Vela 5.2 writes a REDUCE_SUM of 28 channels for a SUM without keep_dims: refused."""
    graph = Graph()
    _reduce(graph, "SUM", (1, 28, 16), (2,), ((0.001, 0), (0.002, 0)), "int16")
    samples = _random(graph, np.random.default_rng(0), "int16")
    with pytest.raises(UnspoolError, match="REDUCE_SUM with a kernel, padding or an OFM of more"):
        run(load(models.vela(graph.build())), samples)
