"""What cannot be deployed says so before any work is done: layer, reason, what to change."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import MinimalGatedCell
from conftest import small_model
from versions import taking

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.errors import UnspoolError
from unspool.inspection.inspecting import inspect
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

L = keras.layers


class OwnCall(keras.layers.GRU):  # type: ignore[misc]
    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        return 2 * super().call(sequences, initial_state, mask, training)


class Doubled(keras.layers.Embedding):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return 2 * super().call(inputs)


def reversed_table() -> Any:
    """Logits of the words that the table has, by its transpose."""
    ids, table = keras.Input((6,), dtype="int32"), L.ReversibleEmbedding(9, 4, name="e")
    return keras.Model(ids, table(L.GRU(4, return_sequences=True)(table(ids)), reverse=True))


def sequential(*layers: Any, shape: tuple[int | None, ...] = (6, 5), **options: Any) -> Any:
    return keras.Sequential([keras.Input(shape, **options), *layers])


def attention(attend: Callable[[Any], Any]) -> Any:
    x = keras.Input((6, 5))
    return keras.Model(x, L.GRU(3)(attend(L.GRU(4, return_sequences=True)(x))))


def attention_to_itself() -> Any:
    x = keras.Input((2, 3, 4))
    return keras.Model(x, L.MultiHeadAttention(1, 4, name="a")(x, x), name="inner")


def masked(argument: str) -> str:
    return (
        rf"layer 'a' \((MultiHead)?Attention\): {argument} sets scores to minus infinity, and a "
        "range that holds it leaves int8 no levels for the others; train without, on the steps "
        "that may be seen$"
    )


def tanh(x: Any) -> Any:
    """Keras's name, and another function."""
    return keras.ops.tanh(0.5 * x)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "own tanh": (
        lambda: sequential(L.GRU(4, activation=tanh, name="g")),
        r"layer 'g' \(GRU\): activation is '.*test_inspection.tanh'",
    ),
    "Embedding": (
        lambda: sequential(L.Embedding(9, 4), L.GRU(4), shape=(6,)),
        r"\(Embedding\): looks up token ids.*`allow_cpu`",
    ),
    "an Embedding of one's own": (
        lambda: sequential(Doubled(9, 4, name="e"), L.GRU(4), shape=(6,)),
        r"layer 'e' \(Doubled\): its class has a call\(\) of its own, which would be lost; use ",
    ),
    "a table in reverse": (
        reversed_table,
        r"layer 'e' \(ReversibleEmbedding\): reverse=True: multiplies by its table; use a Dense",
    ),
    "Discretization": (
        lambda: sequential(
            L.Discretization([0.0], name="d"), L.Embedding(2, 4), L.GRU(4), shape=(6,)
        ),
        r"layer 'd' \(Discretization\): makes whole numbers of what it is given, which neither "
        "TFLM nor an Ethos-U does; use it in front of the network, and give its result in as an ",
    ),
    "Hashing": (
        lambda: sequential(
            L.Hashing(4, name="h"), L.Embedding(4, 4), L.GRU(4), shape=(6,), dtype="int32"
        ),
        r"layer 'h' \(Hashing\): makes whole numbers",
    ),
    "log_softmax": (
        lambda: sequential(L.GRU(4), L.Dense(3, activation="log_softmax", name="t")),
        r"layer 't' \(Dense\): activation is 'log_softmax', which the NPU .* use softmax, or a lin",
    ),
    "ConvLSTM3D": (
        lambda: sequential(L.ConvLSTM3D(4, 3, name="c"), shape=(6, 5, 5, 5, 2)),
        r"layer 'c' \(ConvLSTM3D\): convolves over three dimensions, which no Ethos-U has an "
        "operator for; use ConvLSTM2D$",
    ),
    "Conv3D": (
        lambda: sequential(L.ConvLSTM2D(2, 3, return_sequences=True), L.Conv3D(1, 3, name="c"),
                           shape=(6, 5, 5, 2)),
        r"layer 'c' \(Conv3D\): convolves over three .*; use TimeDistributed\(Conv2D\(...\)\)$",
    ),
    "channels_first": (
        lambda: sequential(L.ConvLSTM1D(4, 3, data_format="channels_first", name="c"),
                           shape=(6, 2, 5)),
        r"layer 'c' \(ConvLSTM1D\): channels_first: the NPU convolves channels_last; train it so$",
    ),
    "gates of a ConvLSTM": (
        lambda: sequential(L.ConvLSTM1D(4, 3, recurrent_activation="softmax", name="c"),
                           shape=(6, 5, 2)),
        r"layer 'c' \(ConvLSTM1D\): recurrent_activation is 'softmax', which has no form in a cell",
    ),
    "causal": (
        lambda: attention(lambda h: L.MultiHeadAttention(1, 4, name="a")(
            h, h, use_causal_mask=True)),
        masked("use_causal_mask"),
    ),
    "causal Attention": (
        lambda: attention(lambda h: L.Attention(name="a")([h, h], use_causal_mask=True)),
        masked("use_causal_mask"),
    ),
    "sliding window": (
        lambda: attention(lambda h: taking("sliding_window", L.MultiHeadAttention)(
            1, 4, sliding_window=2, name="a")(h, h)),
        masked("sliding_window"),
    ),
    "attention mask": (
        lambda: attention(lambda h: L.MultiHeadAttention(1, 4, name="a")(
            h, h, attention_mask=np.ones((1, 6, 6), bool))),
        masked("attention_mask"),
    ),
    "attention over two axes": (
        lambda: sequential(L.GRU(4, return_sequences=True), L.Reshape((2, 3, 4)),
                           attention_to_itself(), L.Flatten(), L.Dense(2)),
        r"layer 'inner/a' \(MultiHeadAttention\): attends over \(2, 3\) of \(None, 2, 3, 4\), more "
        r"than one axis; reshape it to \(batch, time, features\)$",
    ),
    "Lambda": (
        lambda: sequential(L.Lambda(lambda t: t * 2, name="code"), L.GRU(4)),
        r"layer 'code' \(Lambda\): runs Python code",
    ),
    "own call": (lambda: sequential(OwnCall(4, name="own")), r"'own' \(OwnCall\): .*RNN\(cell\)"),
    "activation": (
        lambda: sequential(L.Bidirectional(L.LSTM(4, activation="softmax"), name="b")),
        r"layer 'b' \(Bidirectional\): activation is 'softmax'.* use one of celu, elu, ",
    ),
    "recurrence per step of a step": (
        lambda: sequential(L.TimeDistributed(L.TimeDistributed(L.GRU(3)), name="t"), L.Flatten(),
                           shape=(4, 3, 6, 5)),
        r"layer 't' \(TimeDistributed\): applies a recurrent layer to each time step of each time "
        "step; reshape both into one$",
    ),
    "within what is applied per step": (
        lambda: sequential(L.TimeDistributed(sequential(L.Masking(name="mask"), L.GRU(3)),
                                             name="t"), L.GRU(2), shape=(4, 6, 5)),
        r"layer 't' \(TimeDistributed\): a mask for each time step; put the Masking layer in front",
    ),
    "two open dimensions": (
        lambda: sequential(L.Conv2D(2, 3), L.GlobalMaxPooling2D(), L.Reshape((1, 2)), L.GRU(2),
                           shape=(None, None, 1)),
        "only the time steps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(UnspoolError, match=message):
        unroll(make(), 6 if case == "two open dimensions" else None)


def test_embedding_is_deployed_to_the_cpu_where_the_user_accepts_it() -> None:
    keras.utils.set_random_seed(5)
    model = sequential(L.Embedding(9, 4), L.GRU(8), L.Dense(2), shape=(6,), dtype="int32")
    tokens = np.random.default_rng(0).integers(0, 9, (40, 6))
    float_tflite = convert(unroll(model, allow_cpu=True))
    expected = model.predict(tokens, verbose=0)
    np.testing.assert_allclose(Session(float_tflite).predict(tokens)[0], expected, atol=1e-5)
    int8 = quantize(float_tflite, calibrate(float_tflite, tokens).ranges)
    assert Session(int8).inputs[0].dtype == np.int32
    error = np.abs(Session(int8, "tflm").predict(tokens)[0] - expected)
    assert error.mean() < 0.04 * np.ptp(expected)
    compiled = vela.compile(int8, target())
    assert {op.kind for op in compiled.cpu_operators} == {"GatherV2"}


def test_every_layer_is_told_of() -> None:
    x = keras.Input((8, 5))
    inner = sequential(L.Dense(4, name="d"), shape=(8, 5))
    inner.name = "inner"
    y = L.BatchNormalization(name="n")(L.Conv1D(4, 3, padding="same", name="c")(inner(x)))
    y = L.RNN(MinimalGatedCell(3), name="own")(L.Dropout(0.1, name="o")(y))
    model = keras.Model(x, y)
    assert [(v.layer, v.kind, v.action) for v in inspect(model)] == [
        ("inner/d", "Dense", "keep"),
        ("c", "Conv1D", "keep"),
        ("n", "BatchNormalization", "fold"),
        ("o", "Dropout", "remove"),
        ("own", "RNN", "unroll"),
    ]
    assert inspect(model)[-1].detail == "its own cell MinimalGatedCell is run as it is"


def test_recurrent_dropout_is_ignored_and_said() -> None:
    (verdict,) = inspect(sequential(L.LSTM(4, recurrent_dropout=0.3)))
    assert verdict.action == "unroll"
    assert "recurrent_dropout does nothing at inference" in verdict.detail


def test_inspecting_does_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.layers.Layer, "from_config", None)
    assert inspect(small_model())


@pytest.mark.parametrize("steps", [(20, 80), pytest.param((50, 200), marks=pytest.mark.slow)])
def test_size_grows_with_the_steps_and_not_faster(steps: tuple[int, int]) -> None:
    """Four times the steps: at most 4.5 times the operators, the file and Vela's flash."""
    few, many = (_figures(small_model("gru", units=16, steps=n), n) for n in steps)
    growth = steps[1] / steps[0]
    for a, b in zip(few, many, strict=True):
        assert b / a < growth * 1.125


def _figures(model: Any, steps: int) -> tuple[int, int, float, int]:
    data = np.random.default_rng(1).normal(size=(4, steps, 5))
    float_tflite = convert(unroll(model))
    int8 = quantize(float_tflite, calibrate(float_tflite, data).ranges)
    compiled = vela.compile(int8, target())
    operators = len(flatbuffer.operators(flatbuffer.read(int8)))
    return operators, len(int8), compiled.flash_kib, compiled.cycles


def test_a_stateful_layer_with_a_fixed_batch_deploys_and_is_told_what_states_are() -> None:
    model = sequential(L.GRU(4, stateful=True, name="g"), batch_size=32)
    (verdict,) = inspect(model)
    assert (verdict.action, "`states`" in verdict.detail) == ("unroll", True)
    assert unroll(model).inputs[0].shape == (1, 6, 5)
