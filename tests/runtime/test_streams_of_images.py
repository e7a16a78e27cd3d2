"""Streams of images: the states are images, and what is given last has no time."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from cases import Case, L, chain, trained

from unspool import Deployment
from unspool.deployment import Options, deploy_stream
from unspool.errors import UnspoolError
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.unrolling.stream_checks import check_streams

T = 6
IMAGES = chain(
    L.ConvLSTM2D(3, 3, padding="same", return_sequences=True, name="first"),
    L.BatchNormalization(),
    L.ConvLSTM2D(2, 3, strides=2, name="second"),
    L.Conv2D(2, 2, activation="relu"),
    L.GlobalAveragePooling2D(),
    L.Dense(3),
    shape=(T, 8, 7, 1),
)
FRAMES = chain(
    L.TimeDistributed(L.LSTM(6)), L.GRU(4, name="over_frames"), L.Dense(3), shape=(T, 8, 7)
)


@cache
def made(frames: bool, steps: int) -> tuple[Any, np.ndarray, Deployment]:
    """(trained model, sequences, deployment of a stream)."""
    build, shape = (FRAMES, (T, 8, 7)) if frames else (IMAGES, (T, 8, 7, 1))
    model = trained(Case("", "images", build))
    data = np.random.default_rng(3).normal(0, 1, (24, *shape)).astype(np.float32)
    options = Options(remedy_seconds=0)
    return model, data, deploy_stream(model, data, time_steps=steps, options=options)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("frames", [False, True], ids=["images", "frames"])
def test_chunks_equal_the_whole_sequence(frames: bool, steps: int) -> None:
    model, data, done = made(frames, steps)
    whole = model.predict(data, verbose=0)
    by_chunks = [Session(done.float_tflite).run(sequence)[0][-1] for sequence in data]
    np.testing.assert_allclose(np.reshape(by_chunks, whole.shape), whole, atol=1e-5)
    assert done.compiled.cpu_operators == ()
    assert done.simulation.equal == done.simulation.samples == len(data)


def test_states_have_the_shapes_of_images() -> None:
    _, _, done = made(False, 1)
    shapes = [tensor.shape for tensor in done.deploy_model.inputs[1:]]
    assert shapes == [(1, 8, 7, 3), (1, 8, 7, 3), (1, 3, 3, 2), (1, 3, 3, 2)]
    sizes = {name: len(raw) for name, raw in Session(done.quantized_tflite).states.items()}
    assert sizes == {
        "first/h": 8 * 7 * 3,
        "first/c": 8 * 7 * 3,
        "second/h": 3 * 3 * 2,
        "second/c": 3 * 3 * 2,
    }


def test_only_the_outer_recurrence_of_frames_has_states() -> None:
    _, _, done = made(True, 1)
    assert Session(done.quantized_tflite).state_names == ("over_frames/h",)


class Scaled(keras.layers.Layer):  # type: ignore[misc]
    """A layer of one's own, of which no list knows."""

    def call(self, x: Any) -> Any:
        return 0.5 * x


def reduced(reduce: Any) -> Any:
    x = keras.Input((T, 5))
    return keras.Model(x, L.Dense(2)(reduce(L.GRU(4, return_sequences=True, name="gru")(x))))


@pytest.mark.parametrize(
    ("reduce", "message"),
    [
        (lambda h: keras.ops.sum(h, axis=1), r"layer 'sum.*' \(Sum\): mixes time steps"),
        (lambda h: h[:, -2:], r"layer 'get_item.*' \(GetItem\): mixes time steps"),
        (L.Softmax(axis=1, name="s"), r"layer 's' \(Softmax\): mixes time steps"),
        (
            lambda h: L.Concatenate(axis=1, name="c")([h, h]),
            r"layer 'c' \(Concatenate\): mixes time steps",
        ),
        (lambda h: L.Attention(name="a")([h, h]), r"layer 'a' \(Attention\): mixes time steps"),
        (lambda h: keras.ops.flip(h, axis=1), r"\(Flip\): mixes time steps"),
        (lambda h: keras.ops.cumsum(h, axis=1), r"\(Cumsum\): mixes time steps"),
        (lambda h: keras.ops.tile(h, (1, 2, 1)), r"\(Tile\): mixes time steps"),
        (L.PReLU(alpha_initializer="uniform", name="p"), r"'p' \(PReLU\): mixes time steps"),
        (L.LayerNormalization(axis=1, name="n"), r"'n' \(LayerNormalization\): mixes time"),
        (
            lambda h: keras.ops.cast(keras.ops.any(h > 0.1, axis=1), "float32"),
            r"\(Any\): mixes time steps",
        ),
        (lambda h: h[:, 0], r"\(GetItem\): mixes time steps"),
        (L.GlobalAveragePooling1D(name="g"), r"'g' \(GlobalAveragePooling1D\): pools over the"),
        (L.GroupNormalization(2, name="n"), r"'n' \(GroupNormalization\): mixes time steps"),
    ],
)
def test_what_mixes_steps_is_no_stream(reduce: Any, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        check_streams(reduced(reduce))


def test_a_recurrence_over_an_image_that_has_no_time_is_no_stream() -> None:
    x = keras.Input((T, 8, 8, 1))
    image = L.ConvLSTM2D(3, 3, name="frames")(x)
    model = keras.Model(x, L.GRU(4, name="rows")(L.Reshape((6, 18))(image)))
    with pytest.raises(UnspoolError, match=r"layer 'rows' \(GRU\): begins a sequence of its own"):
        check_streams(model)


@pytest.mark.parametrize(
    "keep",
    [
        lambda h: h[:, -1],
        lambda h: h[:, :, 1:],
        lambda h: keras.ops.tanh(h * 2 + 1),
        L.Softmax(),
        lambda h: L.Concatenate()([h, h]),
        L.ELU(),
        lambda h: L.Minimum()([h, 0.5 * h]),
        L.PReLU(shared_axes=[1]),
        lambda h: keras.ops.flip(h, axis=2),
        L.UpSampling1D(2),  # two steps for each, in every chunk
        lambda h: keras.ops.where(h > 0.2, h, 0.1 * h),
        lambda h: keras.ops.log(h) / (2.0 + h),
        lambda h: keras.ops.mean(h, axis=-1, keepdims=True),
        L.UnitNormalization(),
        L.EinsumDense("btf,fg->btg", (None, 3)),
        Scaled(),
    ],
)
def test_what_keeps_to_each_step_is_a_stream(keep: Any) -> None:
    check_streams(reduced(keep))
