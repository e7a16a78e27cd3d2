"""A stream of two sensors and a setting: every call is shown, drift takes them all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import unspool

from unspool import Options, Session, deploy_stream, unroll_stream
from unspool.deployment import save
from unspool.errors import UnspoolError
from unspool.runtime.drift import drift
from unspool.support._tensorflow import keras

L = keras.layers
CALLS, STEPS = 10, 4


def samples(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "motion": rng.normal(size=(count, CALLS * STEPS, 3)).astype(np.float32),
        "sound": rng.normal(size=(count, CALLS * STEPS, 2)).astype(np.float32),
        "setting": rng.normal(size=(count, 4)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def network() -> Any:
    keras.utils.set_random_seed(0)
    motion, sound = keras.Input((40, 3), name="motion"), keras.Input((40, 2), name="sound")
    setting = keras.Input((4,), name="setting")
    sequence = L.GRU(6, return_sequences=True, name="gru")(L.Concatenate()([motion, sound]))
    last = L.Concatenate()([L.LSTM(5, name="lstm")(sequence), L.Dense(3, "tanh")(setting)])
    return keras.Model([motion, sound, setting], L.Dense(2, name="y")(last))


@pytest.fixture(scope="module")
def folder(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    deployment = deploy_stream(
        network, samples(24), time_steps=STEPS, options=Options(remedy_seconds=0)
    )
    assert deployment.simulation.equal == 24
    save(deployment, folder)
    arrays: dict[str, Any] = samples(5, seed=1)
    np.savez(folder / "x.npz", **arrays)
    return folder


def test_every_call_is_given(folder: Path) -> None:
    session = Session(folder / "model_int8.tflite", "tflm")
    data = samples(5, seed=1)
    (calls,) = session.predict_calls(data)
    assert calls.shape == (5, CALLS, 2)
    assert (calls[:, -1] == session.predict(data)[0]).all()
    one = [array[2] for array in data.values()]
    for number in range(CALLS):  # what a device computes, call by call
        at = slice(number * STEPS, (number + 1) * STEPS)
        assert (session.step(one[0][at], one[1][at], one[2])[0] == calls[2, number]).all()


def test_simulate_shows_every_call(folder: Path, tmp_path: Path) -> None:
    command = ("simulate", folder / "model_vela.tflite", "--data", folder / "x.npz")
    run = unspool(*command)
    assert run.returncode == 0, run.stderr
    assert f"y: (5, {CALLS}, 2): 5 sequences, {CALLS} calls each" in run.stdout
    assert unspool(*command, "--out", tmp_path / "y.npz").returncode == 0
    expected = Session(folder / "model_int8.tflite", "tflm").predict_calls(samples(5, seed=1))
    assert (np.load(tmp_path / "y.npz")["y"] == expected[0]).all()


def files(folder: Path) -> tuple[bytes, bytes]:
    """The float and the quantized model."""
    return (folder / "model_float.tflite").read_bytes(), (folder / "model_int8.tflite").read_bytes()


def stream(seed: int = 2, length: int = 200) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "motion": rng.normal(size=(length, 3)).astype(np.float32),
        "sound": rng.normal(size=(length, 2)).astype(np.float32),
        "setting": rng.normal(size=4).astype(np.float32),
    }


def test_drift_takes_them_all_and_counts_what_is_outside(folder: Path) -> None:
    inside = {name: np.clip(array, -1, 1) for name, array in stream().items()}
    state_drift = drift(*files(folder), inside)
    assert (state_drift.calls, state_drift.time_steps, state_drift.outside) == (50, STEPS, ())
    assert [curve.name for curve in state_drift.curves] == ["gru/h", "lstm/h", "lstm/c", "y"]
    far = {**inside, "sound": np.where(np.arange(200)[:, None] < 40, 50, inside["sound"])}
    (outside,) = drift(*files(folder), far).outside
    assert (outside.input, outside.samples, outside.of, outside.farthest) == ("sound", 10, 50, 50)


WRONG: dict[str, tuple[Callable[[], dict[str, np.ndarray]], str]] = {
    "one is missing": (lambda: {k: v for k, v in stream().items() if k != "sound"}, "expected"),
    "too short": (lambda: stream(length=31), "the stream has 7 calls of 4 time steps: at least 8"),
    "another width": (lambda: {**stream(), "setting": np.zeros(5)}, "'setting' has the shape"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_drift_says_what_does_not_fit(
    folder: Path, data: Callable[[], dict[str, np.ndarray]], message: str
) -> None:
    with pytest.raises(UnspoolError, match=message):
        drift(*files(folder), data())


def of_two_rates(fast: int, slow: int) -> Any:
    keras.utils.set_random_seed(1)
    motion, weather = keras.Input((fast, 3), name="motion"), keras.Input((slow, 2), name="weather")
    both = L.Concatenate()([L.GRU(5, name="gru")(motion), L.LSTM(4, name="lstm")(weather)])
    return keras.Model([motion, weather], L.Dense(2, name="y")(both))


def test_inputs_of_two_rates_take_chunks_of_their_own() -> None:
    network, rng = of_two_rates(60, 20), np.random.default_rng(2)
    data = [
        rng.normal(size=(30, 60, 3)).astype(np.float32),
        rng.normal(size=(30, 20, 2)).astype(np.float32),
    ]
    done = deploy_stream(network, data, time_steps=2, options=Options(remedy_seconds=0))
    assert [tensor.shape for tensor in Session(done.quantized_tflite).inputs] == [
        (1, 6, 3),
        (1, 2, 2),
    ]
    assert done.simulation.equal == 30
    (expected,) = Session(done.float_tflite).predict(data)
    np.testing.assert_allclose(expected, network.predict(data, verbose=0), atol=1e-5)
    with pytest.raises(UnspoolError, match="10 calls for input 'motion', 5 calls for input 'wea"):
        Session(done.quantized_tflite).predict([data[0], data[1][:, :10]])


def test_rates_that_do_not_divide_are_refused_in_a_line() -> None:
    with pytest.raises(
        UnspoolError, match=r"'motion' has 50 time steps, another one 20: .* a mult"
    ):
        unroll_stream(of_two_rates(50, 20))
