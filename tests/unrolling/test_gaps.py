"""Steps that TensorFlow and litert-quantizer do not see: the network is as if they had seen them.

The other way, by which all steps are traced and quantized, is the oracle.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import slow
from cases.cells import MinimalGatedCell

import unspool
from unspool.quantization import quantizer
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.tflite.gaps import Irregular
from unspool.tflite.leaving_out import LeftOut
from unspool.tflite.parsing import parse
from unspool.unrolling import conversion

L = keras.layers
STEPS = 11  # a gap of six


def _one(layer: Any) -> Callable[[Any], Any]:
    return lambda x: L.Dense(3)(layer(x))


def _two(first: Any, second: Any) -> Callable[[Any], Any]:
    return lambda x: L.Dense(3)(second(first(x)))


def _slices(x: Any) -> Any:
    h = L.GRU(6, return_sequences=True)(x)
    return [h[:, -1], h[:, 2], h[:, 7], L.Flatten()(h[:, ::2])]


def _attention(x: Any) -> Any:
    h = L.GRU(6, return_sequences=True)(x)
    return L.Dense(3)(L.Flatten()(L.Attention()([h, h])))


def _two_lengths(x: Any) -> Any:
    gru = L.GRU(5)
    return [gru(x), gru(x[:, :8])]


def _frames(x: Any) -> Any:
    frames = L.Reshape((STEPS, 4, 1))(x)
    network = keras.Sequential([L.Conv1D(3, 2), L.Flatten(), L.Dense(4, activation="tanh")])
    return L.GRU(4)(L.TimeDistributed(network)(frames))


MODELS: dict[str, Callable[[Any], Any]] = {
    "gru": _one(L.GRU(8)),
    "gru, reset before": _one(L.GRU(8, reset_after=False)),
    "gru, backwards": _one(L.GRU(8, go_backwards=True)),
    "simple, its sequence": L.SimpleRNN(6, return_sequences=True),
    "lstm, its states": L.LSTM(6, return_state=True),
    "two lstms": _two(L.LSTM(8, return_sequences=True), L.LSTM(7)),
    "two bidirectional grus": _two(
        L.Bidirectional(L.GRU(6, return_sequences=True)), L.Bidirectional(L.GRU(5))
    ),
    "stacked cells": _two(
        L.RNN([L.LSTMCell(6), L.GRUCell(5)], return_sequences=True), L.GlobalMaxPooling1D()
    ),
    "masked": _two(L.Masking(), L.Bidirectional(L.LSTM(5, return_sequences=True))),
    "frames": _frames,
    "attention": _attention,
    "own cell": L.RNN(MinimalGatedCell(6), return_sequences=True),
    "gelu": L.GRU(6, activation="gelu", return_sequences=True),
    "slices": _slices,
    "two lengths": _two_lengths,
}

OFTEN = ("gru, backwards", "masked")


def _model(build: Callable[[Any], Any]) -> Any:
    keras.utils.set_random_seed(5)
    x = keras.Input((STEPS, 4), name="x")
    model = keras.Model(x, build(x))
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def _samples(count: int, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(6).normal(0, 1, (count, steps, 4)).astype(np.float32)


def _all_traced(deploy_model: Any) -> bytes:
    with mock.patch.object(conversion, "fill", side_effect=Irregular):
        return unspool.convert(deploy_model)


def _all_quantized(tflite: bytes, ranges: Any, kind: str) -> bytes:
    with mock.patch.object(quantizer, "leave_out", return_value=LeftOut()):
        return unspool.quantize(tflite, ranges, kind)


def _network(tflite: bytes) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Operators with what they read and write; constants have names that nobody gave them."""
    model = flatbuffer.look(tflite)
    return sorted(
        (
            op.kind,
            tuple(
                name
                for name, index in zip(op.inputs, op.indices, strict=True)
                if not flatbuffer.constant_bytes(model, index)
            ),
            op.outputs,
        )
        for op in flatbuffer.graph_operators(model)
    )


def _outputs(tflite: bytes, samples: np.ndarray) -> list[bytes]:
    return [values.tobytes() for values in unspool.Session(tflite).predict(samples)]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", slow.unless(OFTEN, MODELS))
def test_the_network_is_that_of_all_steps(name: str) -> None:
    model, samples = _model(MODELS[name]), _samples(12)
    deploy_model = unspool.unroll(model)
    with mock.patch.object(conversion, "_function", wraps=conversion._function) as traced:
        tflite = unspool.convert(deploy_model)
    # Else nothing below is tried: a layer that is called twice has two lasts.
    assert traced.call_count == (2 if name == "two lengths" else 1)
    whole = _all_traced(deploy_model)
    assert _network(tflite) == _network(whole)
    assert _outputs(tflite, samples) == _outputs(whole, samples)
    for values, expected in zip(
        unspool.Session(tflite).predict(samples),
        keras.tree.flatten(model.predict(samples, verbose=0)),
        strict=True,
    ):
        np.testing.assert_allclose(values, expected, atol=1e-5)

    for kind in ("int8", "int16"):
        ranges = unspool.calibrate(tflite, samples, activations=kind).ranges
        quantized = unspool.quantize(tflite, ranges, kind)
        whole = _all_quantized(tflite, ranges, kind)
        assert _network(quantized) == _network(whole)
        assert _outputs(quantized, samples) == _outputs(whole, samples)


def test_two_hundred_steps() -> None:
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [keras.Input((200, 4)), L.LSTM(6, return_sequences=True), L.GRU(5), L.Dense(2)]
    )
    samples = _samples(3, 200)
    tflite = unspool.convert(unspool.unroll(model))
    (values,) = unspool.Session(tflite).predict(samples)
    np.testing.assert_allclose(values, model.predict(samples, verbose=0), atol=1e-5)
    quantized = unspool.quantize(tflite, unspool.calibrate(tflite, samples).ranges)
    assert not flatbuffer.float_operators(flatbuffer.look(quantized))
    numbers = {
        name.split("/")[1]
        for _, name in flatbuffer.operators(flatbuffer.look(quantized))
        if name.startswith("gru")
    }
    assert len(numbers) == 200


def test_what_was_written_is_read_as_if_it_were_parsed() -> None:
    tflite = unspool.convert(unspool.unroll(_model(MODELS["two lstms"])))
    quantized = unspool.quantize(tflite, unspool.calibrate(tflite, _samples(5)).ranges)
    assert _different(flatbuffer.read(quantized), parse(quantized)) == []


def _different(a: Any, b: Any, where: str = "") -> list[str]:
    """Places where two trees of objects differ."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return [] if a.dtype == b.dtype and np.array_equal(a, b) else [where]
    if type(a) is not type(b):
        return [where]
    if isinstance(a, list):
        differences = [_different(*pair, where) for pair in zip(a, b, strict=True)]
        return [place for places in differences for place in places]
    if hasattr(a, "__dict__"):
        names = {*vars(a), *vars(b)}
        differences = [_different(vars(a).get(n), vars(b).get(n), f"{where}.{n}") for n in names]
        return [place for places in differences for place in places]
    return [] if a == b else [where]
