"""Streams: states in and out, as bytes; chunk by chunk equals the whole sequence."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from cases import Case, L, chain, trained

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.deployment import deploy_stream
from unspool.errors import UnspoolError
from unspool.quantization.calibration import calibrate_stream
from unspool.quantization.quantizer import quantize
from unspool.quantization.ranges import Range
from unspool.runtime.drift import drift
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.tflite import ends, flatbuffer, marks
from unspool.tflite.state_pairs import state_pairs
from unspool.unrolling.conversion import convert
from unspool.unrolling.stream_checks import smallest_chunk
from unspool.unrolling.stream_model import unroll_stream

T = 8
MODELS = {
    "gru": chain(L.GRU(8, name="gru"), L.Dense(3), shape=(T, 5)),
    "gru, reset before": chain(L.GRU(8, reset_after=False), L.Dense(3), shape=(T, 5)),
    "lstm": chain(L.LSTM(8, name="lstm"), L.Dense(3), shape=(T, 5)),
    "simple": chain(L.SimpleRNN(8), L.Dense(3), shape=(T, 5)),
    "two": chain(L.GRU(8, return_sequences=True), L.LSTM(6), L.Dense(3), shape=(T, 5)),
    "three": chain(
        L.Dense(6, activation="relu"),
        L.SimpleRNN(8, return_sequences=True),
        L.GRU(8, return_sequences=True),
        L.LSTM(6),
        L.Dense(3),
        shape=(T, 5),
    ),
    "stacked cells": chain(L.RNN([L.LSTMCell(6), L.GRUCell(5)]), L.Dense(3), shape=(T, 5)),
    "no head": chain(L.GRU(8, name="gru"), shape=(T, 5)),
    "open length": chain(L.GRU(8), L.Dense(3), shape=(None, 5)),
}


OFTEN = {
    1: ("gru", "stacked cells"),
    4: ("three", "gru, reset before", "no head", "open length"),
    T: ("lstm", "simple"),
}
"""Models that every run has step by step, in chunks of four, and in one call."""

Stream: TypeAlias = tuple[Any, bytes, bytes]
"""Trained model, float .tflite, quantized .tflite."""


def sequences(count: int, steps: int = T) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 1, (count, steps, 5)).astype(np.float32)


@cache
def converted(name: str, steps: int) -> tuple[Any, bytes]:
    """(trained model, float .tflite) of a stream."""
    model = trained(Case("", name, MODELS[name]))
    return model, convert(unroll_stream(model, steps))


@cache
def calibrated(name: str, steps: int) -> tuple[Any, bytes, Mapping[str, Range]]:
    """(trained model, float .tflite, ranges) of a stream."""
    model, float_tflite = converted(name, steps)
    return model, float_tflite, calibrate_stream(float_tflite, sequences(24)).ranges


def made(name: str, steps: int = 1, activations: str = "int8") -> Stream:
    model, float_tflite, ranges = calibrated(name, steps)
    return model, float_tflite, quantize(float_tflite, ranges, activations)


@pytest.fixture(scope="module")
def lstm() -> Stream:
    return made("lstm")


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        pytest.param(name, steps, marks=[pytest.mark.slow] * (name not in OFTEN[steps]))
        for name in MODELS
        for steps in (1, 4, T)
    ],
)
def test_chunks_equal_the_whole_sequence_at_every_step(name: str, steps: int) -> None:
    model, float_tflite = converted(name, steps)
    data = sequences(5)
    session = Session(float_tflite)
    np.testing.assert_allclose(
        session.predict(data)[0], model.predict(data, verbose=0), rtol=0, atol=1e-5
    )
    # Step by step: Keras on every beginning of the sequence that is a whole number of chunks.
    for sequence in data[:2]:
        session.reset()
        for end in range(steps, T + 1, steps):
            (output,) = session.step(sequence[end - steps : end])
            if model.input_shape[1] is None or end == T:
                expected = model.predict(sequence[None, :end], verbose=0)[0]
                np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("activations", ["int8", "int16"])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", MODELS)
def test_a_state_comes_out_as_it_goes_in(name: str, steps: int, activations: str) -> None:
    """The same scale and zero point: `state_pairs` raises otherwise, and firmware copies bytes."""
    _, _, int8 = made(name, steps, activations)
    content = flatbuffer.read(int8)
    inputs, outputs = ends.inputs_and_outputs(content)
    pairs = state_pairs(marks.read(content).states, inputs, outputs)
    assert pairs
    for pair in pairs:
        before, after = inputs[pair.input], outputs[pair.output]
        assert (before.scale, before.zero_point, before.shape, before.dtype) == (
            after.scale,
            after.zero_point,
            after.shape,
            after.dtype,
        )


def test_names_survive_into_the_signature_and_through_vela(lstm: Stream) -> None:
    _, _, int8 = lstm
    compiled = vela.compile(int8, target())
    assert compiled.cpu_operators == ()
    for content in (int8, compiled.tflite):
        inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(content))
        assert {t.name for t in inputs} == {"x", "lstm/h_in", "lstm/c_in"}
        assert {"lstm/h_out", "lstm/c_out"} < {t.name for t in outputs}
        assert Session(content, "npu" if content is compiled.tflite else "tflm").state_names


@pytest.mark.parametrize("name", ["gru", "lstm", "simple", "two"])
def test_the_binary_gives_tflms_bytes_call_by_call(name: str) -> None:
    _, _, int8 = made(name)
    binary = vela.compile(int8, target("ethos-u65-256")).tflite
    device, firmware = Session(binary, "npu"), Session(int8, "tflm")
    for row in sequences(3).reshape(-1, 1, 5):
        np.testing.assert_array_equal(device.step(row)[0], firmware.step(row)[0])
        assert device.states == {name: firmware.states[name] for name in device.state_names}


def test_int8_streams_follow_keras(lstm: Stream) -> None:
    model, _, int8 = lstm
    data = sequences(24)
    expected = model.predict(data, verbose=0)
    error = np.abs(Session(int8, "tflm").predict(data)[0] - expected) / np.ptp(expected)
    assert error.mean() < 0.02 and error.max() < 0.12


def test_many_sequences_on_all_cores_give_what_one_session_gives(lstm: Stream) -> None:
    _, _, int8 = lstm
    data = sequences(600)
    np.testing.assert_array_equal(
        predict(int8, data, "tflm")[0], Session(int8, "tflm").predict(data)[0]
    )


def test_run_goes_on_where_step_left(lstm: Stream) -> None:
    _, _, int8 = lstm
    sequence = sequences(1)[0]
    whole, parts = Session(int8), Session(int8)
    expected = whole.run(sequence)[0]
    parts.step(sequence[:1])
    np.testing.assert_array_equal(parts.run(sequence[1:])[0], expected[1:])


def test_states_are_saved_restored_and_reset_as_bytes(lstm: Stream, tmp_path: Path) -> None:
    _, _, int8 = lstm
    session, sequence = Session(int8, "tflm"), sequences(1)[0]
    session.run(sequence)
    saved = session.states
    assert {name: len(raw) for name, raw in saved.items()} == {"lstm/h": 8, "lstm/c": 8}
    session.save_states(tmp_path / "states.bin")
    assert (tmp_path / "states.bin").read_bytes() == saved["lstm/h"] + saved["lstm/c"]
    after = session.run(sequence)[0]
    session.reset()
    assert session.states != saved
    session.restore_states(tmp_path / "states.bin")
    np.testing.assert_array_equal(session.run(sequence)[0], after)
    session.states = saved
    np.testing.assert_array_equal(session.run(sequence)[0], after)


def test_calibration_rounds_grow_until_the_ranges_settle(lstm: Stream) -> None:
    _, float_tflite, _ = lstm
    data = sequences(32)
    calibration = calibrate_stream(float_tflite, data, rounds=6)
    counts = [entry.sequences for entry in calibration.rounds]
    assert counts == [8, 16, 32][: len(counts)]
    assert calibration.rounds[-1].growth <= 1.0 or counts[-1] == 32
    widths = [r.states["lstm/c"].maximum - r.states["lstm/c"].minimum for r in calibration.rounds]
    assert widths == sorted(widths)
    assert len(calibrate_stream(float_tflite, data, rounds=1).rounds) == 1


def test_carried_states_reach_further_than_reset_ones(lstm: Stream) -> None:
    """An integrator: the state grows as long as nobody resets it."""
    x = keras.Input((None, 1), name="x")
    model = keras.Model(x, L.SimpleRNN(1, activation="relu", name="sum")(x))
    model.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
    float_tflite = convert(unroll_stream(model))
    data = np.ones((4, 8, 1), np.float32)
    reset = calibrate_stream(float_tflite, data).rounds
    carried = calibrate_stream(float_tflite, data, carry_states=True).rounds
    assert [r.states["sum/h"].maximum for r in reset] == [8.0, 8.0]
    assert [r.states["sum/h"].maximum for r in carried] == [8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
    assert [r.growth for r in carried[1:]] == [100.0] * 5


def test_drift_is_the_difference_of_the_two_sessions(lstm: Stream) -> None:
    _, float_tflite, int8 = lstm
    stream = sequences(1, 64)[0]
    state_drift = drift(float_tflite, int8, stream)
    assert (state_drift.calls, state_drift.time_steps) == (64, 1)
    assert [curve.name for curve in state_drift.curves][:2] == ["lstm/h", "lstm/c"]
    exact, stored = Session(float_tflite).run(stream)[0], Session(int8, "tflm").run(stream)[0]
    assert state_drift.curves[2].largest == pytest.approx(np.abs(exact - stored).max(), abs=1e-6)
    assert state_drift.curves[2].mean == pytest.approx(np.abs(exact - stored).mean(), abs=1e-6)


def test_drift_that_grows_is_told_apart() -> None:
    """A float integrator beside an int8 one whose range ends at 8."""
    x = keras.Input((None, 1), name="x")
    model = keras.Model(x, L.SimpleRNN(1, activation="relu", name="sum")(x))
    model.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
    float_tflite = convert(unroll_stream(model))
    int8 = quantize(float_tflite, calibrate_stream(float_tflite, np.ones((4, 8, 1))).ranges)
    state_drift = drift(float_tflite, int8, np.ones((80, 1), np.float32))
    assert state_drift.curves[0].grows
    settled = drift(float_tflite, int8, np.zeros((80, 1), np.float32))
    assert not settled.curves[0].grows


def test_a_softmax_of_another_tensor_than_the_file_says_is_told() -> None:
    """LiteRT sizes what it writes by what it reads."""
    x = keras.Input((None, 1), name="x")
    y = L.Dense(2, "softmax", name="y")(L.SimpleRNN(3, name="rnn")(x))
    float_tflite = convert(unroll_stream(keras.Model(x, y)))
    data = np.ones((4, 8, 1), np.float32)
    damaged = flatbuffer.read(quantize(float_tflite, calibrate_stream(float_tflite, data).ranges))
    graph = damaged.subgraphs[0]
    states = [i for i in graph.outputs if graph.tensors[i].name.endswith(b"h_out")]
    graph.operators[-1].inputs = states
    with pytest.raises(
        UnspoolError, match=r"gives \(3,\) for y, the float one \(2,\): it is damaged"
    ):
        drift(float_tflite, flatbuffer.write(damaged), data[0], "litert")


def test_the_whole_way(tmp_path: Path) -> None:
    model = trained(Case("", "gru", MODELS["gru"]))
    data = sequences(40)
    labels = model.predict(data, verbose=0).argmax(1)
    done = deploy_stream(model, data, time_steps=2, test=(data, labels))
    assert done.unroll_error is not None and done.unroll_error.largest <= 1e-5
    assert [a.runtime for a in done.accuracies] == ["keras", "litert", "tflm", "npu"]
    assert done.simulation.equal == done.simulation.samples == 40
    assert done.calibration.rounds


def conv() -> Any:
    return keras.Sequential(
        [keras.Input((T, 5)), L.Conv1D(4, 3, padding="same", name="c"), L.GRU(4)]
    )


def given_state() -> Any:
    x = keras.Input((T, 5))
    _, h, c = L.LSTM(4, return_state=True)(x)
    return keras.Model(x, L.LSTM(4, name="decoder")(x, initial_state=[h, c]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            partial(chain(L.Bidirectional(L.GRU(4), name="b")), T),
            r"layer 'b' \(Bidirectional\): reads the sequence from its end",
        ),
        (
            partial(chain(L.GRU(4, go_backwards=True, name="g")), T),
            r"layer 'g' \(GRU\): reads .* from its end",
        ),
        (conv, r"layer 'c' \(Conv1D\): reads steps that are to come"),
        (
            partial(chain(L.GRU(4, return_sequences=True), L.Flatten(name="f"), L.Dense(2)), T),
            r"layer 'f' \(Flatten\): mixes time steps",
        ),
        (given_state, r"layer 'decoder' \(LSTM\): the model gives it an initial state itself"),
    ],
)
def test_what_cannot_stream_says_so(make: Callable[[], Any], message: str) -> None:
    model = make()
    with pytest.raises(UnspoolError, match=message):
        unroll_stream(model)
    assert not smallest_chunk(model)  # nor is it advised


def test_bad_input_is_refused_and_nothing_is_lost(
    lstm: Stream, tmp_path: Path, int8_tflite: bytes, float_tflite: bytes
) -> None:
    _, stream_float, int8 = lstm
    session = Session(int8)
    session.run(sequences(1)[0])
    before = session.states
    (tmp_path / "short.bin").write_bytes(b"1234")
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: session.restore_states(tmp_path / "short.bin"), "4 bytes, but the states .* 16"),
        (lambda: session.restore_states(tmp_path / "none.bin"), "none.bin: No such file"),
        (lambda: setattr(session, "states", {"lstm/h": bytes(8)}), "got lstm/h, expected lstm/h, "),
        (
            lambda: setattr(session, "states", {"lstm/h": bytes(8), "lstm/c": bytes(7)}),
            "state 'lstm/c': got 7 bytes, expected 8",
        ),
        (lambda: session.step(np.zeros((2, 5))), r"shape \(1, 2, 5\), expected \(samples, 1, 5\)"),
        (lambda: session.step(np.full((1, 5), np.nan)), "NaN"),
        (lambda: session.step(np.full((1, 5), "a")), "expected numbers"),
        (lambda: session.run(np.zeros((0, 5))), "0 time steps .* expected a multiple of 1"),
        (lambda: calibrate_stream(float_tflite, sequences(2)), "no states: .*unroll_stream"),
        (lambda: calibrate_stream(stream_float, sequences(2), rounds=0), "rounds: 0"),
        (lambda: drift(float_tflite, int8_tflite, sequences(1)[0]), "has no states"),
        (lambda: drift(stream_float, int8, sequences(1)[0][:4]), "at least 8 calls"),
    ]
    for attempt, message in cases:
        with pytest.raises(UnspoolError, match=message):
            attempt()
    assert session.states == before


def test_sequences_shorter_than_a_chunk_are_refused() -> None:
    _, _, int8 = made("gru", 4)
    with pytest.raises(UnspoolError, match=r"3 time steps .* expected a multiple of 4"):
        Session(int8).predict(sequences(2, 3))


def test_a_state_of_two_scales_is_refused(lstm: Stream) -> None:
    _, _, int8 = lstm
    model = flatbuffer.read(int8)
    index = model.subgraphs[0].inputs[1]
    model.subgraphs[0].tensors[index].quantization.scale = [0.5]
    with pytest.raises(UnspoolError, match=r"state 'lstm/h' goes in as .* and comes out as"):
        Session(flatbuffer.write(model))


def test_a_state_that_is_concatenated_too_comes_out_as_it_goes_in() -> None:
    """Concatenate wants another scale than the state has; the device copies the state's bytes."""
    x = keras.Input((None, 5), name="x")
    context = keras.Input((2,), name="context")
    both = keras.layers.Concatenate()([keras.layers.GRU(8, name="gru")(x), context])
    model = keras.Model([x, context], keras.layers.Dense(3, activation="softmax")(both))
    rng = np.random.default_rng(0)
    # The context reaches to 8, a GRU's state to 1.
    data = [rng.normal(size=(40, 6, 5)), rng.uniform(-8, 8, (40, 2))]
    data = [array.astype(np.float32) for array in data]
    float_tflite = convert(unroll_stream(model, 1))
    int8_tflite = quantize(float_tflite, calibrate_stream(float_tflite, data).ranges)
    stream = Session(int8_tflite, "tflm")
    assert stream.state_names == ("gru/h",)
    expected = model.predict(data, verbose=0)
    assert np.abs(stream.predict(data)[0] - expected).mean() < 0.02
    compiled = vela.compile(int8_tflite, target())
    assert not compiled.cpu_operators
    binary = Session(compiled.tflite, "npu")
    np.testing.assert_array_equal(binary.predict(data)[0], stream.predict(data)[0])
