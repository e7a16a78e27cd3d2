"""Poolings over all steps since the reset: after each call, what Keras gives for what has come."""

from typing import Any

import numpy as np
import pytest
import slow
from cases import L

import unspool
from unspool import Options, Session, UnspoolError
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.stream_model import unroll_stream

WINDOW = 48
SEEN = (2, 4, 8, 24, 40, WINDOW)
"""Time steps after which Keras is asked."""


def _mean() -> Any:
    x = keras.Input((None, 6))
    h = L.GRU(12, return_sequences=True)(L.Conv1D(8, 3, padding="causal")(x))
    return keras.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(h)))


def _largest() -> Any:
    """Below 0 too, so that rows of zeros would be seen."""
    x = keras.Input((None, 6))
    return keras.Model(x, L.GlobalMaxPooling1D()(L.GRU(12, return_sequences=True)(x) - 1.0))


def _mean_of_images() -> Any:
    x = keras.Input((None, 6, 1))
    h = L.GlobalAveragePooling2D(keepdims=True)(L.Conv2D(4, (1, 3), activation="relu")(x))
    return keras.Model(x, L.Flatten()(L.Conv2D(3, 1)(h)))


def _largest_of_images() -> Any:
    x = keras.Input((None, 6, 1))
    return keras.Model(x, L.Dense(3)(L.GlobalMaxPooling2D()(L.Conv2D(4, (1, 3))(x))))


def _behind_windows() -> Any:
    """The first two of its steps are none of the sequence's, which is shorter."""
    x = keras.Input((None, 6))
    return keras.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(L.Conv1D(8, 3)(x))))


def _behind_strides() -> Any:
    x = keras.Input((None, 6))
    h = L.Conv1D(8, 4, strides=2, padding="causal")(x)
    return keras.Model(x, L.Concatenate()([L.GlobalAveragePooling1D()(h), L.GRU(5)(h)]))


MODELS = {
    "mean": _mean,
    "largest": _largest,
    "mean of images": _mean_of_images,
    "largest of images": _largest_of_images,
    "behind windows that fill": _behind_windows,
    "behind strides": _behind_strides,
}


def made(name: str) -> tuple[Any, np.ndarray]:
    """(model, samples)."""
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    shape = (40, WINDOW, *model.input_shape[2:])
    return model, np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("steps", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_each_call_gives_what_keras_gives_for_what_has_come(name: str, steps: int) -> None:
    if name == "behind windows that fill" and steps > 2:
        pytest.skip("its outputs would come late")
    model, data = made(name)
    network = unroll_stream(model, steps, pool_window=WINDOW, pool_since_reset=True)
    session = Session(convert(network))
    assert session.warm_up == (1 if name == "behind windows that fill" else 0)
    session.step(data[1, :steps])
    session.reset()
    for end in range(steps, WINDOW + 1, steps):
        (output,) = session.step(data[0, end - steps : end])
        if end in SEEN and end // steps > session.warm_up:
            expected = model.predict(data[:1, :end], verbose=0)[0]
            np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


def test_when_the_window_is_full_the_oldest_rows_leave_it() -> None:
    model, data = made("largest of images")
    network = unroll_stream(model, 4, pool_window=12, pool_since_reset=True)
    session = Session(convert(network))
    for end in range(4, 25, 4):
        (output,) = session.step(data[0, end - 4 : end])
        expected = model.predict(data[:1, max(0, end - 12) : end], verbose=0)[0]
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("activations", ["int8", pytest.param("int16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow.unless(["mean", "largest of images"], MODELS))
def test_it_runs_on_the_npu_with_tflms_bytes(name: str, activations: str) -> None:
    model, data = made(name)
    done = unspool.deploy_stream(
        model,
        data[:, : WINDOW - 8],  # shorter ones are sequences, too
        time_steps=2,
        pool_window=WINDOW,
        pool_since_reset=True,
        options=Options(remedy_seconds=0, activations=activations),
    )
    assert done.compiled.cpu_operators == ()
    assert (done.simulation.samples, done.simulation.equal) == (40, 40)
    # Few steps are no worse: what is empty takes no levels away.
    session = Session(done.quantized_tflite)
    for end in (4, 10, 30):
        session.reset()
        for start in range(0, end, 2):
            (output,) = session.step(data[0, start : start + 2])
        expected = model.predict(data[:1, :end], verbose=0)[0]
        assert np.abs(output - expected).max() < 0.05 * np.ptp(model.predict(data, verbose=0))


def _masked() -> Any:
    x = keras.Input((None, 6))
    h = L.GRU(4, return_sequences=True)(L.Masking()(x))
    return keras.Model(x, L.Dense(2)(L.GlobalAveragePooling1D()(h)))


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no window": (
        _mean,
        {"pool_since_reset": True},
        "`pool_since_reset`: what a pooling reads is kept, and takes memory; say over how many of "
        "the last time steps it pools at most, by `pool_window`",
    ),
    "longer sequences": (
        _mean,
        {"pool_window": 24, "pool_since_reset": True},
        "calibration data: sequences of 48 time steps; `pool_window` 24 pools over the last ones, "
        "as Keras does over all: expected sequences of as many, or less",
    ),
    "a mask": (
        _masked,
        {"pool_window": WINDOW, "pool_since_reset": True},
        "(GlobalAveragePooling1D): pools over steps that a mask may call padded, which a window "
        "does not leave out; expected `full_length`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_what_to_do(name: str) -> None:
    build, options, line = REFUSED[name]
    data = np.zeros((4, WINDOW, 6), np.float32)
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(build(), data, time_steps=2, **options)
    assert str(refused.value).endswith(line)
