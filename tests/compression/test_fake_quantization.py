"""Quantization-aware fine-tuning: what is trained is what the int8 file computes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from cases import MinimalGatedCell
from conftest import FEATURES, STEPS, random_samples, small_model

import unspool
from unspool import FineTuning, KernelSetting, compress
from unspool.compression.fake_quantization import FakeQuantized
from unspool.runtime.evaluation import accuracy
from unspool.support._tensorflow import keras, tf

LAYERS = keras.layers
RUNTIMES = ("tflm", "litert")
at_once = pytest.mark.usefixtures("computing")


def _around(steps: int = STEPS) -> Any:
    keras.utils.set_random_seed(1)
    x = keras.Input((steps, FEATURES))
    h = LAYERS.Conv1D(8, 3, padding="same", activation="relu")(x)
    h = LAYERS.BatchNormalization()(h)
    h = LAYERS.LSTM(8, return_sequences=True)(h)
    h = LAYERS.LayerNormalization()(h)
    h = LAYERS.Bidirectional(LAYERS.GRU(4))(h)
    h = LAYERS.Dense(6, activation="relu")(h)
    return keras.Model(x, LAYERS.Dense(3, activation="softmax")(h))


def _bidirectional_sequences() -> Any:
    keras.utils.set_random_seed(2)
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.Bidirectional(LAYERS.LSTM(6, return_sequences=True))(x)
    h = LAYERS.Bidirectional(LAYERS.GRU(5))(h)
    return keras.Model(x, LAYERS.Dense(3, activation="softmax")(h))


def _curves() -> Any:
    """Activations that are convolutions in the int8 file, one of them the output."""
    keras.utils.set_random_seed(3)
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.Dense(6, activation="gelu")(LAYERS.GRU(6)(x))
    return keras.Model(x, LAYERS.Dense(3, activation="softplus")(h))


def _in_several_operators() -> Any:
    """Sums, squared differences, and many tensors of two scales that are put together."""
    keras.utils.set_random_seed(4)
    ops = keras.ops
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.GRU(8, return_sequences=True)(x)
    parts = [LAYERS.Dense(2, ("tanh", "relu")[n % 2])(h) for n in range(11)]
    h = ops.layer_normalization(ops.concatenate(parts, axis=-1), np.ones(22), np.zeros(22))
    over_features = ops.sum(h[:, :, 3:9], axis=-1)
    h = ops.concatenate([ops.sum(h, axis=1), over_features, ops.var(h, axis=1)], axis=-1)
    return keras.Model(x, LAYERS.Dense(3, activation="softmax")(h / 4.0))


def _own_cell() -> Any:
    keras.utils.set_random_seed(6)
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.RNN(MinimalGatedCell(8))(x)
    return keras.Model(x, LAYERS.Dense(3, activation="softmax")(h))


def _one_matrix_for_all_steps() -> Any:
    keras.utils.set_random_seed(5)
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.EinsumDense("btf,fg->btg", (None, 6))(x)
    return keras.Model(x, LAYERS.Dense(3, activation="softmax")(LAYERS.GRU(6)(h)))


def _of_ids(steps: int = STEPS) -> Any:
    keras.utils.set_random_seed(8)
    ids = keras.Input((steps,), dtype="int32")
    h = LAYERS.GRU(8)(LAYERS.Embedding(20, 6, mask_zero=True)(ids))
    model = keras.Model(ids, LAYERS.Dense(3, activation="softmax")(h))
    rng = np.random.default_rng(8)
    model.set_weights([w + rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "bidirectional, stacked": _bidirectional_sequences,
    "curves": _curves,
    "gru": lambda: small_model("gru"),
    "lstm": lambda: small_model("lstm"),
    "simple": lambda: small_model("simple"),
    "gru, reset before": lambda: small_model("gru", reset_after=False),
    "gru, no bias": lambda: small_model("gru", use_bias=False),
    "gru, hard sigmoid": lambda: small_model("gru", recurrent_activation="hard_sigmoid"),
    "lstm, backwards": lambda: small_model("lstm", go_backwards=True),
    "in several operators": _in_several_operators,
    "one matrix for all steps": _one_matrix_for_all_steps,
    "a user's own cell": _own_cell,
    "with other layers around": lambda: _around(steps=3),
}


def int8(model: Any, data: np.ndarray) -> bytes:
    float_tflite = unspool.convert(unspool.unroll(model))
    return unspool.quantize(float_tflite, unspool.calibrate(float_tflite, data).ranges)


USUAL = ("with other layers around",)


@at_once
@pytest.mark.parametrize("name", slow.unless(USUAL, MODELS))
def test_it_predicts_what_tflm_does_with_the_int8_file(name: str) -> None:
    """Softmax outputs have levels of 1/256; runtimes differ by how they round in between."""
    model = MODELS[name]()
    data = random_samples(100, model.input_shape[1])
    fake = tf.function(FakeQuantized(model, data[:40]))(data).numpy()
    file = int8(model, data[:40])
    tflm, litert = (unspool.Session(file, runtime).predict(data)[0] for runtime in RUNTIMES)
    error_of_int8 = np.abs(model.predict(data, verbose=0) - tflm)
    assert error_of_int8.max() > 2 / 256, "int8 must differ from float, or there is nothing to see"
    assert np.abs(fake - litert).max() <= 4 / 256
    assert np.abs(fake - litert).mean() < error_of_int8.mean() / 3
    # It is no further from TFLM than LiteRT's integers are, give or take what 100 samples tell; but
    # a curve is three convolutions in the file, which round alike in both, and one rounding here.
    apart = np.abs(litert - tflm).mean()
    level = unspool.Session(file).outputs[0].scale
    assert np.abs(fake - tflm).mean() < (level / 3 if name == "curves" else 1.5 * apart)


TRAINED: dict[str, Callable[[], Any]] = {
    "other layers": lambda: _around(steps=2),
    "own cell": _own_cell,
    "ids": lambda: _of_ids(steps=2),
}


@pytest.mark.parametrize("name", slow.unless(["other layers"], TRAINED))
def test_gradients_reach_every_trainable_weight(name: str) -> None:
    """In a graph: a GradientTape sees less there than where all is computed at once."""
    model = TRAINED[name]()
    shape, dtype = model.input_shape[1:], model.inputs[0].dtype
    data = np.random.default_rng(3).normal(0, 1, (20, *shape))
    samples = (np.abs(9 * data) % 20 if dtype == "int32" else data).astype(dtype)
    fake = FakeQuantized(model, samples)

    @tf.function  # type: ignore[untyped-decorator]
    def gradients(data: np.ndarray) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(fake(data)[:, 0])
        return tape.gradient(loss, [w.value for w in model.trainable_weights])

    for weight, gradient in zip(model.trainable_weights, gradients(samples[:16]), strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


@at_once
def test_ids_are_looked_up_in_a_rounded_table() -> None:
    model, ids = _of_ids(), np.random.default_rng(8).integers(0, 20, (100, STEPS))
    fake = FakeQuantized(model, ids)(keras.ops.convert_to_tensor(ids)).numpy()
    float_tflite = unspool.convert(unspool.unroll(model, allow_cpu=True))
    file = unspool.quantize(float_tflite, unspool.calibrate(float_tflite, ids).ranges)
    tflm, litert = (unspool.Session(file, runtime).predict(ids)[0] for runtime in RUNTIMES)
    error_of_int8 = np.abs(model.predict(ids, verbose=0) - tflm)
    assert np.abs(fake - litert).mean() < error_of_int8.mean() / 3
    assert np.abs(fake - tflm).mean() < 1.5 * np.abs(litert - tflm).mean()


def _lossy() -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A trained SimpleRNN that loses accuracy in int8: without a bound, one range is too coarse."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (3000, 12, 3)).astype(np.float32)
    y = (x[:, :, 0].sum(1) > 0).astype(np.int64) + 2 * (x[:, -3:, 1].sum(1) > 0)
    inputs = keras.Input((12, 3))
    h = LAYERS.SimpleRNN(16, activation="relu", recurrent_initializer="identity")(inputs)
    model = keras.Model(inputs, LAYERS.Dense(4, activation="softmax")(h))
    model.compile(
        keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x, y, epochs=6, batch_size=60, verbose=0)
    return model, x, y


def test_int8_is_better_after_it_than_before() -> None:
    model, x, y = _lossy()
    options = FineTuning(quantized_epochs=1, learning_rate=1e-2, batch_size=30)  # of 2,850
    done = compress(
        model, x, y, setting=KernelSetting(0.0, None), calibration=x[:100], fine_tuning=options
    )
    before, after = (accuracy(int8(m, x[:100]), x, y, "tflm").percent for m in (model, done.model))
    trained = accuracy(model, x, y).percent
    assert before < trained - 0.5, "a model that loses nothing shows nothing"
    assert after > before


@at_once
def test_sparse_and_clustered_kernels_stay_so() -> None:
    model, data = small_model("gru", steps=2), random_samples(64, steps=2)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    done = compress(
        model,
        data,
        np.arange(64) % 4,
        setting=KernelSetting(0.5, 4),
        calibration=data[:20],
        fine_tuning=FineTuning(epochs=2, batch_size=64),
    )
    assert [epoch.number for epoch in done.epochs] == [1, 2, 3]
    for kernel in done.kernels:
        assert kernel.zeros == round(0.5 * kernel.weights)
        assert kernel.values <= 4
