"""Ranges of quantization-aware models: the int8 file has those of the pairs in the file."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_models
import onnx_rounded
import pytest
import slow
from conftest import FEATURES
from onnx import numpy_helper
from onnx_forms.form import w
from onnx_models import made, node

import unspool
from unspool.errors import UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx
from unspool.inspection.lost_ranges import lost_ranges
from unspool.quantization.known import known_ranges
from unspool.tflite import flatbuffer

STEPS = 7
pytestmark = pytest.mark.filterwarnings("ignore:the file rounds:unspool.UnspoolWarning")


def _network(last: str = "y") -> Any:
    """A convolution, a GRU, an LSTM and a Gemm of random weights, none of them rounded."""
    nodes = [
        node("Conv", "x wc bc", "c", kernel_shape=[3], pads=[1, 1]),
        node("Relu", "c", "r"),
        node("Transpose", "r", "t", perm=[2, 0, 1]),
        node("GRU", "t W R B", "g _", hidden_size=6, linear_before_reset=1),
        node("Squeeze", "g one", "s"),
        node("MatMul", "s wm", "m"),
        node("LSTM", "m V U", "_ h", hidden_size=4),
        node("Squeeze", "h zero", "f"),
        node("Gemm", "f wd bd", last),
    ]
    constants = {"wc": w(5, FEATURES, 3), "bc": w(5), "W": w(1, 18, 5), "R": w(1, 18, 6)}
    constants |= {"B": w(1, 36), "V": w(1, 16, 6), "U": w(1, 16, 4), "wd": w(4, 3), "bd": w(3)}
    constants |= {"wm": w(6, 6), "one": np.array([1]), "zero": np.array([0])}
    return made(nodes, {"x": [1, FEATURES, STEPS]}, ["y"], constants)


def _by_onnxruntime(folder: Path, samples: np.ndarray, **options: Any) -> Path:
    """The network as onnxruntime quantizes it, which calibrates on samples."""
    from onnxruntime import quantization

    class Samples(quantization.CalibrationDataReader):  # type: ignore[misc]
        left = iter([{"x": sample[None]} for sample in samples])

        def get_next(self) -> Any:
            return next(self.left, None)

    (folder / "float.onnx").write_bytes(_network().SerializeToString())
    path = folder / "model.onnx"
    quantization.quantize_static(
        *(folder / "float.onnx", path, Samples()),
        quant_format=quantization.QuantFormat.QDQ,
        **options,
    )
    return path


def _samples(count: int) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, (count, FEATURES, STEPS)).astype(np.float32)


def _pairs(path: Path) -> dict[str, tuple[float, float]]:
    """Value that a QuantizeLinear of the file takes -> the range that it stands for."""
    graph = onnx.load(path).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    ranges = {}
    for each in graph.node:
        if each.op_type == "QuantizeLinear":
            scale, zero = (values[name] for name in each.input[1:3])
            ends = np.iinfo(zero.dtype)
            ranges[each.input[0]] = tuple(
                (np.array([ends.min, ends.max]) - float(zero)) * float(scale)
            )
    return ranges


def _int8(float_tflite: bytes, samples: np.ndarray) -> dict[str, tuple[float, float]]:
    """Tensor of the int8 file -> what it can hold."""
    calibration = unspool.calibrate(float_tflite, [samples])
    model = flatbuffer.read(unspool.quantize(float_tflite, calibration.ranges))
    ranges = {}
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization and tensor.quantization.scale is not None:
            scale, zero = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
            ranges[tensor.name.decode()] = (scale * (-128 - zero), scale * (127 - zero))
    return ranges


def _check(limits: tuple[float, float], expected: tuple[float, float]) -> None:
    """Scales have 12 significant bits (docs/decisions.md); zero is on a level, half of one away."""
    level = (expected[1] - expected[0]) / 255
    assert np.allclose(limits, expected, rtol=2**-11, atol=level / 2)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["QInt8", "QUInt8"])
def test_ranges_are_those_that_onnxruntime_chose(kind: str, tmp_path: Path) -> None:
    """But for the LSTM's last state, which shares its range with those of all other steps."""
    from onnxruntime.quantization import QuantType

    samples = _samples(8)
    types = {"activation_type": QuantType[kind], "weight_type": QuantType.QInt8}
    path = _by_onnxruntime(tmp_path, samples, per_channel=True, **types)
    pairs = _pairs(path)
    loaded = unspool.load(path)
    float_tflite = unspool.convert(unspool.unroll(loaded))
    stored = _int8(float_tflite, 3 * samples)  # what is observed has other ranges
    known = known_ranges(flatbuffer.read(float_tflite))
    by_pair = {name: [t for t, r in known.items() if _same(r, pairs[name])] for name in pairs}
    assert by_pair["x"][0] == "x" and by_pair["y_QuantizeLinear_Input"] == ["y"]
    assert {"gru_of_g/step_000/h", "gru_of_g/step_006/h"} <= {*by_pair["s"]}
    for name in pairs.keys() - {"f"}:
        for tensor in by_pair[name]:
            _check(stored[tensor], pairs[name])
    low, high = stored["lstm_of_h/step_006/h"]
    assert low < pairs["f"][0] and high > pairs["f"][1]


def _same(limits: Any, pair: tuple[float, float]) -> bool:
    return np.allclose((limits.minimum, limits.maximum), pair, rtol=1e-6)


RANGES = {"x": (-3.0, 0.81), "h_last": (-1.25, 1.30), "y": (-1638.4, 1638.35)}
"""Of tensors of `onnx_rounded.aware`."""


@pytest.fixture(scope="module")
def aware(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnspoolWarning)
        return load_onnx(
            onnx_models.saved(onnx_rounded.aware(STEPS), tmp_path_factory.mktemp("aware"))
        )


DATA = np.random.default_rng(4).normal(0, 0.3, (20, STEPS, 3)).astype(np.float32)


QUICK = ("as it is", "from a file", "as a stream")


def _known(float_tflite: bytes) -> dict[str, tuple[float, float]]:
    return {
        name: (known.minimum, known.maximum)
        for name, known in known_ranges(flatbuffer.read(float_tflite)).items()
    }


@pytest.mark.parametrize("way", slow.unless(QUICK, [*QUICK, "compressed"]))
def test_ranges_stay_with_the_model(way: str, aware: Any, tmp_path: Path) -> None:
    model = aware
    if way == "from a file":
        aware.save(tmp_path / "model.keras")
        model = unspool.load(tmp_path / "model.keras")
    if way == "compressed":
        aware.compile(loss="mse")
        targets, quick = np.zeros((len(DATA), 2), np.float32), unspool.FineTuning(epochs=2)
        done = unspool.compress(aware, DATA, targets, calibration=DATA, fine_tuning=quick)
        model = done.model
    deploy_model = unspool.unroll_stream(model) if way == "as a stream" else unspool.unroll(model)
    ranges = _known(unspool.convert(deploy_model))
    for name, tensor in (("x", "x"), ("y", "y")):
        assert np.allclose(ranges[tensor], RANGES[name], rtol=1e-6)
    state = "gru/h_out" if way == "as a stream" else f"gru/step_{STEPS - 1:03d}/h"
    state = next(name for name in ranges if name.endswith(state.removeprefix("gru")))
    assert np.allclose(ranges[state], RANGES["h_last"], rtol=1e-6)


def test_the_file_stores_them_and_what_it_cannot_is_told(aware: Any) -> None:
    float_tflite = unspool.convert(unspool.unroll(aware))
    stored = _int8(float_tflite, DATA)
    for name in ("x", "y"):
        _check(stored[name], RANGES[name])
    int16 = unspool.quantize(float_tflite, unspool.calibrate(float_tflite, DATA).ranges, "int16")
    (text,) = lost_ranges(aware, float_tflite, int16)
    assert text.startswith("3 of the 3 ranges that the trained model has are not the binary's (x_")


@pytest.mark.slow
def test_deploy_tells_what_it_cannot_take_over(aware: Any) -> None:
    options = unspool.Options(activations="int16", remedy_seconds=0)
    with pytest.warns(UnspoolWarning, match="^3 of the 3 ranges"):
        deployment = unspool.deploy(aware, DATA, options=options)
    assert any(text.startswith("3 of the 3 ranges") for text in deployment.warnings)
