"""The deploy model is the trained model, without loops: expected values come from Keras."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from conftest import CLASSES, FEATURES, STEPS, random_samples, small_model

from unspool import Options, UnspoolError, deploy
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

pytestmark = pytest.mark.usefixtures("computing")

CASES: dict[str, dict[str, Any]] = {
    "gru": {"cell": "gru"},
    "gru, reset before": {"cell": "gru", "reset_after": False},
    "gru, no bias": {"cell": "gru", "use_bias": False},
    "gru, reset before, no bias": {"cell": "gru", "reset_after": False, "use_bias": False},
    "gru, relu": {"cell": "gru", "activation": "relu"},
    "gru, backwards": {"cell": "gru", "go_backwards": True},
    "lstm": {"cell": "lstm"},
    "lstm, no bias": {"cell": "lstm", "use_bias": False},
    "lstm, relu": {"cell": "lstm", "activation": "relu"},
    "lstm, backwards": {"cell": "lstm", "go_backwards": True},
    "simple": {"cell": "simple"},
    "simple, relu": {"cell": "simple", "activation": "relu"},
    "simple, no bias": {"cell": "simple", "use_bias": False},
    "one step": {"cell": "gru", "steps": 1},
    "two steps": {"cell": "lstm", "steps": 2},
    "one unit": {"cell": "gru", "units": 1},
}


OFTEN = (
    "gru",
    "gru, reset before, no bias",
    "lstm, relu",
    "simple, no bias",
    "one step",
    "one unit",
)


@pytest.mark.parametrize("case", slow.unless(OFTEN, CASES))
def test_deploy_model_equals_trained_model(case: str) -> None:
    model = small_model(**CASES[case])
    data = random_samples(20, CASES[case].get("steps", STEPS))
    deploy_model = unroll(model)
    outputs = np.concatenate([np.array(deploy_model(data[i : i + 1])) for i in range(20)])
    np.testing.assert_allclose(outputs, model.predict(data, verbose=0), rtol=0, atol=1e-5)
    converted = Session(convert(deploy_model)).predict(data)[0]
    np.testing.assert_allclose(converted, model.predict(data, verbose=0), rtol=0, atol=1e-5)


def test_sequential_models_work() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((STEPS, FEATURES)), keras.layers.LSTM(3), keras.layers.Dense(2)]
    )
    data = random_samples(3)
    outputs = np.concatenate([np.array(unroll(model)(data[i : i + 1])) for i in range(3)])
    np.testing.assert_allclose(outputs, model.predict(data, verbose=0), rtol=0, atol=1e-5)


BEHIND = {
    "LayerNormalization": keras.layers.LayerNormalization(),
    "ELU": keras.layers.ELU(),
    "GlobalMaxPooling1D": keras.layers.GlobalMaxPooling1D(),
    "UpSampling1D": keras.layers.UpSampling1D(2),
    "Attention": lambda h: keras.layers.Attention()([h, h]),
    "MultiHeadAttention": lambda h: keras.layers.MultiHeadAttention(2, 4)(h, h),
}


@pytest.mark.parametrize("layer", BEHIND)
def test_a_layer_behind_a_product_with_a_number(layer: str) -> None:
    """Keras takes such a product for a sparse tensor."""
    x = keras.Input((STEPS, FEATURES))
    h = keras.layers.GRU(4, return_sequences=True)(x)
    model = keras.Model(x, keras.layers.Add()([BEHIND[layer](2.0 * h), BEHIND[layer](h * 0.5)]))
    data = random_samples(3)
    outputs = np.concatenate([np.array(unroll(model)(data[i : i + 1])) for i in range(3)])
    np.testing.assert_allclose(outputs, model.predict(data, verbose=0), rtol=0, atol=1e-5)


def test_batch_size_is_one_and_names_stay() -> None:
    deploy_model = unroll(small_model())
    assert [(t.name, tuple(t.shape)) for t in deploy_model.inputs] == [("x", (1, STEPS, FEATURES))]
    assert tuple(deploy_model.outputs[0].shape) == (1, CLASSES)


def test_the_trained_model_is_left_as_it_was() -> None:
    model = small_model()
    before = [w.copy() for w in model.get_weights()]
    config = model.get_config()
    unroll(model)
    assert model.get_config() == config
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_open_length_takes_time_steps() -> None:
    model = small_model(steps=None)
    data = random_samples(4, steps=9)
    outputs = np.array(unroll(model, time_steps=9)(data[:1]))
    np.testing.assert_allclose(outputs, model.predict(data[:1], verbose=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "per_step", "hoisted"), [("gru", 1, 2), ("lstm", 1, 2), ("simple", 1, 1)]
)
def test_only_the_recurrent_product_is_repeated(cell: str, per_step: int, hoisted: int) -> None:
    """Input projections run once for all steps, and the first step has no recurrent product."""
    kinds = [
        kind
        for kind, _ in flatbuffer.operators(flatbuffer.read(convert(unroll(small_model(cell)))))
    ]
    dense = 1
    assert kinds.count("FULLY_CONNECTED") == hoisted + per_step * (STEPS - 1) + dense
    assert not {"WHILE", "IF", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE"} & set(kinds)


@pytest.mark.parametrize("cell", ["gru", "lstm", "simple"])
def test_recurrent_weights_are_stored_once(cell: str) -> None:
    """File size must not grow with the steps by more than the operators' own records."""
    sizes = {
        steps: len(convert(unroll(small_model(cell, units=64, steps=steps)))) for steps in (10, 20)
    }
    recurrent_kernel = 64 * 64 * 4  # bytes of the smallest one, SimpleRNN's
    assert sizes[20] - sizes[10] < 10 * recurrent_kernel / 2


def _pictures() -> Any:
    """A keyword spotter of separable convolutions, no recurrence."""
    x = keras.Input((49, 10, 1))
    h = keras.layers.Conv2D(8, 4, strides=2, padding="same", activation="relu")(x)
    h = keras.layers.Conv2D(8, 1, activation="relu")(
        keras.layers.DepthwiseConv2D(3, padding="same")(h)
    )
    return keras.Model(
        x, keras.layers.Dense(4, activation="softmax")(keras.layers.GlobalAveragePooling2D()(h))
    )


def test_a_network_without_recurrence_goes_the_same_way() -> None:
    data = np.random.default_rng(0).normal(0, 1, (24, 49, 10, 1)).astype(np.float32)
    done = deploy(_pictures(), data, options=Options(remedy_seconds=0))
    assert done.compiled.cpu_operators == ()
    assert done.simulation.equal == done.simulation.samples == 24


class _Subclassed(keras.Model):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("make", "time_steps", "message"),
    [
        (lambda: "model.keras", None, "expected a Keras model, got str"),
        (_Subclassed, None, "subclass of keras.Model"),
        (lambda: small_model(steps=None), None, "'x' has the open shape .*`time_steps`"),
        (small_model, 9, "'x' has 6 time steps fixed in the model, got time_steps=9"),
        (
            lambda: small_model("gru", activation="softmax"),
            None,
            r"layer 'gru' \(GRU\): activation is 'softmax'.* use one of celu, elu, exponential",
        ),
        (
            lambda: small_model("lstm", recurrent_activation="sparsemax"),
            None,
            r"layer 'lstm' \(LSTM\): recurrent_activation is 'sparsemax'",
        ),
    ],
)
def test_what_cannot_be_unrolled_says_so(
    make: Callable[[], Any], time_steps: int | None, message: str
) -> None:
    with pytest.raises(UnspoolError, match=message):
        unroll(make(), time_steps)


def test_an_activation_of_a_shared_layer_meets_no_name_of_the_users() -> None:
    """Its stand-in was a layer `<name>_activation`, made once for each call."""
    layers = keras.layers
    a, b = keras.Input((8, 3), name="a"), keras.Input((8, 3), name="b")
    hidden, gru = layers.Dense(6, activation="selu", name="hidden"), layers.GRU(8)
    y = layers.Concatenate()([gru(hidden(a)), gru(hidden(b))])
    model = keras.Model([a, b], layers.Activation("relu6", name="hidden_activation")(y))
    data = [np.random.default_rng(n).normal(size=(5, 8, 3)) for n in range(2)]
    outputs = Session(convert(unroll(model))).predict(data)[0]
    np.testing.assert_allclose(outputs, model.predict(data, verbose=0), atol=1e-5)


def test_a_function_of_the_users_graph_stays_out_of_the_deploy_graph() -> None:
    x = keras.Input((40, 3))
    rows = keras.ops.max(keras.layers.GRU(6)(x), axis=1)  # no sequence
    model = keras.Model(x, keras.layers.Reshape((1,))(rows))
    (operation,) = (op for op in model.operations if type(op).__name__ == "Max")
    unroll(model)
    assert len(operation._inbound_nodes) == 1
