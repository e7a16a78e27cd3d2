"""Which scales make Vela derive the multipliers that TensorFlow Lite Micro derives.

Vela computes some products and quotients of scales in float32, TFLM in float64. Both are derived
here from the scales, and the results must differ for exactly those inputs that the two multipliers
round differently.
"""

from __future__ import annotations

import math

import models
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from models import Graph, options
from operators import rounded

from unspool.npu import load, run
from unspool.npu.arithmetic import tfl_scale

SHAPE = (1, 64, 64, 4)
EVERY = np.arange(-32768, 32768).astype(np.int16).reshape(4, 64, 64, 4)  # all values, 4 samples
F32 = np.float32


def _scaled(values: np.ndarray, real: float) -> np.ndarray:
    fraction, exponent = math.frexp(real)
    return tfl_scale(values.astype(np.int64), round(fraction * (1 << 31)), 31 - exponent)


def _both(model: bytes, samples: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(simulated, expected) of every output."""
    results = run(load(models.vela(model)), samples)
    return list(zip(results, models.tflm(model, samples), strict=True))


def _edges(kind: str, dtype: str, bits: tuple[int, int], layers: int) -> list[int]:
    """Differing bytes of layers whose sums lie at the edge between two outputs, per layer.

    The inputs are zero, so the sums are the biases, and these are as large as they may be: the
    smallest difference between two multipliers shows.
    """
    graph, rng = Graph(), np.random.default_rng(len(kind) + len(dtype))
    wide, units = dtype == "int16", 256
    for _ in range(layers):
        scale = rounded(math.exp(rng.uniform(-7, -3)), bits[0])
        kernel = rounded(math.exp(rng.uniform(-6, -3)), bits[1])
        most, steps = (1 << 38, 20000) if wide else (1 << 30, 100)
        out = rounded(scale * kernel * most / (1.2 * steps), bits[0])
        edge = (rng.integers(-steps, steps, units) + 0.5) * out / (scale * kernel)
        bias = np.round(edge).astype(np.int64) + rng.integers(-3, 4, units)
        weights = rng.integers(-127, 128, (units, 8))
        scales: float | list[float] = kernel if kind == "FULLY_CONNECTED" else [kernel] * units
        steps_of_bias = scale * kernel if kind == "FULLY_CONNECTED" else [scale * kernel] * units
        shape = (1, 8) if kind == "FULLY_CONNECTED" else (1, 1, 1, 8)
        form = (units, 8) if kind == "FULLY_CONNECTED" else (units, 1, 1, 8)
        given = [
            graph.input(shape, scale, 0, dtype),
            graph.tensor(form, scales, 0, data=weights),
            graph.tensor((units,), steps_of_bias, 0, "int64" if wide else "int32", bias),
        ]
        chosen = options("FullyConnectedOptions")
        if kind == "CONV_2D":
            one = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
            chosen = options("Conv2DOptions", padding=1, **one)
        graph.op(kind, given, graph.output((*shape[:-1], units), out, 0, dtype), chosen)
    samples = [np.zeros(models.shape(graph, i), dtype) for i in graph.inputs]
    return [int((output != wanted).sum()) for output, wanted in _both(graph.build(), samples)]


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", ["FULLY_CONNECTED", "CONV_2D"])
def test_products_of_twelve_and_ten_bits(kind: str, dtype: str) -> None:
    """Such a product is exact in float32: the multipliers are the same."""
    assert not any(_edges(kind, dtype, (12, 10), 25))
    assert not any(_edges(kind, dtype, (14, 10), 25)), "as the outputs of multiplications have"


def test_products_of_all_bits() -> None:
    """A fully-connected operator's product is then rounded; a convolution's never is."""
    assert sum(n > 0 for n in _edges("FULLY_CONNECTED", "int8", (24, 24), 25)) > 20
    assert not any(_edges("CONV_2D", "int8", (24, 24), 25))


BITS = st.integers(1 << 11, (1 << 12) - 1)  # scales of 12 bits, near 2**-13
FREE = st.integers(1 << 23, (1 << 24) - 1)


@settings(max_examples=8)
@given(st.tuples(FREE, FREE, FREE), st.tuples(BITS, BITS))
def test_multiplications(free: tuple[int, int, int], short: tuple[int, int]) -> None:
    """int16 MUL: any scales, then operands of 12 bits with a power of two times their product."""
    a, b, out = (math.ldexp(n, -36) for n in free)
    triples = [(a, b, math.ldexp(out, -5))]
    a, b = (math.ldexp(n, -24) for n in short)
    triples.append((a, b, math.ldexp(a * b, 14)))
    graph, rng = Graph(), np.random.default_rng(free[0])
    for first, second, result in triples:
        pair = [graph.input(SHAPE, scale, 0, "int16") for scale in (first, second)]
        graph.op("MUL", pair, graph.output(SHAPE, result, 0, "int16"), options("MulOptions"))
    samples = [rng.integers(-32768, 32768, EVERY.shape).astype(np.int16) for _ in range(4)]
    results = _both(graph.build(), samples)
    for (output, expected), (a, b, out), x, y in zip(
        results, triples, samples[::2], samples[1::2], strict=True
    ):
        product = x.astype(np.int64) * y
        single = float(F32(F32(a) * F32(b)) / F32(out))
        for stored, real in ((expected, a * b / out), (output, single)):
            np.testing.assert_array_equal(stored, np.clip(_scaled(product, real), -32768, 32767))
    np.testing.assert_array_equal(*results[1])


@settings(max_examples=8)
@given(FREE, FREE, st.integers(1, 99))
def test_rectifiers_that_rescale(first: int, second: int, percent: int) -> None:
    """int16 RELU and LEAKY_RELU with another output scale: float32 against float64."""
    a, b = math.ldexp(first, -36), math.ldexp(second, -36)
    assume(a != b)
    slope = float(F32(percent / 100))
    graph = Graph()
    for name in ("RELU", "LEAKY_RELU"):
        chosen = options("LeakyReluOptions", alpha=slope) if name == "LEAKY_RELU" else None
        x, out = graph.input(SHAPE, a, 0, "int16"), graph.output(SHAPE, b, 0, "int16")
        graph.op(name, [x], out, chosen)
    (relu, leaky) = _both(graph.build(), [EVERY] * 2)
    slopes = a * slope / b, float(F32(F32(a) * F32(slope)) / F32(b))
    for number, ratio in ((1, a / b), (0, float(F32(a) / F32(b)))):  # TFLM's, Vela's
        whole, part = _scaled(EVERY, ratio), _scaled(EVERY, slopes[1 - number])
        wanted = np.clip(np.where(EVERY > 0, whole, 0), -32768, 32767)
        np.testing.assert_array_equal(relu[number], wanted)
        wanted = np.clip(np.where(EVERY > 0, whole, part), -32768, 32767)
        np.testing.assert_array_equal(leaky[number], wanted)
