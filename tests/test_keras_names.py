"""docs/keras.md is true: of every layer and function that Keras exports."""

import numpy as np
import pytest
import slow
from keras_names import functions, layers
from keras_names.page import ALIASES, PAGE, cell, key, page, recorded
from keras_names.trial import FUNCTIONS, LAYERS, Name, verdict
from versions import OLD_KERAS

from unspool.frontend.graph import admitted
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.rebuilding import Rebuilder, alone

EXPORTED_MODULES = {"image", "linalg", "nn", "numpy"}
NAMES = (*LAYERS, *FUNCTIONS)
DRAWN = 40  # of how many names one is tried alone in `make test`
MANY = 40  # that are tried together


def _of(names: list[Name]) -> pytest.MarkDecorator:
    """A few of the names, the same ones every time; all in `make test-all`."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(
                name,
                id=key(name),
                marks=[] if slow.is_drawn(name.name, DRAWN) else pytest.mark.slow,
            )
            for name in names
        ],
    )


def test_every_function_that_keras_exports_is_there() -> None:
    exported = {name for name in dir(keras.ops) if not name.startswith("_")} - EXPORTED_MODULES
    exported |= {f"image.{name}" for name in dir(keras.ops.image) if not name.startswith("_")}
    function_names = {name.name for name in FUNCTIONS} | set(functions.NOT_CALLED)
    assert exported <= function_names


def test_every_layer_that_keras_exports_is_there() -> None:
    exported = {name for name in dir(keras.layers) if name[0].isupper()}
    assert exported <= {name.name for name in LAYERS} | set(layers.NOT_CALLED) | set(ALIASES)


@pytest.mark.skipif(OLD_KERAS, reason="the page is written with a later Keras, and says so")
def test_the_page_is_what_its_verdicts_make() -> None:
    assert set(recorded()) == {key(name) for name in NAMES}
    assert page(recorded()) == PAGE.read_text()


@pytest.mark.one_in(2)
@_of(list(NAMES))
@pytest.mark.parametrize("activations", ["int8", "int16"])
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # of litert-quantizer
def test_it_is_as_the_page_says(name: Name, activations: str) -> None:
    said = recorded()[key(name)][("int8", "int16").index(activations)]
    assert cell(verdict(name, activations)) == said


WORKING = [name for name in NAMES if recorded()[key(name)][0] == "yes"]


@pytest.mark.parametrize("first", range(0, len(WORKING), MANY))
def test_what_works_gives_without_rounding_what_keras_gives(first: int) -> None:
    """Many side by side in one network, of one sample."""
    inputs, outputs, fed, expected = [], [], [], []
    for name in WORKING[first : first + MANY]:
        model, data = name.model, name.data[:1]
        inputs.append(keras.Input(data.shape[1:], batch_size=1, dtype=name.dtype))
        outputs += Rebuilder().rebuild(model, inputs[-1:])
        expected += keras.tree.flatten(model(data, training=False))
        fed.append(data)
    network = Session(convert(keras.Model(admitted(inputs), outputs)))
    for given, tensor in zip(network.predict(fed), expected, strict=True):
        wanted = np.asarray(tensor)
        np.testing.assert_allclose(given.reshape(wanted.shape), wanted, atol=1e-4 * _size(wanted))


@_of(WORKING)
def test_what_works_is_what_keras_computes(name: Name) -> None:
    model, data = name.model, name.data
    inputs = [keras.Input(tensor.shape[1:], batch_size=1) for tensor in model.inputs]
    outputs = Rebuilder().rebuild(model, inputs)
    float_tflite = convert(keras.Model(alone(admitted(inputs)), alone(outputs)))
    answers = [keras.tree.flatten(model(data[n : n + 1], training=False)) for n in range(len(data))]
    expected = [np.concatenate(parts) for parts in zip(*answers, strict=True)]
    for given, wanted in zip(Session(float_tflite).predict(data), expected, strict=True):
        np.testing.assert_allclose(given.reshape(wanted.shape), wanted, atol=1e-4 * _size(wanted))
    int8 = quantize(float_tflite, calibrate(float_tflite, data).ranges)
    for given, wanted in zip(Session(int8).predict(data), expected, strict=True):
        assert np.abs(given.reshape(wanted.shape) - wanted).mean() <= 0.02 * _size(wanted)


def _size(values: np.ndarray) -> float:
    """What a tensor that holds the values and 0 ranges over; 1 where all are 0."""
    return float(max(values.max(), 0) - min(values.min(), 0)) or 1.0
