"""16-bit activations, as 'int8 weights, int16 activations' models have them."""

from __future__ import annotations

import math

import models
import numpy as np
import pytest
from models import Graph, options

from unspool.npu import load, run

SHAPE = (1, 64, 64, 4)
EVERY = np.arange(-32768, 32768).astype(np.int16).reshape(4, 64, 64, 4)  # all values, 4 samples


def _compare(graph: Graph, inputs: list[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
    model = graph.build()
    results = run(load(models.vela(model)), inputs)
    return list(zip(results, models.tflm(model, inputs), strict=True))


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_binary_operators(name: str) -> None:
    """Ten random scale triples, 65,536 random operand pairs each."""
    rng = np.random.default_rng(ord(name[0]))
    graph, triples, inputs = Graph(), [], []
    for number in range(10):
        first, second = (float(np.float32(math.exp(rng.uniform(-12, -7)))) for _ in range(2))
        if number % 4 == 0:
            second = first
        if name == "MUL":
            result = first * second * math.exp(rng.uniform(7, 11))
        else:
            result = max(first, second) * math.exp(rng.uniform(-0.5, 1))
        triples.append((first, second, result))
        operands = [graph.input(SHAPE, scale, 0, "int16") for scale in (first, second)]
        output = graph.output(SHAPE, result, 0, "int16")
        graph.op(name, operands, output, options(f"{name.capitalize()}Options"))
        inputs += [rng.integers(-32768, 32768, (4, *SHAPE[1:])).astype(np.int16) for _ in range(2)]
    for number, (simulated, expected) in enumerate(_compare(graph, inputs)):
        a, b = inputs[2 * number], inputs[2 * number + 1]
        differing = simulated != expected
        known = _float32_multiplier_matters(triples[number], a, b) if name == "MUL" else False
        np.testing.assert_array_equal(differing, np.broadcast_to(known, differing.shape))


def _float32_multiplier_matters(
    triple: tuple[float, float, float], a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """Where MUL rounds in another way with Vela's float32 multiplier than with TFLM's float64."""
    s1, s2, s3 = (np.float32(s) for s in triple)
    product = a.astype(np.int64) * b
    results = []
    for real in (np.float64(s1) * np.float64(s2) / np.float64(s3), np.float64(s1 * s2 / s3)):
        fraction, exponent = math.frexp(real)
        high = (product * round(fraction * (1 << 31)) + (1 << 30)) >> 31
        half = 1 << -exponent >> 1
        rounded = np.sign(high) * ((np.abs(high) + half) >> -exponent)
        results.append(np.clip(rounded, -32768, 32767))
    return np.asarray(results[0] != results[1])


@pytest.mark.parametrize("name", ["TANH", "LOGISTIC"])
def test_curves(name: str) -> None:
    """All 65,536 inputs, at scales that Vela handles apart and at others."""
    graph = Graph()
    scales = (1 / 4096, 1 / 2048, 1 / 8192, 1 / 12288, 0.000267, 0.00089, 0.00005)
    for scale in scales:
        x = graph.input(SHAPE, scale, 0, "int16")
        graph.op(name, [x], graph.output(SHAPE, 1 / 32768, 0, "int16"))
    for simulated, expected in _compare(graph, [EVERY] * len(scales)):
        np.testing.assert_array_equal(simulated, expected)


def test_unary_operators() -> None:
    """All 65,536 inputs of ABS and LEAKY_RELU."""
    graph = Graph()
    for alpha in (0.01, 0.2, 0.77):
        x = graph.input(SHAPE, 0.0003, 0, "int16")
        output = graph.output(SHAPE, 0.0003, 0, "int16")
        graph.op("LEAKY_RELU", [x], output, options("LeakyReluOptions", alpha=alpha))
    x = graph.input(SHAPE, 0.0003, 0, "int16")
    graph.op("ABS", [x], graph.output(SHAPE, 0.0004, 0, "int16"))
    for simulated, expected in _compare(graph, [EVERY] * 4):
        np.testing.assert_array_equal(simulated, expected)


def test_to_int8() -> None:
    graph = Graph()
    for scale, zero in ((0.02, 3), (0.05, -128)):
        x = graph.input(SHAPE, 0.0003, 0, "int16")
        graph.op("QUANTIZE", [x], graph.output(SHAPE, scale, zero))
    for simulated, expected in _compare(graph, [EVERY] * 2):
        np.testing.assert_array_equal(simulated, expected)


def test_fully_connected() -> None:
    """8-bit weights and 64-bit biases: a 40-bit accumulator, rounded once."""
    graph, rng = Graph(), np.random.default_rng(0)
    for inputs, units in ((40, 24), (7, 3), (100, 64)):
        scale, weight_scale = 0.0003, 0.01
        x = graph.input((1, inputs), scale, 0, "int16")
        weights = graph.tensor(
            (units, inputs), weight_scale, 0, data=rng.integers(-127, 128, (units, inputs))
        )
        bias = graph.tensor(
            (units,), scale * weight_scale, 0, "int64", rng.integers(-100000, 100000, units)
        )
        output = graph.output((1, units), scale * weight_scale * 200, 0, "int16")
        chosen = options("FullyConnectedOptions")
        graph.op("FULLY_CONNECTED", [x, weights, bias], output, chosen)
    values = [
        rng.integers(-8192, 8192, (50, models.shape(graph, i)[1])).astype(np.int16)
        for i in graph.inputs
    ]
    for simulated, expected in _compare(graph, values):
        np.testing.assert_array_equal(simulated, expected)
        assert len(np.unique(expected)) > 50
