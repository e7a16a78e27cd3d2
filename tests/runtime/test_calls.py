"""Networks that are called several times for a sequence: Keras and the unrolled network decide."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slow
from cases import L
from hypothesis import given, settings
from hypothesis import strategies as st
from repeated_ranges import repeated

import unspool
from unspool import Options, Session, UnspoolError
from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.guide import mnist
from unspool.guide.model import build, train
from unspool.quantization.quantizer import quantize
from unspool.runtime.drift import drift
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer, marks
from unspool.unrolling.conversion import convert
from unspool.unrolling.stream_model import unroll_calls

QUICK = Options(remedy_seconds=0)
STEPS, FEATURES = 30, 5


def two_outputs(x: Any) -> list[Any]:
    h = L.GRU(8, return_sequences=True)(x)
    return [L.Dense(3, name="each")(h), L.Dense(2, name="last")(L.LSTM(6)(h))]


def static(x: Any) -> tuple[list[Any], Any]:
    still = keras.Input((3,), name="still")
    h = L.Concatenate()([L.GRU(7)(x), still])
    return [x, still], L.Dense(2)(h)


def begun(x: Any) -> tuple[list[Any], Any]:
    """States that are given, in another order than the layer takes them; one in other units."""
    c, h = keras.Input((8,), name="c"), keras.Input((8,), name="h")
    y = L.LSTM(8, return_sequences=True)(x, initial_state=[L.Rescaling(0.5)(h), c])
    return [x, c, h], [L.GRU(5)(y), L.Dense(2)(y)]


def masked(x: Any) -> Any:
    return L.Dense(2)(L.LSTM(8)(L.GRU(6, return_sequences=True)(L.Masking()(x))))


MODELS: dict[str, Callable[[Any], Any]] = {
    "gru": lambda x: L.Dense(3)(L.GRU(8)(x)),
    "lstm, its sequence": lambda x: L.LSTM(8, return_sequences=True)(x),
    "simple, before a dense": lambda x: L.Dense(2)(L.SimpleRNN(8)(L.Dense(6, "relu")(x))),
    "states come out": lambda x: list(L.LSTM(6, return_state=True)(x)),
    "softmax of each step": lambda x: L.Dense(4, "softmax")(L.GRU(8, return_sequences=True)(x)),
    "residual": lambda x: L.Add()([L.Dense(8)(x), L.GRU(8, return_sequences=True)(x)]),
    "stacked cells": lambda x: L.RNN([L.LSTMCell(6), L.GRUCell(5)])(x),
    "two outputs": two_outputs,
    "static input": static,
    "masked": masked,
    "states are given": begun,
}


def built(name: str, steps: int | None = STEPS) -> Any:
    keras.utils.set_random_seed(2)
    x = keras.Input((steps, FEATURES), name="x")
    made = MODELS[name](x)
    inputs, outputs = made if isinstance(made, tuple) else (x, made)
    return keras.Model(inputs, outputs)


def samples(model: Any, count: int = 12, steps: int = STEPS) -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    shapes = [tuple(size or steps for size in tensor.shape[1:]) for tensor in model.inputs]
    arrays = [rng.normal(0, 1, (count, *shape)).astype(np.float32) for shape in shapes]
    arrays[0][: count // 3, -(steps // 4) :] = 0  # padded, for a Masking layer
    return arrays


def expected(model: Any, data: list[np.ndarray]) -> list[np.ndarray]:
    given = data if len(data) > 1 else data[0]
    return [np.asarray(each) for each in keras.tree.flatten(model.predict(given, verbose=0))]


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("steps", [6, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 30))])
@pytest.mark.parametrize("name", slow.but_one_of(2, MODELS))
def test_the_float_network_gives_what_keras_does(name: str, steps: int) -> None:
    model = built(name)
    data = samples(model)
    outputs = Session(convert(unroll_calls(model, steps))).predict(data)
    for got, wanted in zip(outputs, expected(model, data), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


@pytest.mark.one_in(3)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("name", ["two outputs", "static input", "masked", "states are given"])
def test_it_runs_on_the_npu_with_tflms_bytes(name: str) -> None:
    model = built(name)
    data = samples(model, 40)
    done = unspool.deploy(model, data, steps_per_call=6, options=QUICK)
    assert done.compiled.cpu_operators == ()
    assert (done.simulation.samples, done.simulation.equal) == (40, 40)
    quality = done.measured.quality
    assert quality is not None and not quality.is_poor


CALLS: dict[str, Any] = {
    "cell": st.sampled_from(["GRU", "LSTM", "SimpleRNN"]),
    "units": st.integers(1, 12),
    "second": st.booleans(),
    "calls": st.integers(1, 6),
    "per_call": st.integers(2, 8),
    "in_time": st.booleans(),
    "activations": st.sampled_from(["int8", "int16"]),
    "seed": st.integers(0, 9),
}
"""What is drawn for each network."""


def calls_give_the_bytes_of_the_unrolled_network(
    cell: str,
    units: int,
    second: bool,
    calls: int,
    per_call: int,
    in_time: bool,
    activations: str,
    seed: int,
) -> None:
    """The unrolled one with the ranges of a call in each as many steps."""
    keras.utils.set_random_seed(seed)
    layer, steps = getattr(L, cell), calls * per_call
    x = keras.Input((steps, 3), name="x")
    h = layer(units, return_sequences=in_time or second)(x)
    if second:
        h = L.GRU(4, return_sequences=in_time)(h)
    model = keras.Model(x, L.Dense(2)(h))
    data = np.random.default_rng(seed).normal(0, 1, (8, steps, 3)).astype(np.float32)
    part = convert(unroll_calls(model, per_call))
    ranges = unspool.calibrate(part, data, activations=activations).ranges
    whole = convert(unroll_calls(model, steps))
    by_calls = Session(quantize(part, ranges, activations), "tflm")
    at_once = Session(quantize(whole, repeated(part, ranges, whole, per_call), activations), "tflm")
    (got,), (wanted,) = by_calls.predict(data), at_once.predict(data)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("count", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_calls_give_the_bytes_of_the_unrolled_network(count: int) -> None:
    settings(max_examples=count)(given(**CALLS)(calls_give_the_bytes_of_the_unrolled_network))()


REFUSED: dict[str, tuple[Callable[[Any], Any], dict[str, Any], str]] = {
    "no divisor": (
        MODELS["gru"],
        {"steps_per_call": 7},
        "`steps_per_call` 7: a sequence of 30 time steps is not made of whole calls; expected one "
        "of 1, 2, 3, 5, 6, 10, 15, 30",
    ),
    "none": (
        MODELS["gru"],
        {"steps_per_call": 0},
        "`steps_per_call` 0: a sequence of 30 time steps is not made of whole calls; expected one "
        "of 1, 2, 3, 5, 6, 10, 15, 30",
    ),
    "backwards": (
        lambda x: L.Bidirectional(L.GRU(4), name="both")(x),
        {"steps_per_call": 6},
        "layer 'both' (Bidirectional): reads the sequence from its end, which one of several calls "
        "does not have yet; deploy it in parts, or without `steps_per_call`, or train it forwards "
        "only",
    ),
    "over time": (
        lambda x: L.GRU(4)(L.Conv1D(4, 3, name="conv")(x)),
        {"steps_per_call": 6},
        "layer 'conv' (Conv1D): reads windows of 3 time steps, of which the first are not full; "
        'train it with padding "causal", or with ZeroPadding of 2 steps in front of it; or deploy '
        "it in parts, or without `steps_per_call`",
    ),
    "a state that another layer computes": (
        lambda x: L.GRU(4, name="gru")(x, initial_state=L.GRU(4)(x)),
        {"steps_per_call": 6},
        "layer 'gru' (GRU): the model gives it an initial state itself, at the start of each call; "
        "deploy it in parts, or without `steps_per_call` (a state that is an input and an output "
        "of the model is fed back all the same)",
    ),
    "states of the model": (
        MODELS["gru"],
        {"steps_per_call": 6, "options": Options(remedy_seconds=0, fed_back={"a": "b"})},
        "`steps_per_call` and states that the model takes and gives itself: expected at most one, "
        "as such a model is called step by step already",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_any_work(name: str) -> None:
    layers, arguments, line = REFUSED[name]
    x = keras.Input((STEPS, FEATURES), name="x")
    model = keras.Model(x, layers(x))
    stages: list[str] = []
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy(
            model, samples(model), watch=lambda stage, *_: stages.append(stage), **arguments
        )
    assert str(refused.value) == line
    assert stages == []


def test_an_open_length_is_given() -> None:
    model = built("gru", steps=None)
    data = samples(model, 24, steps=24)
    done = unspool.deploy(model, data, time_steps=24, steps_per_call=8, options=QUICK)
    assert done.compiled.calls == 3
    session = Session(done.compiled.tflite, "npu")
    (got,) = session.predict(data)
    np.testing.assert_array_equal(got, Session(done.quantized_tflite, "tflm").predict(data)[0])
    with pytest.raises(UnspoolError, match=r"input 'x'.*\(samples, 24, 5\)"):
        session.predict(samples(model, steps=16))


def test_an_inference_is_all_calls() -> None:
    model = built("lstm, its sequence")
    chosen = target(call_microseconds=50)
    tflite = quantized(model, 5)
    whole, alone = vela.compile(tflite, chosen), vela.compile(without_calls(tflite), chosen)
    assert (whole.calls, alone.calls) == (6, 1)
    assert whole.cycles == 6 * alone.cycles
    assert whole.macs == 6 * alone.macs
    assert whole.milliseconds == pytest.approx(6 * alone.milliseconds + 6 * 0.05)
    assert sum(op.cycles for op in whole.operators) == 6 * sum(op.cycles for op in alone.operators)
    assert whole.traffic[0].bytes == 6 * alone.traffic[0].bytes
    assert (whole.sram_kib, whole.weights_kib) == (alone.sram_kib, alone.weights_kib)
    kept = unspool.keep_resident(whole, tflite)
    kept_alone = unspool.keep_resident(alone, without_calls(tflite))
    assert (kept.reason, kept.kept) == (kept_alone.reason, kept_alone.kept)
    assert kept.cycles and kept_alone.cycles and kept.cycles == 6 * kept_alone.cycles


def quantized(model: Any, steps_per_call: int) -> bytes:
    tflite = convert(unroll_calls(model, steps_per_call))
    return quantize(tflite, unspool.calibrate(tflite, samples(model)).ranges)


def without_calls(tflite: bytes) -> bytes:
    """The same network, as one that knows of no sequence."""
    model = flatbuffer.read(tflite)
    marks.write(model, replace(marks.read(model), calls=None))
    return flatbuffer.write(model)


def test_it_is_no_stream_that_could_drift() -> None:
    model = built("gru")
    files = convert(unroll_calls(model, 6)), quantized(model, 6)
    with pytest.raises(UnspoolError, match="is called 5 times for a sequence, and begins anew"):
        drift(*files, samples(model)[0][0])


@pytest.mark.parametrize("microseconds", [-1.0, float("nan"), float("inf")])
def test_what_a_call_costs_is_a_number(microseconds: float) -> None:
    with pytest.raises(UnspoolError, match=r"`call_microseconds`.*expected a finite number"):
        target(call_microseconds=microseconds)


@pytest.mark.slow
def test_a_thousand_images_give_the_bytes_of_the_unrolled_network() -> None:
    """The guide's GRU(256), trained for a moment."""
    data, per_call = mnist.load(), 4
    images = mnist.normalised(data.train_images[:4000])
    model = build("gru", 256)
    train(model, images, data.train_labels[:4000], epochs=1)
    part, whole = convert(unroll_calls(model, per_call)), convert(unroll_calls(model, 28))
    ranges = unspool.calibrate(part, images[:200]).ranges
    files = (quantize(part, ranges), quantize(whole, repeated(part, ranges, whole, per_call)))
    assert [len(Session(file).calls([images[:1]])) for file in files] == [7, 1]
    test = mnist.normalised(data.test_images[:1000])
    (got,), (wanted,) = (Session(file, "tflm").predict(test) for file in files)
    np.testing.assert_array_equal(got, wanted)
    assert (got.argmax(1) == data.test_labels[:1000]).mean() > 0.5


@pytest.mark.one_in(2)
@pytest.mark.parametrize("wrap", [lambda cell: cell, L.Bidirectional], ids=["one", "parts"])
def test_what_each_number_costs_with_resident_weights(wrap: Any) -> None:
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((9, 8), name="x"), wrap(L.GRU(16)), L.Dense(3)])
    data = np.random.default_rng(0).normal(0, 1, (20, 9, 8)).astype(np.float32)
    options = Options(remedy_seconds=0, resident_weights=math.inf)
    by_steps = {
        cost.steps_per_call: cost for cost in unspool.call_costs(model, data, options=options)
    }
    is_one = not isinstance(model.layers[0], L.Bidirectional)
    deployed = unspool.deploy if is_one else unspool.deploy_in_parts
    done = deployed(model, data, steps_per_call=3, options=options)
    assert done.resident is not None
    assert done.resident.cycles is not None
    assert by_steps[3].cycles == done.resident.cycles < done.compiled.cycles
    assert by_steps[3].sram_kib == done.resident.sram_kib
    assert by_steps[3].milliseconds < done.compiled.milliseconds


def test_what_each_number_costs_is_asked_as_it_is_deployed() -> None:
    """The U85 looks ids up itself; other NPUs leave that to the CPU, which is to be accepted."""
    keras.utils.set_random_seed(2)
    ids = keras.Input((6,), dtype="int32", name="ids")
    model = keras.Model(ids, L.Dense(2)(L.GRU(4)(L.Embedding(9, 3, name="table")(ids))))
    words = np.random.default_rng(0).integers(0, 9, (24, 6))
    costs = unspool.call_costs(model, words, options=Options(target=target("ethos-u85-256")))
    assert [cost.calls for cost in costs] == [6, 3, 2, 1]
    with pytest.raises(UnspoolError, match="'table'"):
        unspool.call_costs(model, words)
