"""What the converter must keep: names, and no arithmetic that could be folded."""

from typing import Any

import numpy as np
import pytest
from conftest import small_model

from unspool.runtime.session import Session
from unspool.support._tensorflow import keras, tf
from unspool.tflite import ends, flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll


def test_the_signature_has_the_models_names(float_tflite: bytes) -> None:
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(float_tflite))
    assert [(t.name, t.shape) for t in inputs] == [("x", (1, 6, 5))]
    assert [(t.name, t.shape) for t in outputs] == [("y", (1, 4))]


def test_every_step_is_named_after_its_layer_and_number(float_tflite: bytes) -> None:
    names = {name for _, name in flatbuffer.operators(flatbuffer.read(float_tflite))}
    for step in range(6):
        assert f"gru/step_{step:03d}/h" in names
    assert not any("step_006" in name for name in names)


def test_batch_normalization_is_folded_away() -> None:
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((4, 6)),
            keras.layers.Conv1D(8, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.GRU(4),
        ]
    )
    plain = keras.Sequential(
        [
            keras.Input((4, 6)),
            keras.layers.Conv1D(8, 3, padding="same"),
            keras.layers.GRU(4),
        ]
    )
    kinds, kinds_without = (
        [kind for kind, _ in flatbuffer.operators(flatbuffer.read(convert(unroll(m))))]
        for m in (model, plain)
    )
    assert kinds == kinds_without


def test_a_model_with_two_outputs_keeps_their_order_and_names() -> None:
    x = keras.Input((3, 2), name="x")
    sequence, state = keras.layers.GRU(4, return_sequences=True, return_state=True)(x)
    model = keras.Model(
        x, [keras.layers.Dense(1, name="late")(state), keras.layers.Dense(5, name="all")(sequence)]
    )
    _, outputs = ends.inputs_and_outputs(flatbuffer.read(convert(unroll(model))))
    assert {t.name: t.shape for t in outputs} == {"late": (1, 1), "all": (1, 3, 5)}


def test_conversion_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    convert(unroll(small_model("simple")))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("hold", [tf.constant, tf.Variable])
def test_what_a_layer_holds_beside_its_weights_is_in_the_file(hold: Any) -> None:
    held = hold(np.array([3.0, -2.0], np.float32))

    class Held(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * held

    model = keras.Sequential([keras.Input((2,), batch_size=1), Held()])
    (output,) = Session(convert(model)).predict(np.array([[1.0, 5.0]], np.float32))
    assert output.tolist() == [[3.0, -10.0]]


def test_equal_constants_are_stored_once() -> None:
    x = keras.Input((64,), batch_size=1)
    layers = [keras.layers.Dense(64, use_bias=False) for _ in range(2)]
    model = keras.Model(x, layers[1](keras.ops.tanh(layers[0](x))))
    layers[1].set_weights(layers[0].get_weights())
    assert len(convert(model)) < 1.5 * 64 * 64 * 4


def test_a_file_is_the_same_each_time() -> None:
    deploy_model = unroll(small_model("gru"))
    assert convert(deploy_model) == convert(deploy_model)
