"""Weights rounded by what layers compute: less error on data, and nothing else changed."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import small_model

from unspool.quantization.calibration import calibrate
from unspool.quantization.moments import _patches
from unspool.quantization.quantizer import quantize
from unspool.quantization.rounding import rounded
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll


def correlated(rows: int, inputs: int) -> np.ndarray:
    """Inputs that go together, as those of a trained layer do."""
    rng = np.random.default_rng(0)
    few = rng.normal(size=(rows, inputs // 4)) @ rng.normal(size=(inputs // 4, inputs))
    return few + 0.1 * rng.normal(size=(rows, inputs))


def test_a_layer_errs_less_and_its_weights_lie_at_levels() -> None:
    data = correlated(2_000, 32)
    kernel = np.random.default_rng(1).normal(size=(8, 32))
    kernel[:, 3] = 0.0
    scale = np.array([[np.abs(kernel).max() / 127]])
    rounded_kernel = rounded(kernel.copy(), scale, data[:1000].T @ data[:1000] / 1000)
    levels = rounded_kernel / scale
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-9)
    assert np.abs(levels).max() <= 127
    assert not rounded_kernel[:, 3].any()
    nearest = np.rint(kernel / scale) * scale
    errors = [np.square(data[1000:] @ (w - kernel).T).mean() for w in (rounded_kernel, nearest)]
    assert errors[0] < errors[1] / 3


def test_inputs_that_the_data_do_not_show_are_rounded_to_the_nearest() -> None:
    data = correlated(1_000, 16)
    data[:, 5] = 0.0
    kernel = np.random.default_rng(1).normal(size=(4, 2, 8))
    scale = np.abs(kernel).max(axis=(1, 2), keepdims=True) / 127  # one for each output
    rounded_kernel = rounded(kernel.copy(), scale, data.T @ data / 1000)
    nearest = np.rint(kernel / scale) * scale
    np.testing.assert_allclose(rounded_kernel[:, 0, 5], nearest[:, 0, 5])


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), ((2, 3), 1), (1, (2, 1))])
def test_patches_are_what_a_convolution_meets(padding: str, strides: int, dilation: int) -> None:
    layer = keras.layers.Conv2D(
        5, (3, 2), strides=strides, padding=padding, dilation_rate=dilation, use_bias=False
    )
    data = np.random.default_rng(0).normal(size=(1, 9, 8, 4)).astype(np.float32)
    expected = np.asarray(layer(data))
    options = schema.Conv2DOptionsT()
    options.strideH, options.strideW = np.broadcast_to(strides, 2).tolist()
    options.dilationHFactor, options.dilationWFactor = np.broadcast_to(dilation, 2).tolist()
    options.padding = getattr(schema.Padding, padding.upper())
    kernel = np.asarray(layer.kernel).reshape(-1, 5)  # the channels last, as in the file
    outputs = _patches(data, (3, 2), options) @ kernel
    np.testing.assert_allclose(outputs, expected.reshape(-1, 5), atol=1e-5)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("activations", ["int8", "int16"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_network_keeps_its_scales_and_errs_less(cell: str, activations: str) -> None:
    float_tflite = convert(unroll(small_model(cell, units=16, steps=8)))
    (taken,) = Session(float_tflite).inputs
    data = correlated(400 * taken.shape[1], taken.shape[2] * 4)[:, : taken.shape[2]]
    data = data.reshape(400, *taken.shape[1:]).astype(np.float32)
    calibration = calibrate(float_tflite, data[:200], activations=activations, moments=True)
    assert calibration.ranges == calibrate(float_tflite, data[:200], activations=activations).ranges
    files = [
        quantize(float_tflite, calibration.ranges, activations, m)
        for m in (calibration.moments, {})
    ]
    (right,) = Session(float_tflite).predict(data[200:])
    errors = [np.square(Session(file).predict(data[200:])[0] - right).mean() for file in files]
    scales = [
        [
            None if t.quantization is None or t.quantization.scale is None
            else t.quantization.scale.tolist()
            for t in flatbuffer.read(file).subgraphs[0].tensors
        ]
        for file in files
    ]  # fmt: skip
    assert scales[0] == scales[1]
    assert files[0] != files[1]
    if activations == "int16":  # in int8 the rounding of what is computed counts for more
        assert errors[0] < 0.8 * errors[1]


def test_weights_that_share_values_keep_them() -> None:
    model = small_model("gru", units=16, steps=8)
    few = np.linspace(-1, 1, 16)
    model.set_weights([few[np.abs(w[..., None] - few).argmin(-1)] for w in model.get_weights()])
    float_tflite = convert(unroll(model))
    (taken,) = Session(float_tflite).inputs
    data = np.random.default_rng(0).normal(size=(100, *taken.shape[1:])).astype(np.float32)
    calibration = calibrate(float_tflite, data, moments=True)
    assert calibration.moments
    with_moments = quantize(float_tflite, calibration.ranges, "int8", calibration.moments)
    assert with_moments == quantize(float_tflite, calibration.ranges)
