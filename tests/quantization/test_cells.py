"""Cell states of LSTMs: which tensors they are, and their range, cut where that errs less."""

import numpy as np
from conftest import small_model

from unspool import stages
from unspool.quantization.calibration import choose
from unspool.quantization.cells import cells
from unspool.remedies.refining import CELL_LIMITS, refined, with_best_cells
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.tflite.roles import roles
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll
from unspool.unrolling.stream_model import unroll_stream

STEPS = 400


def _cells(tflite: bytes) -> frozenset[str]:
    model = flatbuffer.read(tflite)
    return cells(model, roles(model))


def test_cells_are_those_of_an_lstm() -> None:
    stream = convert(unroll_stream(small_model("lstm"), time_steps=2))
    cell_names = _cells(stream)
    assert {"lstm/c_in", "lstm/c_out", "lstm/step_000/fc", "lstm/step_001/fc"} <= cell_names
    assert not any(name.split("/")[-1] in ("ig", "h", "g") for name in cell_names)
    assert _cells(convert(unroll(small_model("lstm", steps=4))))
    for other in ("gru", "simple"):
        assert not _cells(convert(unroll(small_model(other, steps=4))))


def counting() -> keras.Model:
    """An LSTM of two units that never forget: one counts, the other adds up small inputs."""
    x = keras.Input((None, 1))
    layer = keras.layers.LSTM(2, return_sequences=True, name="lstm")
    h = layer(x)
    model = keras.Model(x, keras.layers.Dense(1, name="last")(h))
    kernel = np.zeros((1, 8), np.float32)
    kernel[0, 5] = 1.0  # g of the second unit
    bias = np.array([9, 9, 9, 9, 1, 0, 9, 9], np.float32)  # i, f, g, o
    layer.set_weights([kernel, np.zeros((2, 8), np.float32), bias])
    model.get_layer("last").set_weights([np.array([[0.1], [1.0]], np.float32), np.zeros(1)])
    return model


def test_a_counter_is_cut_where_others_need_the_levels() -> None:
    way = stages.stream(
        1, method="mse", activations="int16", allow_cpu=False, rounds=3, carry_states=False
    )
    data = np.random.default_rng(0).uniform(-0.004, 0.006, (4, STEPS, 1)).astype(np.float32)
    made, tflite = stages.quantized(counting(), data, way)
    assert made.calibration.ranges["lstm/c_out"].maximum > 100
    better, refined_tflite = refined(made, way, [data])
    assert better.calibration.ranges["lstm/c_out"].maximum in CELL_LIMITS["int16"]
    (right,) = Session(made.float_tflite).predict_calls(data)
    errors = [
        np.abs(Session(file).predict_calls(data)[0] - right).mean()
        for file in (refined_tflite, tflite)
    ]
    assert errors[0] < errors[1] / 4


def test_a_cut_is_no_use_where_nothing_reaches_it() -> None:
    way = stages.sequences()
    data = np.random.default_rng(0).normal(size=(20, 6, 5)).astype(np.float32)
    made, tflite = stages.quantized(small_model("lstm"), data, way)
    assert with_best_cells(made, tflite, way, [data]) == (made, tflite)
    observed = made.calibration.observations
    assert observed is not None
    cut = choose(observed, "mse", cell_limit=0.01)
    assert cut.ranges != made.calibration.ranges
