"""Models of PyTorch by each of its exporters; what PyTorch computed is in pytorch/torch.tar.xz."""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnx
import onnxruntime
import pytest
import slow
import torch_archive

import unspool
from unspool import Options
from unspool.compilation.targets import target
from unspool.errors import UnspoolError, UnspoolWarning

pytestmark = pytest.mark.usefixtures("computing")
PAGE = Path(__file__).parents[2] / "docs" / "pytorch.md"
EVERY = [name for name in torch_archive.names() if not name.endswith(".npz")]
NAMES = [name for name in EVERY if not name.startswith(("step.", "fed.", "rounded_"))]
STEPS = [name for name in EVERY if name.startswith("step.")]
"""Files that compute one frame of a stream, with their states in and out."""

LAYERS = {
    "carried": "LSTM Dense",
    "by_hand": "Conv1D Activation GroupNormalization Dense Activation GRU Dense",
    "cells": "GRU LSTM Dense",
    "alone": "LSTM LSTM Dense",
    "attention": "Bidirectional LayerNormalization Dense Softmax Dense Dense Activation",
    "autoencoder": "GRU RepeatVector GRU Dense",
    "conv_lstm": "Permute Conv1D Activation MaxPooling1D Conv1D LeakyReLU LSTM LSTM Dense",
    "crnn": "ZeroPadding2D Conv2D Activation DepthwiseConv2D Conv2D Activation MaxPooling2D "
    "Permute GRU Dense Softmax",
    "gru_last": "GRU Dense",
    "gru_stack_hidden": "GRU GRU GRU Dense",
    "gru_time_first": "GRU Dense",
    "gru_without_bias": "GRU Dense Activation",
    "lstm_both_hidden": "Bidirectional Bidirectional Concatenate Dense",
    "lstm_last": "LSTM Dense",
    "rnn_relu": "SimpleRNN Dense Activation",
    "rnn_tanh": "SimpleRNN Dense",
    "started": "Dense Activation GRU Dense",
    "stateful": "Dense Activation GRU GRU Dense Activation",
}
"""Model -> the layers that it has in PyTorch, moves of values but for one Permute left out."""


OFTEN = {
    model: (".pt2", (".script.onnx", ".dynamo.onnx")[number % 2])
    for number, model in enumerate(
        ("alone", "cells", "crnn", "gru_last", "rnn_relu", "scaled", "started", "stateful")
    )
}
"""Models of which every run reads two exporters' files; of a third of the others the `.pt2`."""


def _is_usual(name: str) -> bool:
    often = name.endswith(OFTEN.get(name.split(".")[0], ()))
    return often or (name.endswith(".pt2") and (name == "joined.pt2" or slow.is_drawn(name, 3)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return torch_archive.unpacked(tmp_path_factory.mktemp("torch"))


@cache
def _loaded(path: Path, **options: Any) -> Any:
    states = {
        "stateful": r"h0\[0\] -> rnn/h, h0\[1\] -> rnn_1/h",
        "carried": "h0 -> cell/h, c0 -> cell/c",
    }.get(path.name.split(".")[0])
    if states:
        with pytest.warns(UnspoolWarning, match=states):
            return unspool.load(path, **options)
    return unspool.load(path, **options)


def _stored(path: Path) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Samples by input, and PyTorch's outputs in its order, without states."""
    stored = np.load(path.parent / f"{path.name.split('.')[0]}.npz")
    given = {key: stored[key] for key in stored if ":" not in key and key not in ("h0", "c0")}
    outputs = [key for key in stored if ":" in key and key not in ("out:hn", "out:cn")]
    return given, [stored[key] for key in outputs]


def _outputs(model: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:
    outputs = model.predict([given[tensor.name] for tensor in model.inputs], verbose=0)
    return [outputs[name] for name in outputs]


@pytest.mark.parametrize(
    "name",
    slow.unless([name for name in NAMES if _is_usual(name)], NAMES),
)
def test_a_file_gives_what_pytorch_gave_by_layers_of_the_model(files: Path, name: str) -> None:
    model = _loaded(files / name)
    given, expected = _stored(files / name)
    outputs = _outputs(model, given)
    assert len(outputs) == len(expected)
    for values, torch_values in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(values, torch_values.reshape(values.shape), atol=1e-6)
    layers = LAYERS.get(name.split(".")[0])
    if layers:
        kinds = [type(layer).__name__ for layer in model.layers]
        # PyTorch folds a BatchNormalization into its convolution, by some exporters.
        left_out = ["InputLayer", "Reshape", "BatchNormalization"]
        if name.startswith("by_hand"):  # ONNX has its GroupNormalization as one of instances
            left_out.append("Permute")
        assert " ".join(kind for kind in kinds if kind not in left_out) == layers


ALL_TARGETS = ("autoencoder.pt2", "cells.pt2")
"""Quick ones; of the others one NPU in every run, and the deployments below on another."""
LONG = ("joined.pt2",)
"""Of layers that others have, too."""


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("name", "accelerator"),
    [
        pytest.param(
            name,
            accelerator,
            marks=[]
            if name in ALL_TARGETS or (accelerator == "ethos-u85-256" and name not in LONG)
            else pytest.mark.slow,
        )
        for name in NAMES
        if name.endswith(".pt2") and name != "cell_behind.pt2"
        for accelerator in ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
    ],
)
def test_no_layer_is_refused_or_left_to_the_cpu(files: Path, name: str, accelerator: str) -> None:
    steps = 12 if name.startswith("gru_last") else None
    verdicts = unspool.inspect(_loaded(files / name), time_steps=steps, target=target(accelerator))
    assert {verdict.action for verdict in verdicts} <= {"keep", "fold", "unroll", "input"}


QUICK = ("crnn.script.onnx", "stateful.dynamo.onnx")


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", slow.unless(QUICK, NAMES))
def test_it_runs_on_the_npu_with_tflms_bytes(files: Path, name: str) -> None:
    model = _loaded(files / name)
    rng = np.random.default_rng(0)
    steps = 33 if model.inputs[0].shape[1] is None else None
    data = {
        tensor.name: rng.normal(size=[40, *(size or steps or 0 for size in tensor.shape[1:])])
        for tensor in model.inputs
    }
    samples = {key: values.astype(np.float32) for key, values in data.items()}
    options = unspool.Options(remedy_seconds=0)
    deployment = unspool.deploy(model, samples, time_steps=steps, options=options)
    simulation, quality = deployment.measured.simulation, deployment.measured.quality
    assert simulation is not None and simulation.equal == simulation.samples == 40
    assert not deployment.compiled.cpu_operators
    assert quality is not None and quality.worst is not None
    assert quality.worst.mean < 2.5  # % of a column's range


@pytest.mark.parametrize("name", ["stateful.script.onnx", "stateful.dynamo.onnx", "stateful.pt2"])
def test_states_that_the_file_has_as_inputs_are_a_streams(files: Path, name: str) -> None:
    """Fed step by step, the float network gives what PyTorch gave for the sequence."""
    model = _loaded(files / name)
    given, (expected,) = _stored(files / name)
    session = unspool.Session(unspool.convert(unspool.unroll_stream(model, time_steps=2)))
    assert session.state_names == ("rnn/h", "rnn_1/h")
    (output,) = session.predict(given["x"])
    np.testing.assert_allclose(output, expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("name", slow.unless(["step.pt2"], STEPS))
def test_a_file_of_one_step_is_a_stream(files: Path, name: str) -> None:
    """PyTorch was called frame by frame; the Keras model takes sequences of frames."""
    with pytest.warns(UnspoolWarning, match=r"state\[0\] -> rnn/h, state\[1\] -> rnn/c"):
        model = unspool.load(files / name)
    assert model.inputs[0].shape == (None, None, 9, 4)
    given, (expected,) = _stored(files / name)
    (output,) = _outputs(model, {model.inputs[0].name: given["x"]})
    np.testing.assert_allclose(output, expected, atol=1e-6)

    data = np.random.default_rng(3).normal(size=(24, 33, 9, 4)).astype(np.float32)
    options = unspool.Options(remedy_seconds=0)
    deployment = unspool.deploy_stream(model, data, options=options)
    simulation = deployment.measured.simulation
    assert simulation is not None and simulation.equal == simulation.samples == 24
    assert not deployment.compiled.cpu_operators
    calls = unspool.Session(deployment.float_tflite).predict_calls(given["x"])
    np.testing.assert_allclose(calls[0].reshape(expected.shape), expected, atol=1e-5)


@pytest.mark.parametrize("per", slow.unless(["tensor"], ["tensor", "channel"]))
def test_what_torchao_rounded_keeps_its_weights_and_ranges(files: Path, per: str) -> None:
    path = files / f"rounded_by_{per}.pt2"
    with pytest.warns(
        UnspoolWarning, match="^the file rounds 5 tensors .* 5 of them get the file's"
    ):
        model = unspool.load(path)
    given, (expected,) = _stored(path)
    (values,) = _outputs(model, given)
    ends = model.layers[-1].get_config()
    step = (ends["maximum"] - ends["minimum"]) / 255
    # PyTorch rounds the output by half a step, and four tensors before it
    np.testing.assert_allclose(values, expected, atol=1.5 * step)
    x = np.random.default_rng(0).normal(0, 1, (40, 30, 6)).astype(np.float32)
    with pytest.warns(UnspoolWarning, match=r"^1 of the 5 ranges .* \(linear_range\)"):  # a ReLU's
        done = unspool.deploy(model, x, options=Options(remedy_seconds=0))
    assert done.compiled.cpu_operators == ()
    assert done.simulation is not None and done.simulation.equal == 40
    (output,) = unspool.Session(done.quantized_tflite).outputs
    assert output.scale == pytest.approx(step, rel=1e-3)  # a number that the NPU multiplies by


@pytest.mark.parametrize("name", ["fed.pt2", "fed.script.onnx", "fed.dynamo.onnx"])
def test_a_cell_that_is_fed_its_own_output_is_refused(files: Path, name: str) -> None:
    with pytest.raises(UnspoolError, match=r"'cell': a cell reads what its own outputs are"):
        unspool.load(files / name)


def test_a_piece_of_a_file_begins_and_ends_where_it_is_told(files: Path) -> None:
    """The middle of a network, fed with what onnxruntime computes in front of it."""
    path = files / "crnn.script.onnx"
    start, stop = "/front/front.6/MaxPool_output_0", "/head/Gemm_output_0"
    model = unspool.load(path, from_tensor=start, to_tensor=stop)
    whole = onnx.load(str(path))
    for name in (start, stop):
        whole.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    session = onnxruntime.InferenceSession(whole.SerializeToString())
    for sample in _stored(path)[0]["x"]:
        fed, expected = session.run([start, stop], {"x": sample[None]})
        (output,) = model([fed]).values()
        np.testing.assert_allclose(output, expected, atol=1e-5)


CUTS = {
    "from": (
        "from_tensor",
        r"no node computes a tensor 'Pool'; expected one such as '/front/.*Pool",
    ),
    "to": ("to_tensor", r"no node computes a tensor 'Pool'"),
}


@pytest.mark.parametrize("which", CUTS)
def test_a_tensor_that_is_not_there_is_told(files: Path, which: str) -> None:
    argument, reason = CUTS[which]
    with pytest.raises(UnspoolError, match=reason):
        unspool.load(files / "crnn.script.onnx", **{argument: "Pool"})  # type: ignore[arg-type]
    with pytest.raises(UnspoolError, match=rf"crnn\.pt2: not an ONNX file.*`{argument}`"):
        unspool.load(files / "crnn.pt2", **{argument: "Pool"})  # type: ignore[arg-type]


def test_an_open_length_stays_open(files: Path) -> None:
    """The older exporter's dynamic axes: one file for every length."""
    model = _loaded(files / "gru_last.script.onnx")
    assert model.inputs[0].shape == (None, None, 6)
    fixed = _loaded(files / "gru_last.script.onnx", time_steps=33)
    given, (expected,) = _stored(files / "gru_last.script.onnx")
    for one in (model, fixed):
        np.testing.assert_allclose(_outputs(one, given)[0], expected[:, 0], atol=1e-6)


@pytest.mark.parametrize("name", ["gru_last.dynamo.onnx", "gru_last.pt2"])
def test_a_fixed_length_can_be_another(files: Path, name: str) -> None:
    model = _loaded(files / name, time_steps=20)
    data = {"x": _stored(files / name)[0]["x"][:, :20]}
    open_twin = _loaded(files / "gru_last.script.onnx")
    np.testing.assert_allclose(_outputs(model, data)[0], _outputs(open_twin, data)[0], atol=1e-6)
    assert _loaded(files / name).inputs[0].shape[1] == 33


REFUSED = {
    "model.pt": (b"PK\3\4", r"torch\.export\.save\(torch\.export\.export\(model"),
    "model.safetensors": (b"{}", r"without a graph that can be read safely"),
    "model.onnx": (b"\x08\x07\x12", r"not an ONNX file, or damaged"),
    "empty.onnx": (b"", r"has no output"),
    "cut.pt2": (b"PK\3\4", r"not a whole \.pt2 file, which torch\.export\.save writes"),
    "model.onnx.data": (b"\0" * 64, r"the weights of an ONNX file alone; give 'model\.onnx'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnspoolError, match=reason) as refused:
        unspool.load(tmp_path / name)
    assert "\n" not in str(refused.value) and str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize("name", ["attention.script.onnx", "attention.pt2"])
def test_damaged_files_are_refused_or_read_never_a_traceback(
    files: Path, tmp_path: Path, name: str
) -> None:
    content = (files / name).read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(1, len(content), 20):
        _read(tmp_path / name, content[:cut])
    for places in rng.integers(0, len(content), (60, 4)):
        damaged = bytearray(content)
        for place in places:
            damaged[place] ^= 1 << int(place) % 8
        _read(tmp_path / name, bytes(damaged))


def _read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        unspool.load(path)
    except UnspoolError as error:
        assert "\n" not in str(error)


def test_a_pickle_in_a_program_is_never_opened(files: Path, tmp_path: Path) -> None:
    """Weights that are said to be pickled."""
    path = tmp_path / "model.pt2"
    with ZipFile(files / "gru_last.pt2") as source, ZipFile(path, "w") as made:
        for name in source.namelist():
            content = source.read(name)
            made.writestr(name, content.replace(b'"use_pickle": false', b'"use_pickle": true'))
    with pytest.raises(UnspoolError, match=r"weights 'rnn\.weight_ih_l0' are pickled"):
        unspool.load(path)


def test_the_pages_five_lines_run(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those behind the export: the file is torch.export's, and nothing of torch is imported."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    data = np.random.default_rng(0).normal(size=(30, 33, 6)).astype(np.float32)
    (tmp_path / "model.pt2").write_bytes((files / "gru_last.pt2").read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(code.split("\n\n")[1], {"unspool": unspool, "Path": Path, "calibration": data})
    assert Path("model_vela.tflite").is_file()
    assert "torch" not in sys.modules
