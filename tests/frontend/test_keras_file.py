"""Model files: every format that holds layers, none that runs code."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import numpy as np
import pytest
from conftest import random_samples, small_model

from unspool.errors import UnspoolError
from unspool.frontend.keras_file import load
from unspool.support._tensorflow import keras


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5"])
def test_a_saved_model_is_the_same_model(name: str, tmp_path: Path) -> None:
    model, data = small_model("lstm"), random_samples(4)
    model.save(tmp_path / name)
    np.testing.assert_array_equal(
        load(tmp_path / name).predict(data, verbose=0), model.predict(data, verbose=0)
    )


def _lambda_model() -> Any:
    x = keras.Input((6, 5))
    return keras.Model(x, keras.layers.GRU(3)(keras.layers.Lambda(lambda t: t * 2)(x)))


@pytest.mark.parametrize("name", ["code.keras", "code.h5"])
def test_code_in_a_file_is_never_run(name: str, tmp_path: Path) -> None:
    _lambda_model().save(tmp_path / name)
    with pytest.raises(UnspoolError, match=rf"{name}: the model asks to run Python code"):
        load(tmp_path / name)


def test_a_savedmodel_is_told_to_come_as_keras(tmp_path: Path) -> None:
    small_model().export(tmp_path / "saved", verbose=False)
    with pytest.raises(UnspoolError, match=r"saved: a SavedModel .* not its layers.*\.keras"):
        load(tmp_path / "saved")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.keras", None, "no such file"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), "Keras cannot load"),
        ("a.h5", b"PK\3\4", "a corrupt .keras file"),
        ("a.keras", b"PK\3\4" + bytes(64), "corrupt .keras file"),
        ("a.keras", b"", "not a Keras model file"),
        ("a.pb", b"\x08\x01", "not a Keras model file"),
    ],
)
def test_files_that_are_no_models_say_so(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnspoolError, match=message):
        load(tmp_path / name)


def test_a_model_keeps_its_loss_and_metrics(tmp_path: Path) -> None:
    model = small_model()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(tmp_path / "model.keras")
    assert load(tmp_path / "model.keras").loss == "sparse_categorical_crossentropy"


def test_a_model_whose_loss_keras_does_not_know_comes_without_it(tmp_path: Path) -> None:
    model = small_model()
    model.compile(loss=lambda y, p: keras.ops.mean(p))
    model.save(tmp_path / "model.keras")
    assert not load(tmp_path / "model.keras").compiled


def test_a_zip_file_of_something_else_is_told(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", b"")
    with pytest.raises(UnspoolError, match=r"model.pt: a zip file without a config.json"):
        load(tmp_path / "model.pt")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5", "checkpoint"])
def test_weights_and_layers_in_two_files(tmp_path: Path, name: str) -> None:
    model, data = small_model("lstm"), random_samples(4)
    weights, config = tmp_path / "model.weights.h5", tmp_path / "model.json"
    model.save_weights(weights)
    weights = weights.rename(tmp_path / name)
    config.write_text(model.to_json())
    with pytest.raises(UnspoolError, match="holds weights alone"):
        load(weights)
    np.testing.assert_array_equal(
        load(weights, config).predict(data, verbose=0), model.predict(data, verbose=0)
    )


class OwnRegularizer(keras.regularizers.Regularizer):  # type: ignore[misc]
    """What training wanted, and inference does not."""

    def __call__(self, weight: Any) -> Any:
        return keras.ops.sum(weight)

    def get_config(self) -> dict[str, Any]:
        return {}


class OwnConstraint(keras.constraints.Constraint):  # type: ignore[misc]
    """As xiph/rnnoise's WeightClip."""

    def __call__(self, weight: Any) -> Any:
        return keras.ops.clip(weight, -0.5, 0.5)

    def get_config(self) -> dict[str, Any]:
        return {}


def own_initializer(shape: Any, dtype: Any = None) -> Any:
    return keras.random.normal(shape)


class OwnLayer(keras.layers.Layer):  # type: ignore[misc]
    """It computes something."""

    def call(self, x: Any) -> Any:
        return 2 * x


def own_activation(x: Any) -> Any:
    return keras.ops.tanh(x) / 2


@pytest.mark.one_in(2)
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_what_was_for_training_alone_is_left_out(ending: str, tmp_path: Path) -> None:
    x = keras.Input((6, 5), name="x")
    gru = keras.layers.GRU(
        8,
        kernel_regularizer=OwnRegularizer(),
        recurrent_constraint=OwnConstraint(),
        kernel_initializer=own_initializer,
    )
    model = keras.Model(x, keras.layers.Dense(3, activity_regularizer=OwnRegularizer())(gru(x)))
    model.compile(loss="mse")
    model.save(tmp_path / f"model.{ending}")
    loaded, data = load(tmp_path / f"model.{ending}"), random_samples(4)
    np.testing.assert_array_equal(loaded.predict(data, verbose=0), model.predict(data, verbose=0))
    assert loaded.loss is not None


def test_what_computes_something_is_named(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 5)),
            keras.layers.GRU(8),
            OwnLayer(),
            keras.layers.Dense(3, activation=own_activation),
        ]
    )
    model.save(tmp_path / "model.keras")
    message = r"has the class 'OwnLayer', the function 'own_activation' of your own.*register_keras"
    with pytest.raises(UnspoolError, match=message):
        load(tmp_path / "model.keras")
    with keras.saving.custom_object_scope({"OwnLayer": OwnLayer, "own_activation": own_activation}):
        assert load(tmp_path / "model.keras").count_params() == model.count_params()


def saved_later(path: Path, **arguments: Any) -> None:
    """A model as a later Keras saves it, whose LSTM and initializers have other arguments, too."""
    small_model("lstm").save(path)
    if path.suffix == ".keras":
        with ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members["metadata.json"] = json.dumps({"keras_version": "3.99.0"}).encode()
        members["config.json"] = _with(members["config.json"], arguments)
        with ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with h5py.File(path, "a") as file:
            file.attrs["keras_version"] = "3.99.0"
            file.attrs["model_config"] = _with(file.attrs["model_config"], arguments)


def _with(config: Any, arguments: dict[str, Any]) -> bytes:
    described = json.loads(config)
    (lstm,) = (each for each in described["config"]["layers"] if each["class_name"] == "LSTM")
    lstm["config"].update(arguments)
    lstm["config"]["kernel_initializer"]["config"]["a_third_axis"] = None
    return json.dumps(described).encode()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_what_a_later_keras_has_and_did_not_use_is_left_out(ending: str, tmp_path: Path) -> None:
    path, data = tmp_path / f"model.{ending}", random_samples(4)
    saved_later(path, window=None, gated=False, gated_rate=0.5)
    expected = small_model("lstm").predict(data, verbose=0)
    np.testing.assert_array_equal(load(path).predict(data, verbose=0), expected)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_what_a_later_keras_has_and_used_is_told_with_both(ending: str, tmp_path: Path) -> None:
    saved_later(tmp_path / f"model.{ending}", window=2)
    message = (
        rf"^{tmp_path}/model.{ending}: Keras 3.99.0 saved this model, and Keras "
        rf"{keras.__version__}, which is installed, cannot load it: .*'window': 2.*; install the "
        r"later one \(3.13 and above need Python 3.11\), or save the model with the earlier$"
    )
    with pytest.raises(UnspoolError, match=message):
        load(tmp_path / f"model.{ending}")
