"""Files that commands are given, and a deployment that several tests look at."""

import pickle
import zipfile
from pathlib import Path
from subprocess import CompletedProcess
from typing import TypeAlias

import numpy as np
import pytest
import shared
from commands import unspool

Deployed: TypeAlias = tuple[Path, CompletedProcess[str]]
"""The folder of a deployment, and how its command ended."""


@pytest.fixture(scope="session")
def files() -> Path:
    """A folder with a model and data as users have them, good and bad."""
    return shared.folder("files-of-users", _fill)


def _fill(folder: Path) -> None:
    from conftest import small_model

    from unspool.support._tensorflow import keras

    small_model().save(folder / "model.keras")
    good = np.random.default_rng(0).normal(size=(30, 6, 5)).astype(np.float32)
    np.save(folder / "good.npy", good)
    np.save(folder / "labels.npy", np.zeros(30, np.int64))
    np.save(folder / "shape.npy", good[:, :5])
    np.save(folder / "zero.npy", good[:0])
    np.save(folder / "nan.npy", np.where(good > 2, np.nan, good))
    np.save(folder / "pickled.npy", np.array([{}], object), allow_pickle=True)
    (folder / "corrupt.keras").write_bytes(b"PK\3\4" + bytes(100))
    with zipfile.ZipFile(folder / "empty.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    x = keras.Input((6, 5))
    code = keras.Model(x, keras.layers.GRU(3)(keras.layers.Lambda(lambda t: t * 2)(x)))
    code.save(folder / "lambda.keras")
    (folder / "file").write_text("not a folder")


@pytest.fixture(scope="session")
def budgeted(int8_tflite: bytes) -> Path:
    """A quantized file, and a trained model with test data."""

    from conftest import random_samples, small_model

    def fill(folder: Path) -> None:
        (folder / "m.tflite").write_bytes(int8_tflite)
        model, x = small_model(), random_samples(30)
        model.save(folder / "m.keras")
        np.save(folder / "x.npy", x)
        probabilities = model.predict(x, verbose=0)
        np.save(folder / "y.npy", probabilities.argmax(1))
        np.save(folder / "values.npy", probabilities)

    return shared.folder("files-for-budgets", fill)


@pytest.fixture(scope="session")
def over_budget(budgeted: Path) -> Deployed:
    """A deployment that breaks one limit of three, and how its command ended."""

    def fill(folder: Path) -> None:
        run = unspool(
            *("deploy", budgeted / "m.keras", "--calibration", budgeted / "x.npy"),
            *("--test", budgeted / "x.npy", budgeted / "y.npy", "--out", folder / "out"),
            *("--max-ms", "0.0001", "--max-accuracy-drop", "100", "--no-cpu"),
        )
        (folder / "run").write_bytes(pickle.dumps(run))

    folder = shared.folder("over-budget", fill)
    return folder / "out", pickle.loads((folder / "run").read_bytes())
