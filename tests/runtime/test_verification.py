"""The report's word on the binary: equal, or which operator is the first to differ."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import random_samples

from unspool import npu
from unspool.compilation import vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.targets import target
from unspool.deployment import Options, deploy
from unspool.npu.debug import read_debug
from unspool.npu.decoder import decode
from unspool.runtime import prediction
from unspool.runtime.verification import compare, first_difference
from unspool.support._tensorflow import keras


def _with_a_wrong_scale(compiled: Compiled, name: str) -> Compiled:
    """The binary with another OFM_SCALE for the one operation of this name."""
    program = npu.load(compiled.tflite)
    named = {offset: origin.name for offset, origin in read_debug(compiled.debug).items()}
    operation = next(op for op in decode(program.stream) if named.get(4 * op.position) == name)
    (write,) = [w for w in operation.writes if w.name == "OFM_SCALE"]
    payload = bytes.fromhex(program.stream.hex())
    start = compiled.tflite.index(payload) + 4 * write.position + 4
    broken = bytearray(compiled.tflite)
    value = int.from_bytes(broken[start : start + 4], "little")
    broken[start : start + 4] = (value // 2).to_bytes(4, "little")
    return replace(compiled, tflite=bytes(broken))


def test_a_good_binary_is_equal(int8_tflite: bytes, data: np.ndarray) -> None:
    compiled = vela.compile(int8_tflite, target())
    outputs = [prediction.predict(c, data, r) for c, r in
               ((compiled.tflite, "npu"), (int8_tflite, "tflm"))]  # fmt: skip
    comparison = compare(compiled, int8_tflite, [data], *outputs)
    assert (comparison.samples, comparison.equal, comparison.first_difference) == (40, 40, "")


def test_the_first_operator_that_differs_is_named(int8_tflite: bytes, data: np.ndarray) -> None:
    broken = _with_a_wrong_scale(vela.compile(int8_tflite, target()), "gru/step_002/rh")
    simulated = prediction.predict(broken.tflite, data, "npu")
    comparison = compare(
        broken, int8_tflite, [data], simulated, prediction.predict(int8_tflite, data, "tflm")
    )
    assert comparison.equal < 40
    assert comparison.first_difference == "gru/step_002/rh"
    assert first_difference(broken, int8_tflite, [data[:1]]) == "gru/step_002/rh"


def test_resident_weights_move_operations_and_the_name_stays() -> None:
    """SOFTMAX in int16 differs by a level at times; nothing in front of it does."""
    keras.utils.set_random_seed(1)
    x = keras.Input((10, 5))
    steps = keras.layers.GRU(24, return_sequences=True)(x)
    model = keras.Model(x, keras.layers.Dense(3, "softmax", name="y")(steps))
    data = random_samples(200, 10)
    for resident in (None, math.inf):
        options = Options(remedy_seconds=0, activations="int16", resident_weights=resident)
        done = deploy(model, data, options=options)
        assert done.simulation.equal < 200
        assert done.simulation.first_difference == "y"


@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u85-256"])
def test_what_is_not_simulated_says_why(model: Any, data: np.ndarray, accelerator: str) -> None:
    options = Options(target(accelerator), remedy_seconds=0)
    simulation = deploy(model, data, options=options).simulation
    if accelerator == "ethos-u55-128":
        assert (simulation.equal, simulation.samples, simulation.reason) == (40, 40, "")
    else:
        assert (simulation.equal, simulation.samples) == (0, 0)
        assert "ethos-u85" in simulation.reason


def test_outputs_are_compared_sample_by_sample(int8_tflite: bytes) -> None:
    compiled = vela.compile(int8_tflite, target())
    data = np.zeros((3, 6, 5), np.float32)
    right = prediction.predict(int8_tflite, data, "tflm")
    wrong = [right[0].copy()]
    wrong[0][1, 2] += 1
    comparison = compare(compiled, int8_tflite, [data], wrong, right)
    assert (comparison.samples, comparison.equal) == (3, 2)
