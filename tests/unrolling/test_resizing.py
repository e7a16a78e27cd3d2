"""Sequences and images brought to other sizes: Keras says what comes out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from versions import Known

import unspool
from unspool import Options, Session
from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras

L, K = Known(keras.layers), Known(keras.ops)
QUICK = Options(remedy_seconds=0)
STEPS = 4


def of_frames(layer: Any) -> Any:
    """A network that brings images to another size, and goes on with their rows."""
    keras.utils.set_random_seed(1)
    x = keras.Input((6, 8, 3), name="x")
    y = layer(x)
    return keras.Model(x, L.GRU(5)(L.Reshape((y.shape[1], -1))(y)))


def of_steps(layer: Any) -> Any:
    keras.utils.set_random_seed(1)
    x = keras.Input((7, 5), name="x")
    return keras.Model(x, L.GRU(5)(layer(x)))


def resized(*size: int, **options: Any) -> Any:
    """A network of `keras.ops.image.resize`, the function."""
    return of_frames(lambda x: K.image.resize(x, size, **options))


CASES: dict[str, Callable[[], Any]] = {
    "bilinear, 3": lambda: of_frames(L.Resizing(18, 24)),
    "bilinear, 2 and 3": lambda: of_frames(L.Resizing(12, 24)),
    "bilinear, smaller": lambda: of_frames(L.Resizing(4, 5)),
    "bilinear, smaller, antialias": lambda: of_frames(L.Resizing(4, 5, antialias=True)),
    "nearest, 2": lambda: of_frames(L.Resizing(12, 16, interpolation="nearest")),
    "nearest, 3": lambda: of_frames(L.Resizing(18, 24, interpolation="nearest")),
    "nearest, smaller": lambda: of_frames(L.Resizing(3, 5, interpolation="nearest")),
    "bicubic, rows alone": lambda: of_frames(L.Resizing(9, 8, interpolation="bicubic")),
    "function, bilinear, 2": lambda: resized(12, 16),
    "function, bilinear, 3 and 2": lambda: resized(18, 16),
    "function, smaller, antialias": lambda: resized(4, 5, antialias=True),
    "function, nearest, smaller": lambda: resized(3, 5, interpolation="nearest"),
    "function, bicubic": lambda: resized(9, 8, interpolation="bicubic"),
    "function, the same size": lambda: resized(6, 8),
    "average, 2D": lambda: of_frames(L.AdaptiveAveragePooling2D((4, 3))),
    "average, 2D, even": lambda: of_frames(L.AdaptiveAveragePooling2D(2)),
    "largest, 2D": lambda: of_frames(L.AdaptiveMaxPooling2D((4, 3))),
    "average, 1D": lambda: of_steps(L.AdaptiveAveragePooling1D(3)),
    "largest, 1D": lambda: of_steps(L.AdaptiveMaxPooling1D(3)),
}
OFTEN = (*("bilinear, 2 and 3", "bicubic, rows alone", "largest, 1D", "function, the same size"),)


def check(model: Any, data: np.ndarray) -> None:
    """Deploy a model: Keras's values in float, TFLM's bytes on the NPU alone, close to Keras's."""
    done = unspool.deploy(model, data, options=QUICK)
    exact = model.predict(data, verbose=0)
    (output,) = Session(done.float_tflite).predict(data)
    np.testing.assert_allclose(output, exact, atol=1e-5)
    assert done.compiled.cpu_operators == ()
    assert done.simulation.equal == len(data)
    (output,) = Session(done.compiled.tflite, "npu").predict(data)
    assert np.abs(output - exact).mean() < 0.01 * np.ptp(exact)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", slow.unless(OFTEN, CASES))
def test_any_size_is_on_the_npu(name: str) -> None:
    model = CASES[name]()
    x = np.random.default_rng(0).normal(0, 1, (40, *model.input_shape[1:])).astype(np.float32)
    check(model, x)


def test_what_goes_by_the_aspect_ratio_is_as_it_was() -> None:
    x = keras.Input((6, 8, 3))
    layer = L.Resizing(18, 18, crop_to_aspect_ratio=True, name="r")
    model = keras.Model(x, L.GRU(5)(L.Reshape((18, -1))(layer(x))))
    assert unspool.inspect(model)[0].action == "cpu"
    function = resized(18, 18, crop_to_aspect_ratio=True)
    assert unspool.inspect(function)[0].action == "cpu"
    data = np.random.default_rng(0).normal(0, 1, (40, 6, 8, 3)).astype(np.float32)
    with pytest.raises(UnspoolError, match=r"\(Resize\): ResizeBilinear: .*`allow_cpu`") as refused:
        unspool.deploy(function, data)
    assert "\n" not in str(refused.value)


def test_a_function_that_would_resize_the_batch_is_refused_in_a_line() -> None:
    """Keras takes three dimensions for one image, and says nothing."""
    x = keras.Input((7, 5), name="x")
    sequence = L.GRU(4, return_sequences=True)(x)
    model = keras.Model(x, K.image.resize(sequence, (3, 2)))
    line = (
        "resizes the batch: three dimensions are to Keras one image, (rows, columns, channels); "
        "give it four, with keras.ops.expand_dims"
    )
    verdict = unspool.inspect(model)[1]
    assert (verdict.action, verdict.detail) == ("refuse", line)
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy(model, np.zeros((30, 7, 5), np.float32))
    assert str(refused.value) == f"layer {verdict.layer!r} (Resize): {line}"


def _replaced(h: Any) -> Any:
    h = K.where(K.isnan(h), 3.0, h) * K.cast(K.isfinite(h), "float32")
    return K.where(K.isinf(h), -3.0, h)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "function",
    [
        _replaced,
        lambda h: K.nanmean(h, axis=1),
        pytest.param(lambda h: K.nanmax(h, axis=1), marks=pytest.mark.slow),
        lambda h: K.nanmin(h, axis=1),
        pytest.param(lambda h: K.nansum(h, axis=2), marks=pytest.mark.slow),
    ],
    ids=["replaced", "nanmean", "nanmax", "nanmin", "nansum"],
)
def test_nothing_is_infinite_or_no_number(function: Callable[[Any], Any]) -> None:
    """What tests for that is constant; what leaves it out is what does not."""
    keras.utils.set_random_seed(1)
    x = keras.Input((STEPS, 5), name="x")
    model = keras.Model(x, function(L.GRU(6, return_sequences=True)(x)))
    data = np.random.default_rng(0).normal(0, 1, (40, STEPS, 5)).astype(np.float32)
    check(model, data)
