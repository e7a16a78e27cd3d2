"""Layers that only scale an input are done while it is quantized; raw models get feature scales."""

from collections.abc import Callable
from ctypes import CDLL
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow
from conftest import worst_mean
from hypothesis import given, settings
from hypothesis import strategies as st
from in_c import address, build

from unspool import Options, Session, deploy, deploy_stream, inspect, load, unroll
from unspool.errors import UnspoolError
from unspool.firmware import bundle
from unspool.remedies import trying
from unspool.runtime.evaluation import predict
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.feature_scales import with_feature_scales

L = keras.layers
QUICK = Options(remedy_seconds=0)
STEPS = 9
UNITS: tuple[np.ndarray, np.ndarray] = (
    np.array([1.0, 100.0, 5.0, 0.01]),
    np.array([0.0, 3.0, 1013.25, 0.0]),
)
"""Acceleration beside rotation, air pressure and strain: factors, and what they lie around."""


def samples(count: int = 24, steps: int = STEPS) -> np.ndarray:
    rng = np.random.default_rng(0)
    values: np.ndarray = rng.normal(size=(count, steps, 4)) * UNITS[0] + UNITS[1]
    return values.astype(np.float32)


def normalization(**kwargs: Any) -> Any:
    layer = L.Normalization(**kwargs)
    layer.adapt(samples())
    return layer


def batch_normalization() -> Any:
    layer, x = L.BatchNormalization(), samples()
    layer.build((None, None, 4))
    gamma, beta = [1.0, 2.0, 3.0, 0.5], [0.0, 1.0, 0.5, 2.0]
    layer.set_weights(np.array([gamma, beta, x.mean(axis=(0, 1)), x.var(axis=(0, 1))]))
    return layer


LEADING: dict[str, Callable[[], list[Any]]] = {
    "Normalization": lambda: [normalization()],
    "Normalization of all features alike": lambda: [normalization(axis=None)],
    "Rescaling": lambda: [L.Rescaling(1 / 255)],
    "Rescaling with an offset": lambda: [L.Rescaling(2 / 255, offset=-1)],
    "BatchNormalization": lambda: [batch_normalization()],
    "one after the other": lambda: [L.Rescaling(3.0, 1.0), L.Dropout(0.1), normalization()],
}

OFTEN = ("Normalization", "BatchNormalization", "one after the other")


def model_of(layers: list[Any], dtype: str = "float32") -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.Input((STEPS, 4), name="x", dtype=dtype), *layers]
    return keras.Sequential([*layers, L.GRU(6, name="gru"), L.Dense(2)])


@pytest.mark.parametrize("name", slow.unless(OFTEN, LEADING))
def test_the_network_begins_behind_the_layers_that_scale(name: str) -> None:
    layers = LEADING[name]
    model, x = model_of(layers()), samples()
    tflite = convert(unroll(model))
    (scaling,) = Session(tflite).scalings
    before = keras.Model(model.inputs, model.get_layer("gru").input)
    expected = np.asarray(before.predict(x, verbose=0))
    assert scaling.apply(x) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert Session(tflite).predict(x)[0] == pytest.approx(predict(model, x)[0], abs=1e-4)
    kinds = [kind for kind, _ in flatbuffer.operators(flatbuffer.read(tflite))]
    assert kinds[0] == "FULLY_CONNECTED" or kinds[1] == "FULLY_CONNECTED", kinds


def test_small_features_keep_their_levels_behind_a_normalization() -> None:
    done = deploy(model_of([normalization()]), samples(), options=QUICK)
    assert done.warnings == ()
    assert done.simulation.equal == done.simulation.samples == 24
    assert worst_mean(done.measured.quality) < 2
    (verdict,) = (v for v in inspect(done.trained) if v.kind == "Normalization")
    assert verdict.action == "input"
    assert "'x'" in verdict.detail


def reloaded(model: Any, folder: Path) -> Any:
    """As the command reads it; a Sequential from a file has built its graph twice."""
    model.save(folder / "model.keras")
    return load(folder / "model.keras")


def test_a_model_from_a_file_begins_there_too(tmp_path: Path) -> None:
    model = reloaded(model_of([normalization()]), tmp_path)
    assert [s.input for s in Session(convert(unroll(model))).scalings] == ["x"]
    raw_units = reloaded(model_of([]), tmp_path)
    assert with_feature_scales(raw_units, samples()) is not raw_units


@pytest.mark.parametrize(
    "dtype", slow.unless(["uint8", "float64"], ["uint8", "int16", "int32", "float64"])
)
def test_inputs_of_any_type_take_real_values(dtype: str) -> None:
    high = 255 if dtype == "uint8" else 32_767
    x = np.random.default_rng(1).integers(0, high, (24, STEPS, 4)).astype(dtype)
    done = deploy(model_of([L.Rescaling(1 / high)], dtype=dtype), x, options=QUICK)
    assert Session(done.quantized_tflite).inputs[0].dtype == np.int8
    assert done.simulation.equal == 24
    assert worst_mean(done.measured.quality) < 2


def beside(x: Any) -> Any:
    """The normalized sequence, and the raw one beside it."""
    return L.Concatenate()([normalization()(x), x])


KEPT = {
    "something else reads the input": beside,
    "along time": lambda x: L.Rescaling(np.linspace(0.1, 1, STEPS)[:, None])(x),
    "a factor of 0": lambda x: L.Rescaling([1.0, 0.0, 1.0, 1.0])(x),
    "called twice": lambda x: (lambda layer: layer(layer(x)))(L.Rescaling(0.5)),
}


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("head", KEPT.values(), ids=KEPT)
def test_what_does_more_than_scale_features_stays_in_the_network(
    head: Callable[[Any], Any],
) -> None:
    x = keras.Input((STEPS, 4))
    model = keras.Model(x, L.GRU(6)(head(x)))
    tflite = convert(unroll(model))
    assert Session(tflite).scalings == ()
    given = np.random.default_rng(0).normal(size=(8, STEPS, 4)).astype(np.float32)
    assert Session(tflite).predict(given)[0] == pytest.approx(predict(model, given)[0], abs=1e-5)


def test_a_stream_takes_real_units_too() -> None:
    x = samples(steps=8)
    x_in = keras.Input((8, 4), name="x")
    model = keras.Model(x_in, L.Dense(2)(L.GRU(6)(normalization()(x_in))))
    done = deploy_stream(model, x, time_steps=4, options=QUICK)
    assert done.simulation.equal == 24
    assert Session(done.float_tflite).predict(x)[0] == pytest.approx(predict(model, x)[0], abs=2e-5)


def test_samples_outside_are_told_in_the_users_units() -> None:
    done = deploy(model_of([normalization()]), samples(), options=QUICK)
    x = samples()
    x[3, 5, 2] = 900  # hPa
    (outside,) = Session(done.quantized_tflite, "tflm").outside([x])
    assert (outside.samples, outside.of, outside.farthest) == (1, 24, 900)
    low, high = samples()[..., 2].min(), samples()[..., 2].max()
    assert 990 < outside.minimum <= low < high <= outside.maximum < 1_040


@pytest.mark.filterwarnings("ignore:calibration data")
@settings(max_examples=40)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=4 * STEPS, max_size=4 * STEPS))
def test_the_bundle_scales_as_python_does(
    firmware: tuple[CDLL, Session], values: list[float]
) -> None:
    library, session = firmware
    given = np.array(values, np.float32).reshape(STEPS, 4)
    (expected,) = session.quantized([given[None]])
    stored = np.empty((STEPS, 4), np.int8)
    library.net_quantize_x(address(given), address(stored))
    assert (stored == expected[0]).all()


@pytest.fixture(scope="module", params=["Normalization", "Rescaling with an offset"])
def firmware(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CDLL, Session]:
    done = deploy(model_of(LEADING[request.param]()), samples(), options=QUICK)
    made = bundle(done.quantized_tflite, done.compiled, "net")
    library = build(made, tmp_path_factory.mktemp("net"))
    return library, Session(done.quantized_tflite, "tflm")


READERS = {
    "GRU": lambda: L.GRU(6),
    "GRU without reset_after and biases": lambda: L.GRU(6, reset_after=False, use_bias=False),
    "LSTM": lambda: L.LSTM(6),
    "SimpleRNN without biases": lambda: L.SimpleRNN(6, use_bias=False),
    "Bidirectional": lambda: L.Bidirectional(L.LSTM(5), merge_mode="sum"),
    "Bidirectional without biases": lambda: L.Bidirectional(L.GRU(5, use_bias=False)),
    "Dense": lambda: L.Dense(5),
    "Conv1D": lambda: L.Conv1D(5, 3),
}


def raw(reader: Any) -> Any:
    """A model on raw units: what a model behind a Normalization computes, without that layer."""
    keras.utils.set_random_seed(2)
    x = keras.Input((STEPS, 4), name="x")
    y = reader(x)
    if len(y.shape) > 2:
        y = L.GRU(4)(y)
    model = keras.Model(x, L.Dense(2)(y))
    kernels = [w for w in reader.weights if w.path.endswith("/kernel")]
    for kernel in kernels:
        kernel.assign(np.asarray(kernel) / UNITS[0][:, None])
    return model


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_feature_scales_change_the_units_and_nothing_else(reader: Callable[[], Any]) -> None:
    model = raw(reader())
    x = samples() - UNITS[1].astype(np.float32)
    scaled = with_feature_scales(model, [x])
    assert predict(scaled, x)[0] == pytest.approx(predict(model, x)[0], abs=1e-5)
    assert [t.name for t in scaled.inputs] == ["x"]


def test_feature_scales_bring_back_what_raw_units_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acceleration beside air pressure: all levels are the pressure's."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    t = np.arange(12)
    waves = np.sin(t * (0.2 + 0.2 * y[:, None])) + 0.1 * rng.normal(size=(400, 12))
    pressure = 101_325 + 20 * rng.normal(size=(400, 12))
    x = np.stack([waves, pressure], -1).astype(np.float32)
    mean, deviation = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12, 2)), L.LSTM(12), L.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit((x - mean) / deviation, y, epochs=12, batch_size=16, verbose=0)
    kernel, recurrent, bias = model.layers[0].get_weights()
    raw_units = [kernel / deviation[:, None], recurrent, bias - (mean / deviation) @ kernel]
    model.layers[0].set_weights(raw_units)
    options = {False: Options(), True: Options(feature_scales=True)}
    tries = trying._tries
    monkeypatch.setattr(trying, "_tries", lambda *given: tries(*given)[:1])
    with pytest.warns(UserWarning, match=r"fewer than 16 of its 256 levels.*`feature_scales`"):
        lost = deploy(model, x[:100], test=(x, y), options=options[False])
    deployment = deploy(model, x[:100], test=(x, y), options=options[True])
    keras_accuracy, *others = (a.percent for a in deployment.accuracies)
    assert keras_accuracy > 95
    assert min(others) > keras_accuracy - 1
    assert lost.accuracies[-1].percent < keras_accuracy - 20
    remedy = lost.remedies[0]
    assert remedy.choice == ("feature_scales", "")
    assert worst_mean(remedy.quality) < 2 < worst_mean(lost.measured.quality)


def test_an_initial_state_keeps_its_units() -> None:
    keras.utils.set_random_seed(2)
    x, state = keras.Input((STEPS, 4), name="x"), keras.Input((6,), name="state")
    model = keras.Model([x, state], L.Dense(2)(L.GRU(6)(x, initial_state=state)))
    data = [samples(), np.random.default_rng(3).normal(size=(24, 6)).astype(np.float32)]
    scaled = with_feature_scales(model, data)
    assert [layer.name for layer in scaled.layers if isinstance(layer, L.Rescaling)]
    assert predict(scaled, data)[0] == pytest.approx(predict(model, data)[0], abs=1e-4)
    done = deploy(model, data, options=Options(feature_scales=True, remedy_seconds=0))
    assert [scaling.input for scaling in Session(done.quantized_tflite).scalings] == ["x"]


REFUSED = {
    "groups": lambda x: L.GRU(4)(L.Conv1D(4, 3, groups=2)(x)),
    "two readers": lambda x: L.Concatenate()([L.GRU(4)(x), L.LSTM(4)(x)]),
    "padding": lambda x: L.GRU(4)(L.Conv1D(4, 3, padding="same")(x)),
    "pooling": lambda x: L.GRU(4)(L.MaxPooling1D(2)(x)),
}


@pytest.mark.parametrize("network", REFUSED.values(), ids=REFUSED)
def test_feature_scales_are_refused_where_no_kernel_takes_them(
    network: Callable[[Any], Any],
) -> None:
    x = keras.Input((STEPS, 4), name="x")
    model = keras.Model(x, network(x))
    with pytest.raises(UnspoolError, match=r"input 'x' is read by .*put a Normalization layer"):
        deploy(model, samples(), options=Options(feature_scales=True))
