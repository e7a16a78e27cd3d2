"""Networks with repeated weights, compiled once for all tests."""

from __future__ import annotations

import functools

import models
import numpy as np
import test_networks as networks

from unspool.compilation import targets, vela
from unspool.compilation.compiled import Compiled
from unspool.npu import Program
from unspool.npu.machine import sample_shape

_SYSTEMS = {"Dedicated_Sram": "Ethos_U65_High_End", "Shared_Sram": "Ethos_U65_Embedded"}
STEPS, UNITS = networks.STEPS, networks.UNITS


def stacked() -> bytes:
    """Two recurrent layers of 32 units. Vela copies the first one's kernel to SRAM by itself."""
    graph, rng = models.Graph(), np.random.default_rng(4)
    x = graph.input((1, 32), *models.HIDDEN)
    first, second = (models.dense(graph, rng, 32, 32, models.SUM) for _ in range(2))
    low = high = x
    for _ in range(STEPS):
        low = models.activation(graph, "TANH", first(low))
        total = models.binary(graph, "ADD", second(high), low, models.SUM)
        high = models.activation(graph, "TANH", total)
    models.dense(graph, rng, 10, 32, (0.05, 7))(high, graph.output((1, 10), 0.05, 7))
    return graph.build()


def once() -> bytes:
    """No table is read twice."""
    graph, rng = models.Graph(), np.random.default_rng(4)
    x = graph.input((1, 32), *models.HIDDEN)
    models.dense(graph, rng, 10, 32, (0.05, 7))(x, graph.output((1, 10), 0.05, 7))
    return graph.build()


def wide() -> bytes:
    """A GRU whose kernel is so large that Vela copies it in parts on an Ethos-U65."""
    graph, rng = models.Graph(), np.random.default_rng(4)
    h = models.gru(graph, rng, graph.input((3, 8), *models.HIDDEN), 128, None)
    models.dense(graph, rng, 10, 128, (0.05, 7))(h, graph.output((1, 10), 0.05, 7))
    return graph.build()


NETWORKS = {
    "gru": networks.gru,
    "lstm": networks.lstm,
    "bidirectional": networks.bidirectional,
    "gru with state": networks.gru_with_state,
    "stacked": stacked,
    "once": once,
    "wide": wide,
}


@functools.cache
def quantized(network: str) -> bytes:
    """The int8 file."""
    return NETWORKS[network]()


@functools.cache
def compiled(
    network: str, accelerator: str = "ethos-u55-128", mode: str = "Shared_Sram"
) -> Compiled:
    """What Vela makes of a network."""
    system = _SYSTEMS.get(mode) if accelerator.startswith("ethos-u65") else None
    target = targets.target(accelerator, system, mode)
    return vela.compile(quantized(network), target)


def samples(program: Program, count: int) -> list[np.ndarray]:
    """Random inputs for a program."""
    rng, inputs = np.random.default_rng(3), []
    for tensor in program.inputs:
        limits = np.iinfo(tensor.dtype)
        shape = (count, *sample_shape(tensor))
        inputs.append(rng.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True))
    return inputs
