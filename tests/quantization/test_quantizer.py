"""The int8 file: int8 throughout, the same scale in every step, readable by both runtimes."""

import re
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import random_samples, small_model

from unspool.errors import UnspoolError
from unspool.quantization.calibration import Calibration, calibrate
from unspool.quantization.quantizer import quantize
from unspool.runtime.session import Session
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll


def tensors(tflite: bytes) -> Any:
    return flatbuffer.read(tflite).subgraphs[0].tensors


def test_no_tensor_is_float(int8_tflite: bytes) -> None:
    assert {t.type for t in tensors(int8_tflite)} <= {
        schema.TensorType.INT8,
        schema.TensorType.INT32,
    }


def test_inputs_and_outputs_are_int8_and_keep_their_names(int8_tflite: bytes) -> None:
    session = Session(int8_tflite)
    assert [(t.name, t.dtype) for t in (*session.inputs, *session.outputs)] == [
        ("x", np.dtype(np.int8)),
        ("y", np.dtype(np.int8)),
    ]


def scales_by_role(int8: bytes) -> dict[str, set[tuple[float, int]]]:
    scales = defaultdict(set)
    for tensor in tensors(int8):
        name = tensor.name.decode()
        if "step_" in name and tensor.quantization.scale is not None:
            scale = (float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
            scales[re.sub(r"step_\d+", "step", name)].add(scale)
    return scales


@pytest.mark.parametrize("cell", ["gru", "lstm", "simple"])
def test_what_weights_multiply_and_give_has_one_scale_in_all_steps(cell: str) -> None:
    """Vela would store a table of scales for each step otherwise."""
    float_tflite = convert(unroll(small_model(cell, steps=12)))
    int8 = quantize(float_tflite, calibrate(float_tflite, random_samples(30, steps=12)).ranges)
    scales = scales_by_role(int8)
    model = flatbuffer.read(int8)
    weighted = {
        re.sub(r"step_\d+", "step", name)
        for op in flatbuffer.graph_operators(model)
        if op.kind == "FULLY_CONNECTED"
        for name in (op.inputs[0], *op.outputs)
        if "step_" in name
    }
    assert f"{cell}/step/h" in weighted
    assert {role: scales[role] for role in weighted if len(scales[role]) > 1} == {}


def test_a_cell_state_that_grows_has_finer_scales_in_early_steps_and_few_tables() -> None:
    """LSTM's c: all steps in one range cost three times the error; a table each, 256 bytes."""
    model = small_model("lstm", units=16, steps=40)
    kernel, recurrent, bias, *head = model.get_weights()
    bias[16:32] = 6.0  # it forgets nothing
    model.set_weights([kernel, recurrent, bias, *head])
    data = random_samples(30, steps=40)
    float_tflite = convert(unroll(model))
    calibration = calibrate(float_tflite, data)
    scales = scales_by_role(quantize(float_tflite, calibration.ranges))
    assert len(scales["lstm/step/fc"]) > 20
    assert 2 <= len(scales["lstm/step/c"]) <= 8
    widths = [calibration.ranges[f"lstm/step_{n:03d}/c"].width for n in (1, 39)]
    assert widths[0] < widths[1] / 2


def test_recurrent_kernels_have_one_scale_per_tensor(int8_tflite: bytes) -> None:
    kernels = [
        t
        for t in tensors(int8_tflite)
        if t.type == schema.TensorType.INT8 and len(t.shape) == 2 and tuple(t.shape) == (24, 8)
    ]
    assert kernels, "the recurrent kernel, (3 x 8 units, 8)"
    assert all(len(t.quantization.scale) == 1 for t in kernels)


def test_every_buffer_is_inside_the_flatbuffer(int8_tflite: bytes) -> None:
    """A large model's buffers are stored outside by litert-quantizer; TFLM would read nothing."""
    float_tflite = convert(unroll(small_model(units=300, steps=3)))
    ranges = calibrate(float_tflite, random_samples(5, steps=3)).ranges
    large = quantize(float_tflite, ranges)
    for content in (int8_tflite, large):
        root = schema.Model.GetRootAsModel(content, 0)
        assert all(
            root.Buffers(i).Offset() == root.Buffers(i).Size() == 0
            for i in range(root.BuffersLength())
        )


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("cell", ["gru", "lstm", "simple"])
@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_int8_outputs_follow_keras(cell: str, runtime: str) -> None:
    """The bounds are levels of the output's scale, 1/256: what int8 costs on 6 steps."""
    model, data = small_model(cell), random_samples(60)
    float_tflite = convert(unroll(model))
    int8 = quantize(float_tflite, calibrate(float_tflite, data).ranges)
    error = np.abs(Session(int8, runtime).predict(data)[0] - model.predict(data, verbose=0))
    assert error.max() < 8 / 256
    assert error.mean() < 1.5 / 256


def test_int16_activations_are_int16_and_closer() -> None:
    model, data = small_model("lstm"), random_samples(60)
    float_tflite = convert(unroll(model))
    ranges = calibrate(float_tflite, data).ranges
    expected = model.predict(data, verbose=0)
    errors = {}
    for activations in ("int8", "int16"):
        session = Session(quantize(float_tflite, ranges, activations), "tflm")
        assert session.inputs[0].dtype == session.outputs[0].dtype == np.dtype(activations)
        errors[activations] = np.abs(session.predict(data)[0] - expected).mean()
    assert errors["int16"] < errors["int8"] / 2


def test_an_unknown_type_is_refused(float_tflite: bytes, calibration: Calibration) -> None:
    with pytest.raises(UnspoolError, match="activations 'int4': expected int8 or int16"):
        quantize(float_tflite, calibration.ranges, "int4")


def test_an_operator_without_int8_form_is_named() -> None:
    from unspool.support._tensorflow import keras

    x = keras.Input((3, 2), name="x")
    model = keras.Model(x, keras.ops.sort(keras.layers.GRU(4)(x), axis=-1))
    float_tflite = convert(unroll(model))
    ranges = calibrate(float_tflite, np.ones((2, 3, 2))).ranges
    with pytest.raises(UnspoolError, match=r"no int8 form .*: TOPK_V2, the first at "):
        quantize(float_tflite, ranges)
