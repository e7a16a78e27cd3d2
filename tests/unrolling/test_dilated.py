"""Dilated convolutions that read one tensor: an operator each, and Keras's numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from versions import OLD_KERAS

import unspool
from unspool import Options, Session
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer

L = keras.layers
SEQUENCE, IMAGES = (30, 6), (12, 9, 4)
KINDS: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "Conv1D": (SEQUENCE, lambda **more: L.Conv1D(6, 3, dilation_rate=4, **more)),
    "Conv1D in groups": (
        SEQUENCE,
        lambda **more: L.Conv1D(6, 3, dilation_rate=2, groups=2, **more),
    ),
    "DepthwiseConv1D": (
        SEQUENCE,
        lambda **more: L.DepthwiseConv1D(3, depth_multiplier=2, dilation_rate=3, **more),
    ),
    "SeparableConv1D": (SEQUENCE, lambda **more: L.SeparableConv1D(6, 3, dilation_rate=2, **more)),
    "Conv2D": (IMAGES, lambda **more: L.Conv2D(5, 3, dilation_rate=(2, 1), **more)),
    "DepthwiseConv2D": (IMAGES, lambda **more: L.DepthwiseConv2D(3, dilation_rate=(2, 3), **more)),
    "SeparableConv2D": (IMAGES, lambda **more: L.SeparableConv2D(5, 3, dilation_rate=2, **more)),
}


def gated(kind: str, padding: str) -> Any:
    """Two gates and a path without bias, which read one input."""
    keras.utils.set_random_seed(3)
    shape, layer = KINDS[kind]
    x = keras.Input(shape)
    gates = [layer(padding=padding, activation=name)(x) for name in ("tanh", "sigmoid")]
    y = L.Add()([L.Multiply()(gates), layer(padding=padding, use_bias=False)(x)])
    model = keras.Model(x, L.GRU(4)(L.Reshape((y.shape[1], -1))(y)))
    rng = np.random.default_rng(3)
    model.set_weights([w + rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def samples(model: Any, count: int) -> np.ndarray:
    shape = (count, *model.inputs[0].shape[1:])
    return np.random.default_rng(4).normal(0, 1, shape).astype(np.float32)


PADDED = [
    *(f"{kind} {padding}" for kind in KINDS for padding in ("same", "valid")),
    *(f"{kind} causal" for kind in KINDS if kind.startswith("Conv1D")),
]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", slow.but_one_of(3, PADDED))
def test_each_is_an_operator_and_gives_what_keras_gives(name: str, computing: None) -> None:
    kind, padding = name.rsplit(" ", 1)
    model = gated(kind, padding)
    x = samples(model, 5)
    tflite = unspool.convert(unspool.unroll(model))
    np.testing.assert_allclose(
        Session(tflite).predict(x)[0], model.predict(x, verbose=0), atol=1e-5
    )
    kinds = {name for name, _ in flatbuffer.operators(flatbuffer.look(tflite))}
    assert not kinds & {"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"}


@pytest.mark.skipif(OLD_KERAS, reason="Keras 3.12 has strides or dilation, not both")
def test_strides_are_kept(computing: None) -> None:
    """Keras has both for a depthwise convolution; it has a SpaceToBatchND of its own then."""
    keras.utils.set_random_seed(3)
    x = keras.Input(SEQUENCE)
    y = L.DepthwiseConv1D(3, strides=2, dilation_rate=2)(x)
    model = keras.Model(x, L.GRU(4)(y))
    data = samples(model, 5)
    tflite = unspool.convert(unspool.unroll(model))
    given = Session(tflite).predict(data)[0]
    np.testing.assert_allclose(given, model.predict(data, verbose=0), atol=1e-5)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["Conv1D", "SeparableConv2D"])
def test_it_runs_on_the_npu_with_tflms_bytes(kind: str, computing: None) -> None:
    model = gated(kind, "same")
    done = unspool.deploy(model, samples(model, 24), options=Options(remedy_seconds=0))
    assert done.compiled.cpu_operators == ()
    assert done.simulation.equal == done.simulation.samples == 24
