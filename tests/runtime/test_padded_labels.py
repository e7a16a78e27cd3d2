"""Labels of padded steps do not count, as they do not in Keras's own `evaluate`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow
from commands import unspool as command

import unspool
from unspool import Options, UnspoolError
from unspool.frontend.output_masks import output_masks
from unspool.runtime.labels import check_test
from unspool.runtime.scores import Accuracy, Regression
from unspool.support._tensorflow import keras

L = keras.layers
T, N = 6, 48
QUICK = Options(remedy_seconds=0)


def samples(value: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (N, T, 3) that end early, and which of their steps are valid."""
    rng = np.random.default_rng(0)
    valid = np.arange(T) < rng.integers(1, T + 1, (N, 1))
    x = rng.normal(0, 1, (N, T, 3)).astype(np.float32)
    return np.where(valid[..., None], x, value).astype(np.float32), valid


def tagger(head: str | None = "softmax") -> Any:
    keras.utils.set_random_seed(1)
    gru = L.GRU(8, return_sequences=True)
    layers = keras.Input((T, 3), name="x"), L.Masking(-1.0), gru, L.Dense(4, activation=head)
    return keras.Sequential(layers)


def nested() -> Any:
    x = keras.Input((T, 3), name="x")
    return keras.Model(x, tagger()(x))


def given() -> Any:
    x, mask = keras.Input((T, 3), name="x"), keras.Input((T,), name="valid", dtype="bool")
    h = L.GRU(8, return_sequences=True)(x, mask=mask)
    return keras.Model([x, mask], L.Dense(4, activation="softmax")(h))


def forgetting() -> Any:
    """A Conv1D, to which Keras gives no mask, and which gives none on."""
    x = keras.Input((T, 3), name="x")
    h = L.GRU(8, return_sequences=True)(L.Masking(-1.0)(x))
    return keras.Model(x, L.Conv1D(4, 1, activation="softmax")(h))


def joined() -> Any:
    """Valid where one of two inputs is."""
    x, z = keras.Input((T, 3), name="x"), keras.Input((T, 3), name="z")
    both = L.Concatenate()([L.Masking(-1.0)(x), L.Masking(0.0)(z)])
    return keras.Model([x, z], L.Dense(4, "softmax")(L.GRU(8, return_sequences=True)(both)))


def fed(model: Any) -> list[np.ndarray]:
    x, valid = samples()
    second = {"valid": valid, "z": np.roll(samples(0.0)[0], 1, axis=0)}
    return [x, *(second[tensor.name] for tensor in model.inputs[1:])]


MODELS: dict[str, Callable[[], Any]] = {
    "tagger": tagger,
    "nested": nested,
    "given": given,
    "forgetting": forgetting,
    "joined": joined,
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", slow.unless(["tagger", "given", "joined"], MODELS))
def test_accuracy_is_what_keras_evaluates(name: str) -> None:
    model = MODELS[name]()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    data, labels = fed(model), np.random.default_rng(1).integers(0, 4, (N, T))
    taken = data[0] if len(data) == 1 else data
    _, wanted = model.evaluate(taken, labels, batch_size=N, verbose=0)
    (mask,) = output_masks(model, data)
    assert (mask is None) == (name == "forgetting")
    for subject in (model, unspool.convert(unspool.unroll(model))):
        accuracy = unspool.evaluate(subject, data, labels)
        assert isinstance(accuracy, Accuracy)
        assert accuracy.percent == pytest.approx(100 * wanted, abs=1e-4)
        assert accuracy.samples + accuracy.padded == N * T
        assert accuracy.padded == (0 if mask is None else int((~mask).sum()))


def test_errors_of_values_are_what_keras_evaluates() -> None:
    model = tagger(None)
    model.compile(loss="mse", metrics=["mae"])
    x, valid = samples()
    targets = np.random.default_rng(1).normal(0, 1, (N, T, 4)).astype(np.float32)
    squared, absolute = model.evaluate(x, targets, batch_size=N, verbose=0)
    for subject in (model, unspool.convert(unspool.unroll(model))):
        regression = unspool.evaluate(subject, x, targets)
        assert isinstance(regression, Regression)
        assert regression.rmse == pytest.approx(np.sqrt(squared), rel=1e-5)
        assert regression.mae == pytest.approx(absolute, rel=1e-5)
        assert (regression.samples, regression.padded) == (N, int((~valid).sum()))


@pytest.mark.parametrize("filled", [-1, pytest.param(99, marks=pytest.mark.slow)])
def test_labels_of_padded_steps_may_be_anything(filled: int) -> None:
    model, (x, valid) = tagger(), samples()
    labels = np.random.default_rng(1).integers(0, 4, (N, T))
    wanted = unspool.evaluate(model, x, labels)
    assert unspool.evaluate(model, x, np.where(valid, labels, filled)) == wanted
    rows = np.where(valid[..., None], np.eye(4)[labels], 0)  # one-hot, and no class
    assert unspool.evaluate(model, x, rows) == wanted


def test_nothing_but_padding_is_an_error_before_any_work() -> None:
    data, labels = np.full((3, T, 3), -1, np.float32), np.zeros((3, T), int)
    with pytest.raises(UnspoolError, match="test data: all 18 time steps are padded"):
        check_test(tagger(), (data, labels))


def test_the_report_says_how_many_steps_are_left_out(tmp_path: Path) -> None:
    model, (x, valid) = tagger(), samples()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    labels = np.random.default_rng(1).integers(0, 4, (N, T))
    _, wanted = model.evaluate(x, labels, batch_size=N, verbose=0)
    done = unspool.deploy(model, x, test=(x, labels), options=QUICK)
    keras_, *_, npu = done.measured.accuracies
    assert keras_.percent == pytest.approx(100 * wanted, abs=1e-4)
    padded = int((~valid).sum())
    assert {score.padded for score in done.measured.accuracies} == {padded}
    (tmp_path / "net.tflite").write_bytes(done.compiled.tflite)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", labels)
    paths = ("--data", tmp_path / "x.npy", "--labels", tmp_path / "y.npy")
    result = command("simulate", tmp_path / "net.tflite", *paths)
    assert result.returncode == 0
    counted = f"{npu.correct:,} of {npu.samples:,} time steps of the samples, {padded} padded time"
    assert f"{counted} steps left out" in result.stdout


def test_every_step_of_a_stream() -> None:
    """Its labels are of the whole sequence, whatever the chunk; padded steps do not count."""
    x, valid = samples()
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((None, 3), name="x"),
            L.Masking(-1.0),
            L.GRU(8, return_sequences=True),
            L.Dense(4, activation="softmax"),
        ]
    )
    labels = np.random.default_rng(1).integers(0, 4, valid.shape)
    done = unspool.deploy_stream(model, x, test=(x, labels), time_steps=2, options=QUICK)
    right = model.predict(x, verbose=0).argmax(-1) == labels
    trained, *others = done.measured.accuracies
    assert trained.percent == pytest.approx(100 * right[valid].mean())
    assert {each.samples for each in done.measured.accuracies} == {valid.sum()}
    assert [each.runtime for each in others] == ["litert", "tflm", "npu"]
