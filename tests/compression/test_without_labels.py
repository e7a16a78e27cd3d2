"""Without labels: a model learns to compute what the trained model does, whatever its outputs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from conftest import small_model

from unspool import FineTuning, KernelSetting, UnspoolError, compress
from unspool.compression.distillation import Teacher
from unspool.frontend.inference_form import for_inference
from unspool.stages import sequences
from unspool.support._tensorflow import keras, tf

LAYERS = keras.layers
STEPS, FEATURES = 14, 6
QUICK = FineTuning(epochs=2, batch_size=76)  # one batch of each 76 of 80 samples
HALF = KernelSetting(0.5, 8)
X = np.random.default_rng(0).normal(0, 1, (80, STEPS, FEATURES)).astype(np.float32)
at_once = pytest.mark.usefixtures("computing")


def _sequences() -> Any:
    """Classes of every step."""
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.GRU(8, return_sequences=True, kernel_regularizer=keras.regularizers.L2(0.1))(x)
    return keras.Model(x, LAYERS.Dense(3, activation="softmax")(h))


def _two_outputs() -> Any:
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.LSTM(8, return_sequences=True)(x)
    classes = LAYERS.Dense(3, activation="softmax", name="classes")(LAYERS.GRU(6)(h))
    return keras.Model(x, [classes, LAYERS.Dense(2, name="values")(h)])


def _two_inputs() -> Any:
    x, z = keras.Input((STEPS, FEATURES), name="x"), keras.Input((3,), name="z")
    h = LAYERS.Concatenate()([LAYERS.GRU(8)(x), z])
    return keras.Model({"x": x, "z": z}, {"y": LAYERS.Dense(1, name="y")(h)})


def _padded(steps: int = STEPS) -> Any:
    x = keras.Input((steps, FEATURES))
    h = LAYERS.GRU(8, return_sequences=True)(LAYERS.Masking()(x))
    return keras.Model(x, LAYERS.Dense(2)(h))


def _of_a_fixed_batch() -> Any:
    x = keras.Input(batch_shape=(16, STEPS, FEATURES))
    return keras.Model(x, LAYERS.Dense(2)(LAYERS.GRU(8, stateful=True)(x)))


PADDED = X * (np.arange(STEPS) < 4 + np.arange(80)[:, None] % 10)[..., None]
MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "classes": (lambda: small_model(steps=STEPS), X[..., :5]),
    "sequences, with a regularizer": (_sequences, X),
    "two outputs": (_two_outputs, X),
    "two inputs by name": (_two_inputs, {"x": X, "z": X[:, 0, :3]}),
    "padded sequences": (_padded, PADDED),
    "a fixed batch, with states": (_of_a_fixed_batch, X),
}


OFTEN = ("two inputs by name", "padded sequences")


def _distance_by_hand(right: Any, got: Any, mask: np.ndarray | None = None) -> float:
    """Kullback-Leibler where the outputs are probabilities, else mean squared; added."""
    total = 0.0
    for a, b in zip(keras.tree.flatten(right), keras.tree.flatten(got), strict=True):
        are_probabilities = a.shape[-1] > 1 and np.allclose(a.sum(-1), 1, atol=1e-5)
        far = (a * np.log(a / b)).sum(-1) if are_probabilities else ((a - b) ** 2).mean(-1)
        total += float((far if mask is None else far[mask]).mean())
    return total


@pytest.mark.one_in(2)
@at_once
@pytest.mark.parametrize("name", slow.unless(OFTEN, MODELS))
def test_the_loss_is_the_distance_from_the_trained_outputs(name: str) -> None:
    build, data = MODELS[name]
    keras.utils.set_random_seed(1)
    model = build()
    done = compress(model, data, setting=HALF, validation=data, fine_tuning=QUICK)
    assert not done.model.compiled, "as the trained model"
    assert {"loss", "val_loss"} == set(done.epochs[-1].metrics)
    for kernel in done.kernels:
        assert kernel.zeros in (0, round(0.5 * kernel.weights))
    right, got = (for_inference(m).predict(data, verbose=0) for m in (model, done.model))
    mask = (PADDED != 0).any(-1) if name == "padded sequences" else None
    expected = _distance_by_hand(right, got, mask)
    assert done.epochs[done.best - 1].metrics["val_loss"] == pytest.approx(expected, rel=1e-3)


def test_it_comes_nearer_to_the_trained_model() -> None:
    model = small_model(steps=STEPS, units=16)
    x = np.random.default_rng(1).normal(0, 1, (500, STEPS, 5)).astype(np.float32)
    far = []
    for rate in (1e-2, 1e-9):  # the second one only prunes
        options = FineTuning(epochs=8, batch_size=50, learning_rate=rate)
        done = compress(model, x[:400], setting=HALF, validation=x[400:], fine_tuning=options)
        complete = [epoch.metrics["val_loss"] for epoch in done.epochs if epoch.complete]
        far.append(done.epochs[done.best - 1].metrics["val_loss"])
        assert far[-1] == min(complete)
    assert far[0] < far[1] / 2


@at_once
def test_a_compiled_model_stays_so() -> None:
    model = small_model(steps=STEPS)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    done = compress(model, X[..., :5], setting=HALF, fine_tuning=QUICK)
    assert {"loss", "val_loss"} == set(done.epochs[-1].metrics), "a twentieth is held out"
    assert done.model.loss == "sparse_categorical_crossentropy"
    labels = np.zeros(80, int)
    assert done.model.evaluate(X[..., :5], labels, verbose=0, return_dict=True).keys() == {
        "loss",
        "accuracy",
    }


DATA = {"array": X, "tuple": (X,), "dictionary": {"x": X, "z": X[:, 0, :3]}}


def _samples(data: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(data).batch(40)


@at_once
@pytest.mark.parametrize("kind", slow.unless(["dictionary"], DATA))
def test_a_dataset_of_samples_alone(kind: str) -> None:
    data = DATA[kind]
    keras.utils.set_random_seed(1)
    model = _two_inputs() if isinstance(data, dict) else _sequences()
    dataset = _samples(data)
    done = compress(model, dataset, setting=HALF, validation=dataset, fine_tuning=QUICK)
    assert {"loss", "val_loss"} == set(done.epochs[-1].metrics)


def test_padded_steps_are_not_compared() -> None:
    model = _padded()
    right = model.predict(PADDED, verbose=0)
    valid = (PADDED != 0).any(-1)
    assert 0 < valid.mean() < 1
    wrong = np.where(valid[..., None], right + 0.5, right + 100)
    assert float(Teacher(model, 1.0)(PADDED, wrong)) == pytest.approx(0.25, rel=1e-4)


FEW = 3
"""Steps of what is trained for int8, whose graph is traced step by step."""


def _padded_ids(steps: int) -> Any:
    ids = keras.Input((steps,), dtype="int32")
    h = LAYERS.GRU(6, return_sequences=True)(LAYERS.Embedding(20, 4, mask_zero=True)(ids))
    return keras.Model(ids, LAYERS.Dense(3, activation="softmax")(h))


VALID = np.arange(FEW) < 1 + np.arange(40)[:, None] % 4
IDS = np.random.default_rng(0).integers(1, 20, (40, FEW)) * VALID
FOR_INT8: dict[str, tuple[Callable[[int], Any], Any, dict[str, Any]]] = {
    "padded": (_padded, X[:40, :FEW] * VALID[..., None], {}),
    "padded ids": (_padded_ids, IDS, {}),
    "never padded": (_padded, X[:40, :FEW], {"way": sequences(full_length=True)}),
}


@pytest.mark.parametrize(
    ("name", "labelled"),
    [
        ("padded", True),
        pytest.param("padded ids", False, marks=pytest.mark.slow),
        pytest.param("never padded", False, marks=pytest.mark.slow),
    ],
)
def test_the_errors_of_int8_are_measured_where_nothing_is_padded(name: str, labelled: bool) -> None:
    build, data, options = FOR_INT8[name]
    keras.utils.set_random_seed(1)
    model = build(FEW)
    labels = None
    if labelled:
        model.compile(loss="mse")
        labels = model.predict(data, verbose=0)
        labels[~VALID] = 100  # of no step of a sequence
    done = compress(
        model,
        data,
        labels,
        setting=KernelSetting(0.0, None),
        calibration=data[:10],
        validation=(data, labels) if labelled else data,
        fine_tuning=FineTuning(epochs=2, batch_size=20),
        **options,
    )
    assert [epoch.number for epoch in done.epochs] == [1]
    # Softmax and values of about 1: int8 errs by a few hundredths.
    assert 0 < done.epochs[0].metrics["val_loss"] < 0.01


UNLABELLED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to learn": (
        {"fine_tuning": FineTuning(epochs=2, distillation=0)},
        "distillation 0 without labels leaves nothing to learn: give labels",
    ),
    "labels in the validation alone": (
        {"validation": (X[..., :5], np.zeros(80))},
        "validation data: has 2 arrays, but the model has 1 input",
    ),
    "a validation dataset with labels": (
        {"validation": _samples((X[..., :5], np.zeros(80)))},
        "the validation dataset: expected batches of samples alone",
    ),
    "NaN in a dataset": (
        {"data": _samples(X[..., :5] * np.nan)},
        "the samples do not fit the model: samples or labels hold NaN",
    ),
    "a dataset of other samples": (
        {"data": _samples(X)},
        r"the samples do not fit the model: .*shape=\(None, 14, 5\)",
    ),
    "validation of another length": (
        {"validation": X[:, :7, :5]},
        r"validation data: .* shape \(80, 7, 5\), expected \(samples, 14, 5\)",
    ),
}


@at_once
@pytest.mark.parametrize("name", UNLABELLED)
def test_a_mistake_is_said_in_one_line(name: str) -> None:
    given, message = UNLABELLED[name]
    arguments: dict[str, Any] = {"data": X[..., :5], "fine_tuning": QUICK, **given}
    with pytest.raises(UnspoolError, match=message) as raised:
        compress(small_model(steps=STEPS), setting=HALF, **arguments)
    assert "\n" not in str(raised.value)
