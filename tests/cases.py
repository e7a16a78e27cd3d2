"""What Unspool deploys: one line per case. Tests run every line; docs/supported.md lists them.

`python tests/cases.py` writes the page again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unspool._tensorflow import keras

L = keras.layers
PAGE = Path(__file__).parents[1] / "docs" / "supported.md"


@dataclass(frozen=True)
class Case:
    """One model that must work.

    Attributes:
        group: the part of the page that it stands in.
        name: what it shows.
        build: makes the untrained model.
        time_steps: to unroll, where the model leaves them open.
        mean: bound of the int8 model's mean output error, as a share of the output's range.
        largest: the same for the largest error.
    """

    group: str
    name: str
    build: Callable[[], Any]
    time_steps: int | None = None
    mean: float = 0.02
    largest: float = 0.12


def chain(*layers: Any, shape: tuple[int | None, ...] = (6, 5)) -> Callable[[], Any]:
    """A Sequential model, made anew from the layers' configurations each time."""

    def build() -> Any:
        keras.utils.set_random_seed(5)
        copies = [type(layer).from_config(layer.get_config()) for layer in layers]
        return keras.Sequential([keras.Input(shape, name="x"), *copies])

    return build


@keras.saving.register_keras_serializable("tests")
class MinimalGatedCell(L.Layer):
    """A user's own cell: one gate, output not equal to the state."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.gate = L.Dense(units, activation="sigmoid", name="gate")
        self.candidate = L.Dense(units, activation="tanh", name="candidate")

    def build(self, shape: Any) -> None:
        width = shape[-1] + self.units
        self.gate.build((None, width))
        self.candidate.build((None, width))

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        (h,) = states  # one state in a list, as keras.layers.RNN gives it
        gate = self.gate(keras.ops.concatenate([inputs, h], -1))
        candidate = self.candidate(keras.ops.concatenate([inputs, gate * h], -1))
        h = h + gate * (candidate - h)
        return keras.ops.tanh(h), [h]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def functional(build: Callable[[Any], Any], shape: tuple[int, ...] = (6, 5)) -> Callable[[], Any]:
    """A Functional model of one input named x."""

    def make() -> Any:
        keras.utils.set_random_seed(5)
        x = keras.Input(shape, name="x")
        return keras.Model(x, build(x))

    return make


def return_state(cell: Any) -> Callable[[], Any]:
    return functional(lambda x: list(cell(4, return_state=True)(x)))


def encoder_decoder(x: Any) -> Any:
    _, h, c = L.LSTM(6, return_state=True)(x)
    return L.LSTM(6)(x, initial_state=[h, c])


def branches(x: Any) -> Any:
    a = L.GRU(6, return_sequences=True)(x)
    b = L.LSTM(6, return_sequences=True)(x)
    both = L.Concatenate()([L.Add()([a, b]), x])
    return L.Dense(3)(L.GRU(4)(both))


def two_by_two() -> Any:
    keras.utils.set_random_seed(5)
    x, z = keras.Input((6, 5), name="x"), keras.Input((3,), name="z")
    h = L.Concatenate()([L.GRU(6)(x), L.Dense(4, activation="relu")(z)])
    head, gate = L.Dense(2, name="head")(h), L.Dense(1, activation="sigmoid", name="gate")(h)
    return keras.Model([x, z], [head, gate])


def nested(x: Any) -> Any:
    inner = keras.Sequential(
        [keras.Input((6, 5)), L.Dense(4, activation="relu"), L.GRU(5, return_sequences=True)]
    )
    return L.Dense(2)(L.GRU(3)(inner(x)))


def siamese() -> Any:
    keras.utils.set_random_seed(5)
    a, b = keras.Input((6, 5), name="a"), keras.Input((6, 5), name="b")
    shared = L.GRU(6, name="shared")
    return keras.Model([a, b], L.Dense(2)(L.Concatenate()([shared(a), shared(b)])))


def per_frame(x: Any) -> Any:
    frame = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Flatten()]
    )
    return L.Dense(2)(L.GRU(6)(L.TimeDistributed(frame)(x)))


def crnn(x: Any) -> Any:
    y = L.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = L.ReLU()(L.BatchNormalization()(y))
    y = L.MaxPooling2D((1, 2))(y)
    y = L.Reshape((10, 6 * 8))(y)
    y = L.Bidirectional(L.GRU(8, return_sequences=True))(y)
    return L.Dense(5, activation="softmax")(y)


def depthwise(x: Any) -> Any:
    y = L.DepthwiseConv2D(3, padding="same", activation="relu")(L.Conv2D(4, 3, padding="same")(x))
    return L.GRU(4)(L.Reshape((8, 24))(y))


def merges(x: Any) -> Any:
    h = L.GRU(5, return_sequences=True)(x)
    return L.Maximum()([L.Multiply()([h, x]), L.Subtract()([h, x])])


def cuts(x: Any) -> Any:
    return L.Cropping1D(1)(L.GRU(5, return_sequences=True)(L.ZeroPadding1D(1)(x)))[:, -2:]


def rnnoise(x: Any) -> Any:
    """RNNoise (Valin 2018): each GRU is fed by concatenations of earlier outputs."""
    dense = L.Dense(24, activation="tanh")(x)
    vad = L.GRU(24, return_sequences=True, name="vad_gru")(dense)
    noise = L.GRU(48, activation="relu", return_sequences=True, name="noise_gru")(
        L.Concatenate()([dense, vad, x])
    )
    denoise = L.GRU(96, return_sequences=True, name="denoise_gru")(L.Concatenate()([vad, noise, x]))
    return [
        L.Dense(22, activation="sigmoid", name="gains")(denoise),
        L.Dense(1, activation="sigmoid", name="vad")(vad),
    ]


def keyword_spotter(x: Any) -> Any:
    """Hello Edge (Zhang et al. 2017), CRNN: 49 frames of 10 MFCCs, GRU of 154, 12 words."""
    y = L.Reshape((49, 10, 1))(x)
    y = L.Conv2D(48, (10, 4), (2, 2), activation="relu")(y)
    y = L.Reshape((20, 4 * 48))(y)
    return L.Dense(12, activation="softmax")(L.GRU(154)(y))


def deep_speech(x: Any) -> Any:
    """DeepSpeech (Hannun et al. 2014): three clipped-ReLU layers, recurrence, two dense."""
    for _ in range(3):
        x = L.ReLU(max_value=20)(L.Dense(32)(x))
    x = L.LSTM(32, return_sequences=True)(x)
    return L.Dense(29, activation="softmax")(L.ReLU(max_value=20)(L.Dense(32)(x)))


CELLS, ARRANGEMENT, AROUND = "Cells", "Arrangement", "Around the recurrent layers"
LENGTH, SHAPES = "Sequence length", "Real shapes"

CASES = [
    Case(CELLS, "SimpleRNN, tanh", chain(L.SimpleRNN(8))),
    Case(CELLS, "SimpleRNN, relu", chain(L.SimpleRNN(8, activation="relu"))),
    Case(CELLS, "SimpleRNN, linear", chain(L.SimpleRNN(8, activation=None))),
    Case(CELLS, "SimpleRNN, use_bias=False", chain(L.SimpleRNN(8, use_bias=False))),
    Case(CELLS, "GRU, reset_after=True", chain(L.GRU(8))),
    Case(CELLS, "GRU, reset_after=False", chain(L.GRU(8, reset_after=False))),
    Case(CELLS, "GRU, relu", chain(L.GRU(8, activation="relu"))),
    Case(CELLS, "GRU, linear", chain(L.GRU(8, activation="linear"))),
    Case(CELLS, "GRU, hard_sigmoid gates", chain(L.GRU(8, recurrent_activation="hard_sigmoid"))),
    Case(CELLS, "GRU, use_bias=False", chain(L.GRU(8, use_bias=False))),
    Case(
        CELLS,
        "GRU, reset_after=False, use_bias=False",
        chain(L.GRU(8, reset_after=False, use_bias=False)),
    ),
    Case(CELLS, "LSTM", chain(L.LSTM(8))),
    # Without a bound, a sixth off the range of f * c is a large error where it is taken.
    Case(CELLS, "LSTM, relu", chain(L.LSTM(8, activation="relu")), largest=0.13),
    Case(CELLS, "LSTM, hard_sigmoid gates", chain(L.LSTM(8, recurrent_activation="hard_sigmoid"))),
    Case(CELLS, "LSTM, use_bias=False", chain(L.LSTM(8, use_bias=False))),
    Case(CELLS, "LSTM, unit_forget_bias=False", chain(L.LSTM(8, unit_forget_bias=False))),
    Case(CELLS, "a user's own cell", chain(L.RNN(MinimalGatedCell(6)))),
    Case(
        ARRANGEMENT,
        "two layers",
        chain(L.GRU(8, return_sequences=True), L.GRU(6), L.Dense(3)),
    ),
    Case(
        ARRANGEMENT,
        "three layers",
        chain(
            L.SimpleRNN(6, return_sequences=True),
            L.LSTM(6, return_sequences=True),
            L.GRU(6),
            L.Dense(3),
        ),
    ),
    Case(ARRANGEMENT, "return_sequences", chain(L.GRU(8, return_sequences=True))),
    Case(ARRANGEMENT, "return_state, GRU", return_state(L.GRU)),
    Case(ARRANGEMENT, "return_state, LSTM", return_state(L.LSTM)),
    Case(ARRANGEMENT, "initial_state from another layer", functional(encoder_decoder)),
    Case(ARRANGEMENT, "go_backwards", chain(L.GRU(8, go_backwards=True))),
    Case(
        ARRANGEMENT,
        "go_backwards with return_sequences",
        chain(L.LSTM(8, go_backwards=True, return_sequences=True)),
    ),
    *(
        Case(ARRANGEMENT, f"Bidirectional, {merge}", chain(L.Bidirectional(L.GRU(6), merge)))
        for merge in ("concat", "sum", "mul", "ave")
    ),
    Case(
        ARRANGEMENT,
        "Bidirectional LSTM, return_sequences",
        chain(L.Bidirectional(L.LSTM(6, return_sequences=True)), L.Dense(3)),
    ),
    Case(ARRANGEMENT, "Bidirectional SimpleRNN", chain(L.Bidirectional(L.SimpleRNN(6)))),
    Case(
        ARRANGEMENT,
        "Bidirectional with its own backward layer",
        chain(L.Bidirectional(L.GRU(6), backward_layer=L.LSTM(4, go_backwards=True))),
    ),
    Case(ARRANGEMENT, "RNN(cell)", chain(L.RNN(L.GRUCell(6)))),
    Case(ARRANGEMENT, "RNN([cell, cell])", chain(L.RNN([L.LSTMCell(6), L.GRUCell(5)]))),
    Case(
        ARRANGEMENT,
        "RNN([cell, cell]), backwards, return_sequences",
        chain(L.RNN([L.GRUCell(6), L.SimpleRNNCell(5)], return_sequences=True, go_backwards=True)),
    ),
    Case(
        ARRANGEMENT,
        "Bidirectional(RNN([cell, cell])), return_sequences",
        chain(L.Bidirectional(L.RNN([L.GRUCell(4), L.GRUCell(3)], return_sequences=True))),
    ),
    Case(AROUND, "Dense before and after", chain(L.Dense(7, "relu"), L.GRU(6), L.Dense(3))),
    Case(
        AROUND,
        "TimeDistributed(Dense)",
        chain(L.GRU(6, return_sequences=True), L.TimeDistributed(L.Dense(3))),
    ),
    Case(AROUND, "TimeDistributed(model of Conv2D)", functional(per_frame, (4, 8, 8, 1))),
    Case(
        AROUND,
        "Conv1D, strides, causal padding",
        chain(
            L.Conv1D(8, 3, 2, padding="same", activation="relu"),
            L.Conv1D(8, 3, padding="causal"),
            L.GRU(6),
            shape=(16, 5),
        ),
    ),
    Case(AROUND, "Conv2D + Reshape (a CRNN)", functional(crnn, (10, 12, 1)), largest=0.2),
    Case(
        AROUND,
        "DepthwiseConv1D, SeparableConv1D",
        chain(
            L.DepthwiseConv1D(3, activation="relu"),
            L.SeparableConv1D(8, 3, activation="relu"),
            L.GRU(6),
            shape=(12, 5),
        ),
    ),
    Case(AROUND, "Conv2D, DepthwiseConv2D, padding", functional(depthwise, (8, 6, 1))),
    Case(
        AROUND,
        "LayerNormalization",
        chain(L.GRU(8, return_sequences=True), L.LayerNormalization(), L.GRU(4)),
        largest=0.2,
    ),
    Case(
        AROUND,
        "BatchNormalization, folded",
        chain(L.Conv1D(8, 3), L.BatchNormalization(), L.ReLU(), L.GRU(6), shape=(9, 5)),
    ),
    Case(
        AROUND,
        "MaxPooling1D, AveragePooling1D",
        chain(L.MaxPooling1D(2), L.GRU(6, return_sequences=True), L.AveragePooling1D(2)),
    ),
    Case(
        AROUND,
        "GlobalAveragePooling1D",
        chain(L.GRU(6, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(3)),
    ),
    Case(
        AROUND,
        "GlobalMaxPooling1D",
        chain(L.GRU(6, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(3)),
    ),
    Case(
        AROUND,
        "RepeatVector (an autoencoder)",
        chain(L.LSTM(6), L.RepeatVector(4), L.LSTM(5, return_sequences=True), L.Dense(2)),
    ),
    Case(AROUND, "LeakyReLU", chain(L.Dense(6), L.LeakyReLU(), L.GRU(5))),
    Case(AROUND, "Multiply, Subtract, Maximum", functional(merges)),
    Case(AROUND, "slices, cropping, zero padding", functional(cuts)),
    Case(
        AROUND,
        "Dropout, removed",
        chain(L.Dropout(0.5), L.GRU(6, dropout=0.2, recurrent_dropout=0.2), L.GaussianNoise(1.0)),
    ),
    Case(AROUND, "Concatenate and Add across branches", functional(branches)),
    Case(AROUND, "softmax head", chain(L.GRU(6), L.Dense(4), L.Softmax())),
    Case(AROUND, "sigmoid head", chain(L.GRU(6), L.Dense(1, activation="sigmoid"))),
    Case(AROUND, "Flatten over time", chain(L.GRU(6, return_sequences=True), L.Flatten())),
    Case(AROUND, "several inputs and outputs", two_by_two),
    Case(AROUND, "a layer that is used twice", siamese),
    Case(AROUND, "a model nested in a model", functional(nested)),
    Case(LENGTH, "open length, time_steps=9", chain(L.GRU(8), shape=(None, 5)), time_steps=9),
    Case(LENGTH, "one step", chain(L.LSTM(8), shape=(1, 5))),
    Case(LENGTH, "200 steps", chain(L.GRU(8), shape=(200, 5))),
    Case(SHAPES, "RNNoise: three GRUs, 42 features, two heads", functional(rnnoise, (8, 42))),
    Case(SHAPES, "keyword spotter: Conv2D, GRU 154", functional(keyword_spotter, (49, 10))),
    Case(SHAPES, "DeepSpeech: clipped ReLU, LSTM", functional(deep_speech, (10, 26))),
]


def trained(case: Case) -> Any:
    """The case's model with weights as training leaves them: no bias at zero."""
    model = case.build()
    rng = np.random.default_rng(11)
    for weight in model.weights:
        values = weight.numpy()
        if weight.name == "moving_variance":
            weight.assign(rng.uniform(0.5, 2.0, values.shape))
        else:
            weight.assign(values + rng.normal(0, 0.1, values.shape))
    return model


def page() -> str:
    """docs/supported.md."""
    lines = [
        "# What is supported",
        "",
        "Generated from `tests/cases.py`, which the test suite runs line by line: the deploy model",
        "equals Keras to 1e-5 on random and on real inputs; no operator of the int8 model is",
        "float; its error against Keras, as a share of the output's range over the samples, stays",
        "within the bounds below; Vela places every operator on the NPU, on ethos-u55-128,",
        "ethos-u65-256 and ethos-u85-256.",
    ]
    for group in dict.fromkeys(case.group for case in CASES):
        lines += ["", f"## {group}", "", "| case | mean error | largest |", "| --- | --- | --- |"]
        lines += [
            f"| {case.name} | {case.mean:.0%} | {case.largest:.0%} |"
            for case in CASES
            if case.group == group
        ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE.name}: {len(CASES)} cases")
