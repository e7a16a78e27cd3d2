"""Whole networks: the simulator's bytes are those of TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable

import models
import numpy as np
import pytest

from unspool.npu import Program, load, run
from unspool.npu.decoder import decode

INPUT = (1 / 100, -128)
UNITS, STEPS, FEATURES = 16, 5, 12

TARGETS = [
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
]


def _start() -> tuple[models.Graph, np.random.Generator, int]:
    graph, rng = models.Graph(), np.random.default_rng(1)
    x = graph.input((1, STEPS, FEATURES), *INPUT)
    return graph, rng, models.reshape(graph, x, (STEPS, FEATURES))


def _finish(graph: models.Graph, rng: np.random.Generator, h: int) -> bytes:
    logits = models.dense(graph, rng, 10, models.shape(graph, h)[1], (0.05, 7))(h)
    models.softmax(graph, logits)
    return graph.build()


def simple_rnn() -> bytes:
    graph, rng, x = _start()
    return _finish(graph, rng, models.simple_rnn(graph, rng, x, UNITS, None))


def gru() -> bytes:
    graph, rng, x = _start()
    return _finish(graph, rng, models.gru(graph, rng, x, UNITS, None))


def lstm() -> bytes:
    graph, rng, x = _start()
    return _finish(graph, rng, models.lstm(graph, rng, x, UNITS, None, None)[0])


def bidirectional() -> bytes:
    graph, rng, x = _start()
    ahead = models.gru(graph, rng, x, UNITS, None)
    rows = [models.columns(graph, x, 0, FEATURES, step) for step in reversed(range(STEPS))]
    back = models.gru(graph, rng, models.concatenate(graph, rows, 0), UNITS, None)
    return _finish(graph, rng, models.concatenate(graph, [ahead, back], 1))


def crnn(pooling: str) -> bytes:
    graph, rng = models.Graph(), np.random.default_rng(2)
    x = graph.input((1, 9, 11, 1), *INPUT)
    x = models.pool(graph, pooling, models.convolution(graph, rng, x, 8), 2)
    x = models.pool(graph, pooling, models.convolution(graph, rng, x, 20), 2)
    _, height, width, deep = models.shape(graph, x)
    x = models.reshape(graph, x, (height, width * deep))
    return _finish(graph, rng, models.gru(graph, rng, x, UNITS, None))


def gru_with_state() -> bytes:
    graph, rng, x = _start()
    state = graph.input((1, UNITS), *models.HIDDEN)
    h = models.gru(graph, rng, x, UNITS, state)
    graph.outputs.append(h)
    return _finish(graph, rng, h)


def lstm_with_state() -> bytes:
    graph, rng, x = _start()
    h = graph.input((1, UNITS), *models.HIDDEN)
    c = graph.input((1, UNITS), *models.CELL)
    h, c = models.lstm(graph, rng, x, UNITS, h, c)
    graph.outputs += [h, c]
    return _finish(graph, rng, h)


NETWORKS: dict[str, Callable[[], bytes]] = {
    "SimpleRNN": simple_rnn,
    "GRU": gru,
    "LSTM": lstm,
    "Bidirectional GRU": bidirectional,
    "CRNN, maximum": lambda: crnn("MAX_POOL_2D"),
    "CRNN, average": lambda: crnn("AVERAGE_POOL_2D"),
    "GRU with state": gru_with_state,
    "LSTM with state": lstm_with_state,
}

CASES = [
    *((name, "ethos-u55-128", "Shared_Sram") for name in NETWORKS),
    *(("GRU", target, mode) for target in TARGETS for mode in ("Shared_Sram", "Sram_Only")),
    *((name, "ethos-u65-512", "Dedicated_Sram") for name in ("LSTM", "CRNN, average")),
]


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("network", "target", "mode"), CASES)
def test_bytes_equal_tflm(network: str, target: str, mode: str) -> None:
    model = NETWORKS[network]()
    program = load(models.vela(model, target, mode))
    inputs = samples(program, 24)
    expected = models.tflm(model, inputs)
    results = run(program, inputs)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
        assert len(np.unique(wanted)) > 8, "the network's outputs are nearly constant"


def samples(program: Program, count: int) -> list[np.ndarray]:
    """Random inputs for a program."""
    rng = np.random.default_rng(3)
    return [
        rng.integers(-128, 128, (count, *tensor.shape[1:]), np.int8) for tensor in program.inputs
    ]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.one_in(2)
def test_the_legacy_backend(network: str) -> None:
    """Vela's older core writes other streams, with stale registers, for the same bytes."""
    model = NETWORKS[network]()
    legacy = ("--debug-force-legacy-core",)
    program = load(models.compile_model(model, "ethos-u55-128", "Shared_Sram", legacy).model)
    inputs = samples(program, 24)
    for result, wanted in zip(run(program, inputs), models.tflm(model, inputs), strict=True):
        np.testing.assert_array_equal(result, wanted)


def test_rolling_buffers() -> None:
    """Convolutions in a cascade keep a few rows of their feature maps, in two tiles."""
    graph, rng = models.Graph(), np.random.default_rng(0)
    x = graph.input((1, 48, 48, 3), 0.02, -3)
    for _ in range(3):
        x = models.convolution(graph, rng, x, 16)
    graph.outputs.append(models.pool(graph, "AVERAGE_POOL_2D", x, 3))
    model = graph.build()
    compiled = models.compile_model(model, "ethos-u55-128", "Shared_Sram", ("--optimise=Size",))
    program = load(compiled.model)
    tiled = [op for op in decode(program.stream) if op.registers.get("IFM_BASE2")]
    assert len(tiled) > 5
    inputs = samples(program, 3)
    (result,), (wanted,) = run(program, inputs), models.tflm(model, inputs)
    np.testing.assert_array_equal(result, wanted)


def test_state_goes_back_in_as_it_came_out() -> None:
    model = gru_with_state()
    program = load(models.vela(model))
    x = samples(program, 6)[0]
    state = np.zeros((1, UNITS), np.int8)
    for step in range(6):  # sample by sample, as firmware does
        state, probabilities = run(program, [x[step : step + 1], state])
    expected = np.zeros((1, UNITS), np.int8)
    for step in range(6):
        expected, wanted = models.tflm(model, [x[step : step + 1], expected])
    np.testing.assert_array_equal(state, expected)
    np.testing.assert_array_equal(probabilities, wanted)


def test_a_batch_equals_its_samples() -> None:
    program = load(models.vela(lstm()))
    (x,) = samples(program, 300)  # more than one internal batch
    (together,) = run(program, [x])
    for index in (0, 1, 255, 256, 299):
        (alone,) = run(program, [x[index : index + 1]])
        np.testing.assert_array_equal(together[index], alone[0])
