"""A cell of three states has `h0_in`, `h1_in`, `h2_in`: states of the bundle too, not data."""

import re

import numpy as np

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.firmware import bundle
from unspool.runtime.session import Session
from unspool.stages import quantized, stream
from unspool.support._tensorflow import keras


@keras.saving.register_keras_serializable("tests")
class DelayLine(keras.layers.Layer):  # type: ignore[misc]
    """Gives what came in three steps ago."""

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units] * 3
        self.output_size = units

    def call(self, x: object, states: list[object]) -> tuple[object, list[object]]:
        return states[2], [x, *states[:2]]


def test_all_three_are_states_of_the_bundle() -> None:
    x = keras.Input((None, 4), name="x")
    delayed = keras.layers.RNN(DelayLine(4), name="line", return_sequences=True)(x)
    model = keras.Model(x, keras.layers.Dense(2, name="y")(delayed))
    data = np.random.default_rng(0).normal(size=(24, 12, 4)).astype(np.float32)
    way = stream(
        1, method="minmax", activations="int8", allow_cpu=False, rounds=2, carry_states=False
    )
    _, int8 = quantized(model, data, way)
    assert Session(int8).state_names == ("line/h0", "line/h1", "line/h2")
    files = bundle(int8, vela.compile(int8, target()), "network")
    header = files["network_io.h"]
    converted = set(re.findall(r"\bnetwork_(quantize|dequantize)_(\w+)\(", header))
    assert converted == {("quantize", "x"), ("dequantize", "y")}
    assert "line_h0" in files["network_io.c"].lower()
    assert "network_copy_states" in header
