"""Makes keras2.tar.xz: model files of Keras 2, and what Keras 2 makes of some data.

    pip install --no-deps tf-keras   # beside the project's dependencies
    python tests/frontend/keras2/make.py

For each model NAME.h5 and NAME.keras, both as Keras 2.21 writes them, NAME.npz with inputs
("in_<name>") and outputs ("out_<name>"), and variants of the HDF5 file as older versions wrote it.
"""

import io
import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras.src.saving.legacy import hdf5_format

L = keras.layers
STEPS, FEATURES = 7, 5


def sequential(*layers: Any, shape: tuple[int, ...] = (STEPS, FEATURES), batch: Any = None) -> Any:
    return keras.Sequential([keras.Input(shape, batch_size=batch), *layers])


def functional() -> Any:
    x = keras.Input((STEPS, FEATURES), name="x")
    y = L.Bidirectional(L.LSTM(6, return_sequences=True), name="both")(x)
    y, z = L.Dense(6)(L.GRU(6)(y)), L.GRU(6, recurrent_activation="hard_sigmoid")(x)
    a, b = L.Dense(2, name="a")(L.Add()([y, z])), L.Dense(1, name="b")(L.Concatenate()([y, z]))
    return keras.Model(x, {"a": a, "b": b})


def nested() -> Any:
    inner = sequential(L.Conv1D(4, 3, padding="causal"), L.LeakyReLU(alpha=0.2))
    x = keras.Input((STEPS, FEATURES))
    return keras.Model(x, L.Dense(2)(L.LSTM(6)(inner(x))))


def arithmetic() -> Any:
    x = keras.Input((STEPS, FEATURES))
    y = L.GRU(6, return_sequences=True)(2.0 * x[:, ::2] - 1.0)
    y = tf.concat([tf.reduce_mean(y, axis=1), tf.maximum(y[:, -1], 0.1)], axis=-1)
    return keras.Model(x, L.Dense(2)(tf.nn.relu(y) + 0.5))


def encoder_decoder() -> Any:
    past, future = keras.Input((STEPS, FEATURES), name="past"), keras.Input((4, 2), name="future")
    _, h, c = L.LSTM(6, return_state=True)(past)
    y = L.LSTM(6, return_sequences=True)(future, initial_state=[h, c])
    return keras.Model([past, future], L.TimeDistributed(L.Dense(2))(y))


def shared() -> Any:
    left, right = (keras.Input((STEPS, FEATURES), name=name) for name in ("left", "right"))
    gru = L.GRU(6)
    y = L.Dense(2)(L.Concatenate()([gru(left), gru(right)]))
    return keras.Model({"left": left, "right": right}, y)


def attention() -> Any:
    x = keras.Input((STEPS, FEATURES))
    y = L.GRU(6, return_sequences=True)(x)
    weights = L.Softmax(axis=1)(L.Dense(1)(y))
    return keras.Model(x, L.Dense(2)(L.Flatten()(L.Dot(axes=1)([weights, y]))))


MODELS = {
    "gru": lambda: sequential(L.GRU(6), L.Dense(3, "softmax")),
    "gru_reset_before": lambda: sequential(L.GRU(6, reset_after=False), L.Dense(3)),
    "lstm_stack": lambda: sequential(
        *(L.LSTM(6, return_sequences=True), L.Dropout(0.1), L.LSTM(5)),
        *(L.BatchNormalization(), L.Dense(2)),
    ),
    "simple_rnn": lambda: sequential(L.SimpleRNN(6, activation="relu"), L.Dense(2)),
    "hard_sigmoid": lambda: sequential(
        *(L.Dense(5, "hard_sigmoid"), L.LSTM(6, recurrent_activation="hard_sigmoid")),
        *(L.Dense(2), L.Activation("hard_sigmoid")),
    ),
    "cells": lambda: sequential(L.RNN([L.GRUCell(4), L.LSTMCell(3)]), L.Dense(2)),
    "time_distributed": lambda: sequential(
        L.TimeDistributed(L.Dense(4)), L.LayerNormalization(), L.GRU(5), L.Dense(2)
    ),
    "normalization": lambda: sequential(
        L.Normalization(mean=[1.0, 2, 3, 4, 5], variance=[1.0, 2, 3, 4, 5]), L.GRU(5), L.Dense(2)
    ),
    "embedding": lambda: sequential(
        L.Embedding(20, 4, input_length=STEPS), L.GRU(5), L.Dense(2), shape=(STEPS,)
    ),
    "stateful": lambda: sequential(L.GRU(5, stateful=True), L.Dense(2), batch=2),
    "regularized": lambda: sequential(
        L.GRU(5, kernel_regularizer="l2", kernel_constraint="max_norm"), L.Dense(2)
    ),
    "functional": functional,
    "nested": nested,
    "arithmetic": arithmetic,
    "encoder_decoder": encoder_decoder,
    "shared": shared,
    "attention": attention,
}


def randomize(model: Any, rng: np.random.Generator) -> None:
    for weight in model.weights:
        if weight.shape.rank and weight.dtype == tf.float32:
            values = 0.4 * rng.normal(size=weight.shape)
            weight.assign(np.abs(values) + 0.5 if "variance" in weight.name else values)


def inputs_of(model: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
    tensors = model.input if isinstance(model.input, dict) else {t.name: t for t in model.inputs}
    ids = any(isinstance(layer, L.Embedding) for layer in model.layers)
    return {
        name: rng.integers(0, 20, (2, STEPS)).astype(np.float32)
        if ids
        else rng.normal(size=(2, *tensor.shape[1:])).astype(np.float32)
        for name, tensor in tensors.items()
    }


def save(folder: Path, name: str, model: Any, rng: np.random.Generator) -> None:
    given = inputs_of(model, rng)
    model.compile(loss="mse", optimizer="sgd")
    outputs = model.predict(list(given.values()) if len(given) == 1 else given, verbose=0)
    outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
    arrays: dict[str, Any] = {f"in_{key}": value for key, value in given.items()}
    arrays |= {f"out_{key}": value for key, value in outputs.items()}
    np.savez(folder / f"{name}.npz", **arrays)
    for ending in (".h5", ".keras"):
        model.save(folder / f"{name}{ending}")


def rewrite(source: Path, target: Path, edit: Any, version: str) -> None:
    """A copy of an HDF5 file with another configuration."""
    shutil.copyfile(source, target)
    shutil.copyfile(source.with_suffix(".npz"), target.with_suffix(".npz"))
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
        for group in (file, file["model_weights"]):
            group.attrs["keras_version"] = version


def older(folder: Path) -> None:
    """As Keras 2.0 and 2.2 wrote files."""

    def a_list(config: Any) -> None:
        config["config"] = [
            layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"
        ]
        config["config"][0]["config"]["batch_input_shape"] = [None, STEPS, FEATURES]
        for layer in config["config"]:
            layer["config"].pop("time_major", None)
            layer["config"].pop("reset_after", None)

    def a_model(config: Any) -> None:
        config["class_name"] = "Model"

    rewrite(folder / "gru_reset_before.h5", folder / "keras_2_0.h5", a_list, "2.0.8")
    rewrite(folder / "functional.h5", folder / "keras_2_2.h5", a_model, "2.2.4-tf")


def cudnn(folder: Path, rng: np.random.Generator) -> None:
    """Layers for GPUs alone, whose weights Keras 2 reads into others."""
    for kind, gates in (("GRU", 3), ("LSTM", 4)):
        model = sequential(getattr(L, kind)(6), L.Dense(2))
        randomize(model, rng)
        shapes = (FEATURES, 6 * gates), (6, 6 * gates), (2 * 6 * gates,)
        stored = [0.4 * rng.normal(size=shape).astype(np.float32) for shape in shapes]
        model.layers[0].set_weights(hdf5_format._convert_rnn_weights(model.layers[0], stored))
        name = f"cudnn_{kind.lower()}"
        save(folder, name, model, rng)
        (folder / f"{name}.keras").unlink()

        def renamed(config: Any, kind: str = kind) -> None:
            layer = config["config"]["layers"][1]
            layer["class_name"] = f"CuDNN{kind}"
            for key in ("activation", "recurrent_activation", "time_major", "reset_after"):
                layer["config"].pop(key, None)

        rewrite(folder / f"{name}.h5", folder / "edited.h5", renamed, "2.2.4")
        (folder / "edited.npz").unlink()
        (folder / "edited.h5").replace(folder / f"{name}.h5")
        with h5py.File(folder / f"{name}.h5", "r+") as file:
            groups: list[Any] = []
            file.visititems(
                lambda _, item, f=groups: (
                    f.append(item) if isinstance(item, h5py.Group) and "bias:0" in item else None
                )
            )
            group = next(item for item in groups if "recurrent_kernel:0" in item)
            for key, values in zip(
                ("kernel:0", "recurrent_kernel:0", "bias:0"), stored, strict=True
            ):
                del group[key]
                group[key] = values


def main() -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, build in MODELS.items():
            model = build()
            randomize(model, rng)
            save(folder, name, model, rng)
        older(folder)
        cudnn(folder, rng)
        with tarfile.open(Path(__file__).parent / "keras2.tar.xz", "w:xz", preset=9) as archive:
            for path in sorted(folder.iterdir()):
                content = path.read_bytes()
                entry = tarfile.TarInfo(path.name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
