"""What Vela 5.2 compiles wrongly: the simulator runs the stream, and the bytes tell.

If a test here fails with a new Vela, it has been repaired: take the line out of
docs/simulator.md, and the test with it.
"""

from __future__ import annotations

import models
import numpy as np
import pytest
from models import Graph, options

from unspool.npu import load, run

SCALE, KERNEL = 0.013, 0.0071


def _layers(dtype: str, *layers: tuple[float, float, np.ndarray | None]) -> bytes:
    """Fully-connected layers with one kernel: (input scale, output scale, bias) of each."""
    graph, rng = Graph(), np.random.default_rng(1)
    kernel = graph.tensor((16, 8), KERNEL, 0, data=rng.integers(-127, 128, (16, 8)))
    wide = "int64" if dtype == "int16" else "int32"
    for scale, out, bias in layers:
        given = [graph.input((1, 8), scale, 0, dtype), kernel, -1]
        if bias is not None:
            given[2] = graph.tensor((16,), scale * KERNEL, 0, wide, bias)
        result = graph.output((1, 16), out, 0, dtype)
        graph.op("FULLY_CONNECTED", given, result, options("FullyConnectedOptions"))
    return graph.build()


@pytest.mark.parametrize("target", ["ethos-u55-128", "ethos-u65-512"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_one_kernel_with_two_biases(dtype: str, target: str) -> None:
    """Layers with the same kernel and the same multiplier get the bias of one of them."""
    rng, out = np.random.default_rng(2), SCALE * KERNEL * 200
    limits = np.iinfo(dtype)
    samples = [rng.integers(limits.min, limits.max, (9, 8)).astype(dtype) for _ in range(2)]
    bias = rng.integers(-3000, 3000, 16)
    for other in (-bias, None):
        model = _layers(dtype, (SCALE, out, bias), (SCALE, out, other))
        results = run(load(models.vela(model, target)), samples)
        for changed in (bias, other):  # both layers with one of the two
            same = _layers(dtype, (SCALE, out, changed), (SCALE, out, changed))
            wanted = models.tflm(same, samples)
            if all((a == b).all() for a, b in zip(results, wanted, strict=True)):
                break
        else:
            pytest.fail("the stream uses neither of the two biases for both layers")
    # Another multiplier, and each layer has its own bias.
    model = _layers(dtype, (SCALE, out, bias), (SCALE, 1.5 * out, -bias))
    results = run(load(models.vela(model, target)), samples)
    for output, expected in zip(results, models.tflm(model, samples), strict=True):
        np.testing.assert_array_equal(output, expected)


def test_a_scale_of_2_to_the_31() -> None:
    """Its integer has one bit too many: from there to 2^32, values are others altogether."""
    rng, shape = np.random.default_rng(4), (1, 4, 4, 8)
    samples = [rng.integers(-128, 128, shape).astype(np.int8)]
    wrong = []
    for out in (0.99 * 2.0**31, 1.2 * 2.0**31, 1.99 * 2.0**31):
        graph = Graph()
        x = graph.input(shape, out**0.5 / 8)
        graph.op("MUL", [x, x], graph.output(shape, out), options("MulOptions"))
        model = graph.build()
        (output,) = run(load(models.vela(model)), samples)
        (expected,) = models.tflm(model, samples)
        wrong.append(int((output != expected).sum()))
    assert wrong[0] == 0
    assert min(wrong[1:]) > 50


def test_a_sum_over_two_axes() -> None:
    """Only the first one is summed: the bytes are those of a sum over time."""
    values = np.random.default_rng(3).integers(-20, 20, (5, 28, 16)).astype(np.int8)
    results = []
    for axes in ((1,), (1, 2)):
        graph = Graph()
        numbers = graph.tensor((len(axes),), dtype="int32", data=np.array(axes))
        shape = (1, 1, 16) if axes == (1,) else (1, 1, 1)
        x, out = graph.input((1, 28, 16), 0.01, 0), graph.output(shape, 0.02, 0)
        graph.op("SUM", [x, numbers], out, options("ReducerOptions", keepDims=True))
        (output,) = run(load(models.vela(graph.build())), [values])
        (wanted,) = models.tflm(graph.build(), [values])
        results.append((output.reshape(5, -1), wanted.reshape(5, -1)))
    np.testing.assert_array_equal(*results[0])
    np.testing.assert_array_equal(results[1][0][:, 0], results[0][0][:, 0])
    assert (results[1][0] != results[1][1]).any()


def test_the_largest_of_a_row_without_keep_dims() -> None:
    """REDUCE_MAX over the last axis reads windows of one row instead of one window per row."""
    values = np.random.default_rng(4).integers(-128, 128, (5, 28, 16)).astype(np.int8)
    graph = Graph()
    numbers = graph.tensor((1,), dtype="int32", data=np.array([2]))
    x, out = graph.input((1, 28, 16), 0.01, 0), graph.output((1, 28), 0.01, 0)
    graph.op("REDUCE_MAX", [x, numbers], out, options("ReducerOptions", keepDims=False))
    (output,) = run(load(models.vela(graph.build())), [values])
    (wanted,) = models.tflm(graph.build(), [values])
    np.testing.assert_array_equal(wanted, values.max(axis=2))
    np.testing.assert_array_equal(output[:, 0], values[:, 0].max(axis=1))
    assert (output[:, 1:] != wanted[:, 1:]).any()
