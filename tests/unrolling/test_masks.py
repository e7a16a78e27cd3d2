"""Padded sequences: masks that Keras hands on unseen are inputs of the deployed network.

`cases/masks.py` has what is deployed, byte for byte; here is the rest. Keras says what is right.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import in_c
import numpy as np
import pytest
import slow

import unspool
from unspool import FineTuning, KernelSetting, Options, Session, UnspoolError, compress
from unspool.compression.fake_quantization import FakeQuantized
from unspool.firmware import bundle
from unspool.support._tensorflow import keras

L = keras.layers
T = 12
QUICK = Options(remedy_seconds=0)
SEQUENCES: dict[str, Any] = {"return_sequences": True}


def padded(count: int = 60, value: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (count, T, 3) that end early, and their lengths."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, T + 1, count)
    x = rng.normal(0, 1, (count, T, 3)).astype(np.float32)
    x[np.arange(T) >= lengths[:, None]] = value
    return x, lengths


def sequential(*layers: Any, shape: tuple[int | None, ...] = (T, 3)) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


def masked() -> Any:
    return sequential(L.Masking(-1.0, name="m"), L.GRU(12, name="gru"), L.Dense(4, name="y"))


@pytest.fixture(scope="module")
def done() -> unspool.Deployment:
    return unspool.deploy(masked(), padded()[0], options=QUICK)


def test_the_mask_is_an_input_of_zeros_and_ones(done: unspool.Deployment) -> None:
    session = Session(done.quantized_tflite, "tflm")
    assert [tensor.name for tensor in session.inputs] == ["x"]  # computed, not asked for
    x, lengths = padded()
    stored, mask = session.quantized([x])
    assert mask.dtype == np.int8
    assert mask.shape == (60, T)
    np.testing.assert_array_equal(mask, np.arange(T) < lengths[:, None])
    # What only says that a step is padded takes no part of the input's range.
    assert session.inputs[0].scale < np.ptp(np.where(x == -1, 0, x)) / 250
    np.testing.assert_array_equal(stored[mask == 0], session.inputs[0].zero_point)


def test_lengths_say_what_is_padded(done: unspool.Deployment) -> None:
    x, lengths = padded()
    session = Session(done.quantized_tflite, "tflm")
    full = np.where(x == -1, 7.5, x)  # what the device's buffer held before
    np.testing.assert_array_equal(session.predict(full, lengths=lengths)[0], session.predict(x)[0])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3], r"lengths have the shape \(1,\) and the type int64; expected .* shape \(60,\)"),
        (np.full(60, 2.5), "the type float64; expected whole numbers"),
        (np.full(60, T + 1), f"lengths run from {T + 1} to {T + 1}; expected 0 to {T} time steps"),
    ],
)
def test_lengths_that_are_none(done: unspool.Deployment, lengths: Any, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        Session(done.quantized_tflite).predict(padded()[0], lengths=lengths)


def test_lengths_of_a_network_without_masks(int8_tflite: bytes, data: np.ndarray) -> None:
    with pytest.raises(UnspoolError, match="the network has no mask: leave them out"):
        Session(int8_tflite).predict(data, lengths=np.ones(len(data), int))


@pytest.mark.parametrize(
    "call", [lambda gru, x, h: gru(x, h), lambda gru, x, h: gru(x, initial_state=h)]
)
def test_given_states_however_they_are_a_layer_gets_no_mask_from_keras(call: Any) -> None:
    keras.utils.set_random_seed(1)
    x, h = keras.Input((T, 3), name="x"), keras.Input((4,), name="h")
    model = keras.Model([x, h], L.Dense(2)(call(L.GRU(4), L.Masking(-1.0)(x), h)))
    data = [padded()[0], np.random.default_rng(0).normal(0, 1, (len(padded()[0]), 4))]
    session = Session(unspool.convert(unspool.unroll(model)))
    assert [tensor.name for tensor in session.inputs] == ["x", "h"]
    (got,) = session.predict([array.astype(np.float32) for array in data])
    np.testing.assert_allclose(got, model.predict(data, verbose=0), atol=1e-5)


def test_padding_of_any_kind_is_what_keras_makes_of_it(done: unspool.Deployment) -> None:
    """All padded, none padded, padded in front, and with a gap."""
    x = padded()[0][:4].copy()
    x[0], x[1], x[2, :12], x[3, 5:10] = -1, 0.5, -1, -1
    exact = done.trained.predict(x, verbose=0)
    (output,) = Session(done.float_tflite).predict(x)
    np.testing.assert_allclose(output, exact, atol=1e-6)
    (output,) = Session(done.compiled.tflite, "npu").predict(x)
    assert np.abs(output - exact).max() < 0.05


def test_tokens(tmp_path: Path) -> None:
    """The NPU does not look up tokens, but TFLM runs all of it: its states stay as they are."""
    rng = np.random.default_rng(2)
    ids = rng.integers(1, 30, (60, T)) * (np.arange(T) < rng.integers(1, T, (60, 1)))
    table = L.Embedding(30, 6, embeddings_initializer="normal", mask_zero=True)
    model = sequential(table, L.LSTM(12), L.Dense(3), shape=(T,))
    table.set_weights([20 * weight for weight in table.get_weights()])
    model.save(tmp_path / "tokens.keras")
    model = unspool.load(tmp_path / "tokens.keras")
    done = unspool.deploy(model, ids, options=Options(remedy_seconds=0, allow_cpu=True))
    session = Session(done.quantized_tflite, "tflm")
    end = np.argmax(ids == 0, axis=1)[0]
    short = np.zeros_like(ids[:1])
    short[0, :end] = ids[0, :end]
    np.testing.assert_array_equal(session.predict(ids[:1])[0], session.predict(short)[0])
    assert done.measured.quality is not None
    assert done.measured.quality.worst is not None
    assert done.measured.quality.worst.mean < 2


def test_a_stream_is_padded_at_its_end() -> None:
    """Chunk by chunk, a short last chunk filled up: what the states are after the valid steps."""
    x, lengths = padded()
    model = sequential(L.Masking(-1.0), L.LSTM(8, return_sequences=True), L.GRU(6), shape=(None, 3))
    done = unspool.deploy_stream(model, x, time_steps=4, options=QUICK)
    assert done.simulation.equal == done.simulation.samples > 0
    (output,) = Session(done.float_tflite).predict(x)
    np.testing.assert_allclose(output, model.predict(x, verbose=0), atol=1e-6)
    (by_lengths,) = Session(done.float_tflite).predict(np.where(x == -1, 3, x), lengths=lengths)
    np.testing.assert_array_equal(by_lengths, output)


def test_full_length_costs_nothing(done: unspool.Deployment) -> None:
    x = padded()[0]
    x = np.where(x == -1, 0.25, x)
    full = unspool.deploy(masked(), x, options=Options(remedy_seconds=0, full_length=True))
    plain = unspool.deploy(
        sequential(L.GRU(12, name="gru"), L.Dense(4, name="y")), x, options=QUICK
    )
    assert full.compiled.npu_operators == plain.compiled.npu_operators
    assert full.compiled.npu_operators < done.compiled.npu_operators
    assert Session(full.quantized_tflite).masks == ()


def test_full_length_is_held_to_the_data() -> None:
    x, lengths = padded()
    count = int((lengths < T).sum())
    message = rf"calibration data: {count} of 60 sequences are padded in input 'x'; expected full"
    with pytest.raises(UnspoolError, match=message):
        unspool.deploy(masked(), x, options=Options(full_length=True))


def given() -> Any:
    x, mask = keras.Input((T, 3), name="x"), keras.Input((T,), name="valid", dtype="bool")
    return keras.Model([x, mask], L.LSTM(4)(x, mask=mask))


def test_a_mask_that_is_an_input_cannot_be_left_out() -> None:
    with pytest.raises(UnspoolError, match=r"input 'valid' is a mask itself.*`full_length`"):
        unspool.unroll(given(), full_length=True)


@pytest.mark.parametrize("dtype", slow.unless(["float32"], ["bool", "float32"]))
def test_a_mask_that_is_an_input_goes_chunk_by_chunk_as_the_sequence_does(dtype: str) -> None:
    keras.utils.set_random_seed(1)
    x, mask = keras.Input((60, 3), name="x"), keras.Input((60,), name="valid", dtype=dtype)
    valid = mask if dtype == "bool" else keras.ops.cast(mask, "bool")
    y = L.GRU(8, return_sequences=True)(x, mask=valid)
    model = keras.Model([x, mask], L.Dense(3)(L.LSTM(6)(y, mask=valid)))
    rng = np.random.default_rng(0)
    is_valid = np.arange(60) < rng.integers(1, 61, 30)[:, None]
    data = [rng.normal(0, 1, (30, 60, 3)).astype(np.float32), is_valid.astype(dtype)]
    exact = model.predict(data, verbose=0)
    in_calls = unspool.deploy(model, data, steps_per_call=12, options=QUICK)
    stream = unspool.deploy_stream(model, data, time_steps=4, options=QUICK)
    for done in (in_calls, stream):
        assert done.simulation.equal == done.simulation.samples > 0
        (output,) = Session(done.float_tflite).predict(data)
        np.testing.assert_allclose(output, exact, atol=1e-6)
    assert (
        "void kws_fill_valid("
        in bundle(in_calls.quantized_tflite, in_calls.compiled, "kws")["kws_io.h"]
    )


def test_a_mask_that_is_read_otherwise_too_is_not_cut_into_chunks() -> None:
    x, mask = keras.Input((T, 3), name="x"), keras.Input((T,), name="valid")
    y = L.LSTM(4)(x, mask=keras.ops.cast(mask, "bool"))
    model = keras.Model([x, mask], L.Concatenate()([y, L.Dense(2)(mask)]))
    line = r"input 'valid' is read as a mask and as something else, which a stream does not cut"
    with pytest.raises(UnspoolError, match=line):
        unspool.unroll_stream(model)


def test_a_given_mask_is_no_feature_that_does_not_vary() -> None:
    x, valid = padded()[0], np.ones((60, T), bool)
    assert unspool.deploy(given(), [x, valid], options=QUICK).warnings == ()


def test_only_what_masking_clears_is_cleared() -> None:
    """Another mask of the same input, by another value: those steps are read all the same."""
    x = keras.Input((T, 3), name="x")
    h = L.GRU(4, return_sequences=True)(L.Masking(-1.0)(x))
    other = keras.ops.any(keras.ops.not_equal(x, 0.5), axis=-1)
    model = keras.Model(x, L.GRU(3)(L.Dense(3)(h), mask=other))
    data, _ = padded(20)
    data[:, 3] = 0.5
    deploy_model = unspool.unroll(model)
    cleared = {mask.value: mask.is_cleared for mask in deploy_model.interface.marks.masks}
    assert cleared == {-1.0: True, 0.5: False}
    (output,) = Session(unspool.convert(deploy_model)).predict(data)
    np.testing.assert_allclose(output, model.predict(data, verbose=0), atol=1e-6)


@pytest.mark.parametrize("steps", [*(pytest.param(k, marks=pytest.mark.slow) for k in (2, 3)), 33])
def test_the_mean_of_the_valid_steps_at_every_length(steps: int) -> None:
    """As exact at one valid step as at all: a mean is off by one level of a step, on the whole."""
    rng = np.random.default_rng(3)
    lengths = np.arange(50 + 8 * steps) % steps + 1
    x = rng.normal(0.2, 1, (50 + 8 * steps, steps, 5)).astype(np.float32)
    x[np.arange(steps) >= lengths[:, None]] = -1
    layers = L.Masking(-1.0), L.GRU(8, **SEQUENCES), L.GlobalAveragePooling1D()
    model = sequential(*layers, shape=(steps, 5))
    done = unspool.deploy(model, x, options=QUICK)
    exact = model.predict(x, verbose=0)
    (output,) = Session(done.float_tflite).predict(x)
    np.testing.assert_allclose(output, exact, atol=1e-6)
    assert done.compiled.cpu_operators == ()
    (output,) = Session(done.compiled.tflite, "npu").predict(x)
    errors = np.abs(output - exact)
    for length in range(1, steps + 1):
        assert errors[lengths == length].mean() < 2 / 255


def test_the_mean_of_no_valid_step_is_zero() -> None:
    """Keras divides by zero there."""
    layers = L.Masking(-1.0), L.GRU(8, **SEQUENCES), L.GlobalAveragePooling1D()
    model, (x, _) = sequential(*layers), padded()
    done = unspool.deploy(model, x, options=QUICK)
    x[:2] = -1
    assert np.isnan(model.predict(x[:2], verbose=0)).all()
    for content, runtime in ((done.float_tflite, "litert"), (done.compiled.tflite, "npu")):
        (output,) = Session(content, runtime).predict(x[:2])
        np.testing.assert_array_equal(output, 0)


def through(*layers: Any) -> Any:
    x = keras.Input((T, 3), name="x")
    y: Any = L.Masking(-1.0)(x)
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


@keras.saving.register_keras_serializable("tests")
class Forgets(keras.layers.Layer):  # type: ignore[misc]
    """A user's layer that has a mask of its own."""

    def call(self, x: Any, mask: Any = None) -> Any:
        return x

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return None


def from_inside() -> Any:
    x = keras.Input((T, 3), name="x")
    return keras.Model(x, L.GRU(4)(L.Masking(0.0, name="m")(L.Dense(3)(x))))


def computed() -> Any:
    x = keras.Input((T, 3), name="x")
    mask = keras.ops.greater(keras.ops.sum(x, axis=-1), 0)
    return keras.Model(x, L.GRU(4, name="gru")(x, mask=mask))


def after_each_other() -> Any:
    x = keras.Input((T, 3), name="x")
    y = L.Masking(-1.0)(x)
    return keras.Model(x, L.GRU(4)(L.Concatenate(axis=1, name="join")([y, y])))


def attending() -> Any:
    x = keras.Input((T, 3), name="x")
    y = L.GRU(4, return_sequences=True)(L.Masking(-1.0)(x))
    return keras.Model(x, L.Attention(name="a")([y, y]))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "average": (
        lambda: through(
            L.GRU(T, **SEQUENCES), L.GlobalAveragePooling1D("channels_first", name="p")
        ),
        r"layer 'p' \(GlobalAveragePooling1D\): it averages masked steps of the last axis",
    ),
    "attention": (attending, r"layer 'a' \(Attention\): its input is masked.*`full_length`"),
    "softmax": (
        lambda: through(L.GRU(4, **SEQUENCES), L.Softmax(name="s")),
        r"layer 's' \(Softmax\): its input is masked",
    ),
    "own": (
        lambda: through(Forgets(name="f"), L.GRU(4)),
        r"layer 'f' \(Forgets\): its class Forgets handles masks by itself",
    ),
    "inside": (
        from_inside,
        r"layer 'm' \(Masking\): the mask comes from inside the model; a mask begins at an input",
    ),
    "computed": (computed, r"layer 'gru' \(GRU\): the mask is computed by 'greater"),
    "joined": (after_each_other, r"layer 'join' \(Concatenate\): it joins masked sequences"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_mask_is_dropped(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(UnspoolError, match=message):
        unspool.unroll(make())
    first = next(v for v in unspool.inspect(make()) if v.action == "refuse")
    assert f"layer {first.layer!r}" in message.replace("\\", "")


def test_inspect_tells_where_masks_go() -> None:
    verdicts = {v.kind: v.detail for v in unspool.inspect(through(
        L.GRU(4, **SEQUENCES), L.Conv1D(4, 3), L.LSTM(3)
    ))}  # fmt: skip
    averaged = unspool.inspect(through(L.GRU(4, **SEQUENCES), L.GlobalAveragePooling1D()))
    assert averaged[-1].detail == "averages the valid steps alone"
    assert verdicts["Masking"] == "padded steps are told by an input"
    assert verdicts["GRU"] == "keeps its states in padded steps"
    assert verdicts["Conv1D"] == "the mask ends here, as it does in Keras"
    assert verdicts["LSTM"] == ""


def test_firmware_fills_the_mask(done: unspool.Deployment, tmp_path: Path) -> None:
    made = bundle(done.quantized_tflite, done.compiled, "net")
    assert "Give 0 in padded time steps, not -1." in made["net_io.h"]
    assert "net_fill_mask(steps, " in made["README.md"]
    library = in_c.build(made, tmp_path)
    for steps in (0, 1, 7, T):
        mask = np.full(T, 99, np.int8)
        library.net_fill_mask(steps, in_c.address(mask))
        np.testing.assert_array_equal(mask, np.arange(T) < steps)


@pytest.mark.parametrize("kind", slow.unless(["states"], ["states", "mean"]))
def test_quantization_aware_training_sees_the_mask(kind: str) -> None:
    """The graph that is trained gives what the int8 file gives, padded steps included."""
    x = padded()[0][:, :4]  # each step more makes the graph longer, and the mask no other
    ends = [L.GRU(12)] if kind == "states" else [L.GRU(12, **SEQUENCES), L.GlobalAveragePooling1D()]
    model = sequential(L.Masking(-1.0), *ends, L.Dense(4), shape=(4, 3))
    graph = FakeQuantized(model, x)
    outputs = np.asarray(graph(keras.ops.convert_to_tensor(x)))
    done = unspool.deploy(model, x, options=QUICK)
    (int8,) = Session(done.quantized_tflite, "tflm").predict(x)
    scale = Session(done.quantized_tflite).outputs[0].scale
    assert np.abs(outputs - int8).mean() < scale


@pytest.mark.slow
def test_masked_models_are_compressed() -> None:
    x, lengths = padded()
    labels = (lengths > T // 2).astype(int)
    model = sequential(L.Masking(-1.0), L.GRU(16), L.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    made = compress(
        model,
        x,
        labels,
        setting=KernelSetting(0.5, 16),
        calibration=x,
        fine_tuning=FineTuning(epochs=2, batch_size=60),
    )
    done = unspool.deploy(made.model, x, options=QUICK)
    assert done.simulation.equal == len(x)
    assert len(Session(done.quantized_tflite).masks) == 1


def test_lengths_cannot_mark_an_input_that_is_padded_by_two_values() -> None:
    x = keras.Input((6, 2), name="x")
    both = [L.GRU(3)(L.Masking(value)(x)) for value in (0.0, -1.0)]
    tflite = unspool.convert(unspool.unroll(keras.Model(x, L.Concatenate()(both))))
    data = np.ones((2, 6, 2), np.float32)
    with pytest.raises(UnspoolError, match="-1 and 0 say that a step of input 'x' is padded"):
        Session(tflite).predict(data, lengths=[3, 4])
