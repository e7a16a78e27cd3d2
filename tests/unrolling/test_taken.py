"""Data of a length that does not fit is refused before any work, in the line of the work itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unspool
from unspool import KernelSetting, Options, stages
from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras

L = keras.layers
QUICK = Options(remedy_seconds=0)


def network(steps: int | None) -> Any:
    keras.utils.set_random_seed(1)
    x = keras.Input((steps, 5), name="x")
    model = keras.Model(x, L.Dense(3, activation="softmax", name="y")(L.GRU(4)(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def two_rates() -> Any:
    motion, weather = keras.Input((None, 3), name="motion"), keras.Input((None, 2), name="weather")
    both = L.Concatenate()([L.GRU(4)(motion), L.GRU(4)(weather)])
    return keras.Model([motion, weather], L.Dense(2)(both))


def words() -> Any:
    ids = keras.Input((None,), dtype="int32", name="words")
    return keras.Model(ids, L.GRU(4)(L.Embedding(9, 4)(ids)))


def values(steps: int, features: int = 5) -> np.ndarray:
    return np.zeros((40, steps, features), np.float32)


CLASSES = np.arange(40) % 3
STREAMS: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "a fixed length": (
        lambda: network(30),
        values(30),
        "calibration data: 30 time steps for input 'x', expected a multiple of 4, which one call "
        "takes",
    ),
    "an open length": (
        lambda: network(None),
        values(30),
        "calibration data: 30 time steps for input 'x', expected a multiple of 4, which one call "
        "takes",
    ),
    "no steps": (
        lambda: network(None),
        values(0),
        "calibration data: 0 time steps for input 'x', expected a multiple of 4, which one call "
        "takes",
    ),
    "ids": (
        words,
        np.zeros((40, 30), int),
        "calibration data: 30 time steps for input 'words', expected a multiple of 4, which one "
        "call takes",
    ),
    "several inputs": (
        two_rates,
        {"motion": values(40, 3), "weather": values(20, 2)},
        "calibration data: time steps for 10 calls for input 'motion', 5 calls for input "
        "'weather'; expected as many for each input",
    ),
}


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins to work, fails."""

    def begun(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("work was done before the refusal")

    monkeypatch.setattr("unspool.before_work.inspect", begun)
    monkeypatch.setattr("unspool.stages.convert", begun)
    monkeypatch.setattr("unspool.stages.unroll", begun)
    monkeypatch.setattr("unspool.stages.unroll_stream", begun)


@pytest.mark.parametrize(("make", "data", "line"), STREAMS.values(), ids=STREAMS)
@pytest.mark.usefixtures("no_work")
def test_sequences_that_are_no_whole_calls(make: Callable[[], Any], data: Any, line: str) -> None:
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(make(), data, time_steps=4, options=QUICK)
    assert str(refused.value) == line


@pytest.mark.usefixtures("no_work")
def test_test_data_too() -> None:
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(
            network(None), values(32), time_steps=4, test=(values(30), CLASSES), options=QUICK
        )
    assert str(refused.value) == (
        "test data: 30 time steps for input 'x', expected a multiple of 4, which one call takes"
    )


LENGTHS: dict[str, tuple[int | None, int | None, str]] = {
    "another one": (
        None,
        6,
        "calibration data: the array for input 'x' has the shape (40, 30, 5), expected "
        "(samples, 6, 5)",
    ),
    "none is said": (
        None,
        None,
        "input 'x' has the open shape (None, None, 5): say how many time steps to unroll "
        "(`time_steps`)",
    ),
    "it is fixed": (
        30,
        6,
        "input 'x' has 30 time steps fixed in the model, got time_steps=6: leave it out, or build "
        "the model with (None, features)",
    ),
}


@pytest.mark.parametrize(("steps", "time_steps", "line"), LENGTHS.values(), ids=LENGTHS)
@pytest.mark.usefixtures("no_work")
def test_sequences_of_another_length(steps: int | None, time_steps: int | None, line: str) -> None:
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy(network(steps), values(30), time_steps=time_steps, options=QUICK)
    assert str(refused.value) == line


@pytest.mark.usefixtures("no_work")
def test_a_search_and_training_for_int8_say_so_before_they_train(tmp_path: Path) -> None:
    model = network(None)
    line = LENGTHS["another one"][2]
    data, classes = values(30), CLASSES
    with pytest.raises(UnspoolError) as refused:
        unspool.compress(model, data, classes, calibration=data, way=stages.sequences(6))
    assert str(refused.value) == line
    with pytest.raises(UnspoolError) as refused:
        unspool.search(
            *(model, data, classes, tmp_path),
            settings=[KernelSetting(0.5, 16)],
            validation=(values(6), classes),
            build=unspool.Build(stages.sequences(6)),
        )
    assert str(refused.value) == line
    with pytest.raises(UnspoolError, match=r"^validation data: the array for input 'x' has the"):
        unspool.search(
            *(model, data, classes, tmp_path),
            settings=[KernelSetting(0.5, 16)],
            build=unspool.Build(stages.sequences(6)),
        )
