"""Small trained models and their data, made once for the whole run; where its time goes."""

import gc
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
import shared
import slow
import vela_forks
from hypothesis import HealthCheck, settings

from unspool.compilation import vela
from unspool.guide import mnist

if TYPE_CHECKING:
    from unspool import Calibration, Deployment, Quality

STEPS, FEATURES, CLASSES = 6, 5, 4
pytest_plugins = ["browser", "command_files"]
ROOT = Path(__file__).parent
VELA_ALONE = vela._run
# No test depends on how fast the machine is.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")
# Ctrl-C as in a terminal, in what is started from here, too: behind a shell's `&` it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


def small_model(
    cell: str = "gru", units: int = 8, steps: int | None = STEPS, **options: Any
) -> Any:
    """A recurrent classifier with random weights, biases included."""
    from unspool.support._tensorflow import keras

    keras.utils.set_random_seed(7)
    layers = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "simple": keras.layers.SimpleRNN}
    x = keras.Input((steps, FEATURES), name="x")
    state = layers[cell](units, name=cell, **options)(x)
    model = keras.Model(x, keras.layers.Dense(CLASSES, activation="softmax", name="y")(state))
    rng = np.random.default_rng(7)
    # Keras starts biases at 0 (and LSTM's forget gate at 1): a swapped bias would not be seen.
    model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def random_samples(count: int, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 1, (count, steps, FEATURES)).astype(np.float32)


def worst_mean(quality: "Quality | None") -> float:
    """The mean error of the column that errs most, percent of its range."""
    assert quality is not None and quality.worst is not None
    return quality.worst.mean


@pytest.fixture(scope="session", autouse=True)
def vela_in_forks() -> Iterator[None]:
    """Vela without the second that each process of it takes to begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vela, "_run", vela_forks.run)
        yield


@pytest.fixture
def vela_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vela in a process of its own for each compilation, as users have it."""
    monkeypatch.setattr(vela, "_run", VELA_ALONE)


@contextmanager
def computing_at_once(at_once: bool = True) -> Iterator[None]:
    """Keras predicts and trains without TensorFlow's graphs; converting makes one all the same.

    It predicts all samples in one batch, without a data set, which takes longer to make than that.
    """
    from unspool.frontend.structure import packed
    from unspool.support._tensorflow import keras, tf

    in_batches = keras.Model.predict

    def predict(model: Any, x: Any, batch_size: int | None = None, **options: Any) -> Any:
        if batch_size or isinstance(x, tf.data.Dataset) or model.inputs[0].shape[0]:
            return in_batches(model, x, batch_size, **options)
        given = x if isinstance(x, dict) else packed(model, keras.tree.flatten(x))
        return model.predict_on_batch(given)

    tf.config.run_functions_eagerly(at_once)
    try:
        with mock.patch.object(keras.Model, "predict", predict) if at_once else nullcontext():
            yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture(params=["at once", pytest.param("in a graph", marks=pytest.mark.slow)])
def computing(request: pytest.FixtureRequest) -> Iterator[None]:
    """How TensorFlow computes: a network's graph takes longer to trace than a few small batches."""
    with computing_at_once(request.param == "at once"):
        yield


@pytest.fixture(scope="session")
def model() -> Any:
    return small_model()


@pytest.fixture(scope="session")
def data() -> np.ndarray:
    return random_samples(40)


@pytest.fixture(scope="session")
def float_tflite() -> bytes:
    from unspool.unrolling.conversion import convert
    from unspool.unrolling.deploy_model import unroll

    return shared.value("float_tflite", lambda: convert(unroll(small_model())))


@pytest.fixture(scope="session")
def calibration(float_tflite: bytes, data: np.ndarray) -> "Calibration":
    from unspool.quantization.calibration import calibrate

    return shared.value("calibration", lambda: calibrate(float_tflite, data))


@pytest.fixture(scope="session")
def int8_tflite(float_tflite: bytes, calibration: "Calibration") -> bytes:
    from unspool.quantization.quantizer import quantize

    return shared.value("int8_tflite", lambda: quantize(float_tflite, calibration.ranges))


@pytest.fixture(scope="session")
def deployed(model: Any, data: np.ndarray) -> "Deployment":
    """The small model's deployment, tested on its own answers."""
    from unspool.deployment import Options, deploy

    labels = model.predict(data, verbose=0).argmax(1)
    return deploy(model, data, test=(data, labels), options=Options(remedy_seconds=0))


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """200 MNIST test images, float32 (200, 28, 28), and their labels."""
    data = mnist.load()
    return mnist.normalised(data.test_images[:200]), data.test_labels[:200]


@pytest.hookimpl(optionalhook=True)  # none without pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """As many as there are cores: with half as many again, all take a quarter longer."""
    return max(2, os.cpu_count() or 1)


def pytest_configure() -> None:
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before pytest leaves out what is slow."""
    slow.mark(items)


def pytest_collection_finish() -> None:
    """Garbage is looked for seldom, and not among what TensorFlow is made of."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def pytest_unconfigure() -> None:
    """Nothing is looked through once more only to be freed when Python ends."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds of each room, in all workers together."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                path = Path(report.nodeid.split("::")[0]).relative_to(ROOT.name)
                seconds[path.parts[0]] += report.duration
    if seconds:
        terminalreporter.section("seconds of each room")
        for room, spent in sorted(seconds.items(), key=lambda entry: -entry[1]):
            terminalreporter.write_line(f"{spent:7.1f} {room}")
