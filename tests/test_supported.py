"""Every line of `cases.py`: Keras says what is right, Vela says where it runs."""

import numpy as np
import pytest
from cases import CASES, PAGE, Case, page, trained

from unspool import flatbuffer, runtime, samples, vela
from unspool.calibration import calibrate
from unspool.conversion import convert
from unspool.datasets import mnist
from unspool.evaluation import predict
from unspool.quantization import quantize
from unspool.runtime import Session
from unspool.targets import target
from unspool.unrolling import unroll

TARGETS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
SAMPLES = 24


def real(shape: tuple[int, ...]) -> np.ndarray:
    """Real values of any shape: strokes of MNIST, from rows with ink."""
    images = mnist.load().test_images[:400, 8:20]
    return np.resize(images.astype(np.float32) / 255, (SAMPLES, *shape))


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, (SAMPLES, *shape)).astype(np.float32)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.name}")
def test_it_is_deployed(case: Case):
    model = trained(case)
    deploy_model = unroll(model, case.time_steps)
    shapes = [tuple(tensor.shape[1:]) for tensor in deploy_model.inputs]
    float_tflite = convert(deploy_model)
    inputs, outputs = flatbuffer.inputs_and_outputs(flatbuffer.read(float_tflite))
    assert [t.name for t in inputs] == [t.name for t in model.inputs]
    assert len(outputs) == len(model.outputs)

    for make in (drawn, real):
        data = [make(shape) for shape in shapes]
        expected = predict(model, data)
        for found in (predict(deploy_model, data), runtime.predict(float_tflite, data, "litert")):
            for a, b in zip(found, expected, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)

    data = [np.concatenate([drawn(shape), real(shape)]) for shape in shapes]
    int8 = quantize(float_tflite, calibrate(float_tflite, data).ranges)
    session = Session(int8, "tflm")
    assert {t.dtype for t in (*session.inputs, *session.outputs)} == {np.dtype(np.int8)}
    for a, b in zip(session.predict(data), predict(model, data), strict=True):
        error = np.abs(a - b) / (b.max() - b.min())
        assert error.mean() < case.mean
        assert error.max() < case.largest

    for accelerator in TARGETS:
        compiled = vela.compile(int8, target(accelerator))
        assert [(op.kind, op.name, op.reason) for op in compiled.cpu_operators] == []


def test_samples_are_what_the_models_take():
    """The helper above would hide it if a case took no data at all."""
    for case in CASES[:3]:
        model = case.build()
        samples.check([drawn(tuple(model.inputs[0].shape[1:]))], model.inputs, "data")


def test_the_page_is_not_stale():
    assert PAGE.read_text() == page(), "run python tests/cases.py"
