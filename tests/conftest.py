"""Small trained models and their data, made once for the whole run."""

import numpy as np
import pytest

from unspool.guide import mnist
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

STEPS, FEATURES, CLASSES = 6, 5, 4
RECURRENT = {
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "simple": keras.layers.SimpleRNN,
}


def small_model(cell: str = "gru", units: int = 8, steps: int | None = STEPS, **options):
    """A recurrent classifier with random weights, biases included."""
    keras.utils.set_random_seed(7)
    x = keras.Input((steps, FEATURES), name="x")
    state = RECURRENT[cell](units, name=cell, **options)(x)
    model = keras.Model(x, keras.layers.Dense(CLASSES, activation="softmax", name="y")(state))
    rng = np.random.default_rng(7)
    # Keras starts biases at 0 (and LSTM's forget gate at 1): a swapped bias would not be seen.
    model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def random_samples(count: int, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 1, (count, steps, FEATURES)).astype(np.float32)


@pytest.fixture(scope="session")
def model():
    return small_model()


@pytest.fixture(scope="session")
def data():
    return random_samples(40)


@pytest.fixture(scope="session")
def float_tflite(model):
    return convert(unroll(model))


@pytest.fixture(scope="session")
def calibration(float_tflite, data):
    from unspool.quantization.calibration import calibrate

    return calibrate(float_tflite, data)


@pytest.fixture(scope="session")
def int8_tflite(float_tflite, calibration):
    from unspool.quantization.quantizer import quantize

    return quantize(float_tflite, calibration.ranges)


@pytest.fixture(scope="session")
def digits():
    """200 MNIST test images, float32 (200, 28, 28), and their labels."""
    data = mnist.load()
    return mnist.normalised(data.test_images[:200]), data.test_labels[:200]
