"""Exact scales: Vela's float32 multipliers and TFLM's float64 ones are the same number."""

import models
import numpy as np
import pytest
import slow
from cases import Case, L, chain, trained
from hypothesis import given
from hypothesis import strategies as st

from unspool import npu
from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.quantization.calibration import calibrate
from unspool.quantization.multipliers import (
    free,
    has_no_halves,
    product,
    rounded_up,
    rounds_clearly,
)
from unspool.quantization.quantizer import quantize
from unspool.runtime import prediction, verification
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

NETWORKS = {
    "gru": chain(L.GRU(12), L.Dense(3)),
    "gru, reset before": chain(L.GRU(12, reset_after=False), L.Dense(3)),
    "lstm": chain(L.LSTM(12), L.Dense(3)),
    "simple": chain(L.SimpleRNN(12), L.Dense(3)),
    "hard sigmoid": chain(L.GRU(12, recurrent_activation="hard_sigmoid"), L.Dense(3)),
    "conv": chain(L.Conv1D(6, 3, activation="relu"), L.LSTM(12), L.Dense(3), shape=(9, 5)),
    "sequences": chain(L.GRU(12, return_sequences=True), L.GRU(8), L.Dense(3)),
}


def aimed(kind: str, rng: np.random.Generator) -> float:
    """A scale that puts an entry of a table by the middle between two levels."""
    middle = rng.integers(127) + 0.5
    x = np.arctanh(middle / 128) if kind == "TANH" else 2 * np.arctanh(middle / 128)
    return float(np.float32(x / rng.integers(1, 256) * (1 + rng.normal() * 1e-7)))


@pytest.mark.parametrize("kind", ["TANH", "LOGISTIC"])
def test_tables_of_chosen_scales_are_tflms_and_of_aimed_ones_are_not(kind: str) -> None:
    """A forecast with four LSTM(50) differed from TFLM by one entry: 128 tanh(27 s) = 0.4999955."""
    rng, fixed = np.random.default_rng(5), {"TANH": (1 / 128, 0), "LOGISTIC": (1 / 256, -128)}
    scales = [0.00014467537, *(aimed(kind, rng) for _ in range(99))]
    every = np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16, 1)
    differing = []
    for tried in (scales, [free(scale, rounds_clearly) for scale in scales]):
        graph = models.Graph()
        for scale in tried:
            x = graph.input((1, 16, 16, 1), scale, int(rng.integers(-128, 128)))
            graph.op(kind, [x], graph.output((1, 16, 16, 1), *fixed[kind]))
        model = graph.build()
        binary = npu.run(npu.load(models.vela(model)), [every] * len(tried))
        expected = models.tflm(model, [every] * len(tried))
        differing.append(sum((a != b).sum() for a, b in zip(binary, expected, strict=True)))
    assert differing[0] > 9
    assert differing[1] == 0


def test_an_elu_rescales_without_halves() -> None:
    """Two LSTM(256) with SELU on 300 steps: an output of 3/2 of the input's scale, and a half."""
    source, every = 3 * 2.0**-7, np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16, 1)
    wanted = 2 * source / 3
    chosen = product(wanted, {(source,)}, all_bits=True, may=lambda out: has_no_halves(source, out))
    differing = []
    for out in (wanted, chosen):
        graph = models.Graph()
        x = graph.input((1, 16, 16, 1), source, 0)
        graph.op("ELU", [x], graph.output((1, 16, 16, 1), out, -100))
        model = graph.build()
        (binary,) = npu.run(npu.load(models.vela(model)), [every])
        (expected,) = models.tflm(model, [every])
        differing.append(int((binary != expected).sum()))
    assert differing[0] > 9
    assert differing[1] == 0


@pytest.mark.parametrize("activations", ["int8", "int16"])
def test_a_bias_folded_into_the_first_step_does_not_reach_the_others(activations: str) -> None:
    """The initial state is as wide as what its Dense gives without the bias: their scales met."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    x, z = keras.Input((4, 5), name="x"), keras.Input((8,), name="z")
    mask = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=-1)
    dense = L.Dense(8)
    first = dense(z)
    kernel = dense.kernel.numpy() * np.array([0.5] * 7 + [4])  # the last unit reaches farthest
    dense.set_weights([kernel, rng.normal(0, 0.1, 8)])
    gru = L.GRU(8, return_sequences=True, bias_initializer="random_normal")
    sequence = gru(x, initial_state=first, mask=mask)
    data = [rng.normal(0, 1, (30, *t.shape[1:])).astype(np.float32) for t in (x, z)]
    float_tflite = convert(unroll(keras.Model([x, z], sequence)))
    ranges = calibrate(float_tflite, data, activations=activations).ranges
    quantized = quantize(float_tflite, ranges, activations)
    expected = Session(quantized, "tflm").predict(data)
    binary = vela.compile(quantized, target("ethos-u55-128")).tflite
    np.testing.assert_array_equal(prediction.predict(binary, data, "npu"), expected)


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("size", [1e-3, 1e-9])
def test_a_sigmoid_of_nearly_nothing_is_a_half(size: float) -> None:
    """TFLM's gives 0 or 1 where the scale of its input is below 2^-27."""
    gru = keras.layers.GRU(4, kernel_initializer=keras.initializers.Constant(size))
    head = keras.layers.Dense(2, "sigmoid", kernel_initializer=keras.initializers.Constant(size))
    model = keras.Sequential([keras.Input((5, 3)), gru, head])
    data = np.random.default_rng(3).normal(size=(30, 5, 3)).astype(np.float32)
    float_tflite = convert(unroll(model))
    int8 = quantize(float_tflite, calibrate(float_tflite, data).ranges)
    (output,) = Session(int8, "tflm").predict(data)
    np.testing.assert_allclose(output, model.predict(data, verbose=0), atol=1 / 256)


@pytest.mark.parametrize("size", [1e5, 5.6e5, 6.5e5, 1e6])
def test_a_normalization_of_huge_values_is_right_or_on_the_cpu(size: float) -> None:
    """Its squares reach scales at which Vela's integers overflow."""
    keras.utils.set_random_seed(3)
    x = keras.Input((3, 4))
    normal = L.LayerNormalization()(size * L.SimpleRNN(6, return_sequences=True)(x))
    data = np.random.default_rng(3).normal(0, 2, (30, 3, 4)).astype(np.float32)
    float_tflite = convert(unroll(keras.Model(x, normal)))
    quantized = quantize(float_tflite, calibrate(float_tflite, data).ranges)
    compiled = vela.compile(quantized, target("ethos-u55-128"))
    assert all("2^32" in op.reason for op in compiled.cpu_operators)
    assert bool(compiled.cpu_operators) == (size > 3e5)
    if not compiled.cpu_operators:
        expected = Session(quantized, "tflm").predict([data])
        np.testing.assert_array_equal(prediction.predict(compiled.tflite, [data], "npu"), expected)


@given(st.floats(1e-9, 1e9))
def test_rounding_up_keeps_12_bits_and_adds_at_most_one_in_2048(scale: float) -> None:
    rounded = rounded_up(scale)
    fraction, _ = np.frexp(rounded)
    assert fraction * 2**12 == int(fraction * 2**12)
    assert scale <= rounded <= scale * (1 + 2**-11)
    assert np.float32(rounded) == rounded


def multiplier(real: float) -> tuple[int, int]:
    """TFLite's QuantizeMultiplier: a 31-bit multiplier and a shift."""
    fraction, exponent = np.frexp(real)
    return round(float(fraction) * 2**31), int(exponent)


def float64(*scales: float) -> tuple[int, int]:
    a, b, out = map(float, scales)
    return multiplier(a * b / out)


def float32(*scales: float) -> tuple[int, int]:
    a, b, out = map(np.float32, scales)
    return multiplier(float(np.float32(a * b) / out))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("activations", ["int8", "int16"])
@pytest.mark.parametrize("name", slow.but_one_of(2, NETWORKS))
def test_every_multiplier_is_the_same_in_both_precisions(name: str, activations: str) -> None:
    model = trained(Case("", name, NETWORKS[name]))
    data = np.random.default_rng(3).normal(size=(30, *model.input_shape[1:]))
    float_tflite = convert(unroll(model))
    ranges = calibrate(float_tflite, data, activations=activations).ranges
    quantized = flatbuffer.read(quantize(float_tflite, ranges, activations))
    graph = quantized.subgraphs[0]
    checked = 0
    for op in graph.operators:
        kind = flatbuffer.operator_kind(quantized, op)
        if kind in ("TANH", "LOGISTIC") and activations == "int8":
            (scale,) = graph.tensors[op.inputs[0]].quantization.scale
            assert rounds_clearly(scale)  # Vela's table would differ from TFLM's
        if kind not in ("MUL", "FULLY_CONNECTED", "CONV_2D"):
            continue
        a, b = (graph.tensors[i].quantization.scale for i in op.inputs[:2])
        (out,) = graph.tensors[op.outputs[0]].quantization.scale
        for each in np.ravel(b):
            if kind == "MUL":
                assert float64(a[0], each, out) == float32(a[0], each, out)
            else:  # Vela rounds the product of the scales only
                assert float(a[0]) * float(each) == float(np.float32(a[0]) * np.float32(each))
            checked += 1
    assert checked > 5


def test_litert_adds_two_int16_tensors_of_fixed_scales() -> None:
    """Of both directions' tanh, 2^-15: it refuses a sum whose scale is a power of two as well."""
    layer = L.SimpleRNN(8, return_sequences=True)
    model = trained(Case("", "both", chain(L.Bidirectional(layer, merge_mode="ave"), L.Dense(2))))
    data = np.random.default_rng(3).normal(size=(30, *model.input_shape[1:]))
    float_tflite = convert(unroll(model))
    ranges = calibrate(float_tflite, data, activations="int16").ranges
    quantized = quantize(float_tflite, ranges, "int16")
    litert, tflm = (prediction.predict(quantized, data, name)[0] for name in ("litert", "tflm"))
    np.testing.assert_allclose(litert, tflm, atol=1e-3)


def test_the_binary_of_many_random_networks_gives_tflms_bytes() -> None:
    """Without exact scales about one sample in two hundred differs for a GRU(64) on MNIST."""
    for name, build in NETWORKS.items():
        model = trained(Case("", name, build))
        data = np.random.default_rng(8).normal(size=(300, *model.input_shape[1:]))
        float_tflite = convert(unroll(model))
        int8 = quantize(float_tflite, calibrate(float_tflite, data[:40]).ranges)
        compiled = vela.compile(int8, target())
        arrays = [data.astype(np.float32)]
        comparison = verification.compare(
            compiled,
            int8,
            arrays,
            prediction.predict(compiled.tflite, arrays, "npu"),
            prediction.predict(int8, arrays, "tflm"),
        )
        assert (comparison.equal, comparison.first_difference) == (300, ""), name
