"""Weights of a model written back into its ONNX file: onnxruntime says what the file computes."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_models
import onnxruntime
import pytest
import slow
import torch_archive
from onnx_cells import Case, model_of

import unspool
from unspool import UnspoolError, UnspoolWarning

EXPORTERS = ("dynamo", "script")
NAMES = [name for name in torch_archive.names() if name.endswith(".onnx")]
LOOPS = [
    *(
        f"{name}.{by}.onnx"
        for name in (
            *("by_hand", "carried", "cell_behind", "cells", "forecaster", "joined", "scaled"),
        )
        for by in EXPORTERS
    ),
    *("rnn_relu.dynamo.onnx", "rnn_tanh.dynamo.onnx"),
]
"""Files that hold constants which were computed of weights."""

WHOLE = [name for name in NAMES if name not in LOOPS and not name.startswith(("fed.", "step."))]
QUICK = ("crnn.script.onnx",)


def _loaded(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnspoolWarning)
        return unspool.load(path)


def _trained_on(model: Any) -> Any:
    """The same model, every weight another."""
    rng = np.random.default_rng(7)
    model.set_weights([w + rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
    return model


def _of_samples(path: Path, x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime computes sample by sample, states at zero, by the outputs' names."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    rows = []
    for n in range(len(next(iter(x.values())))):
        feed = {}
        for value in session.get_inputs():
            shape = [size if isinstance(size, int) else 1 for size in value.shape]
            if value.name in x:
                batch = [axis for axis, size in enumerate(value.shape) if size in (1, "batch")]
                feed[value.name] = np.expand_dims(x[value.name][n], batch[:1])
            else:
                feed[value.name] = np.zeros(shape, np.float32)
        rows.append(session.run(names, feed))
    return {name: np.stack([row[n] for row in rows]) for n, name in enumerate(names)}


@pytest.mark.parametrize("name", slow.unless(QUICK, WHOLE))
def test_the_file_computes_what_the_model_does(name: str, tmp_path: Path) -> None:
    path, written = torch_archive.unpacked(tmp_path, name), tmp_path / "written.onnx"
    model = _trained_on(_loaded(path))
    written.write_bytes(unspool.to_onnx(model, path))
    rng = np.random.default_rng(1)
    x = {
        tensor.name: rng.normal(0, 1, (3, *(n or 9 for n in tensor.shape[1:]))).astype(np.float32)
        for tensor in model.inputs
    }
    expected = _of_samples(written, x)
    for key, values in model.predict(list(x.values()), verbose=0).items():
        np.testing.assert_allclose(values.ravel(), expected[key].ravel(), atol=1e-5)
    before, after = (
        [node.op_type for node in onnx.load(each).graph.node] for each in (path, written)
    )
    assert after == before


@pytest.mark.slow
def test_one_step_of_a_stream_takes_weights_too(tmp_path: Path) -> None:
    """Called frame by frame with its state, the file computes what the model does of sequences."""
    path, written = torch_archive.unpacked(tmp_path, "step.script.onnx"), tmp_path / "written.onnx"
    model = _trained_on(_loaded(path))
    written.write_bytes(unspool.to_onnx(model, path))
    session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(0, 1, (1, 6, *model.inputs[0].shape[2:]))
    (expected,) = model.predict(x.astype(np.float32), verbose=0).values()
    frame, *states = session.get_inputs()
    kept = {value.name: np.zeros(value.shape, np.float32) for value in states}
    for step in range(6):
        given = x[0, step].astype(np.float32).reshape(frame.shape)
        output, *after = session.run(None, {frame.name: given, **kept})
        kept = dict(zip(kept, after, strict=True))
        np.testing.assert_allclose(output.ravel(), expected[0, step].ravel(), atol=1e-5)


@pytest.mark.parametrize("name", slow.unless(["cells.dynamo.onnx"], LOOPS))
def test_a_loop_with_computed_steps_is_refused(name: str, tmp_path: Path) -> None:
    path = torch_archive.unpacked(tmp_path, name)
    model = _trained_on(_loaded(path))
    with pytest.raises(UnspoolError, match=r"what was computed of its weights|from several of the"):
        unspool.to_onnx(model, path)


CASES = {
    "gru": Case(),
    "gru reset before": Case(before=0),
    "gru both ways": Case(direction="bidirectional"),
    "lstm": Case("LSTM"),
    "lstm backwards": Case("LSTM", direction="reverse"),
    "rnn": Case("RNN"),
    "without biases": Case("LSTM", bias=False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_node_takes_its_weights(name: str, tmp_path: Path) -> None:
    path = onnx_models.saved(model_of(CASES[name], 0), tmp_path)
    model = _trained_on(_loaded(path))
    written = onnx.load_from_string(unspool.to_onnx(model, path))
    x = np.random.default_rng(0).normal(0, 1, (5, 1, 3)).astype(np.float32)
    expected = onnx_models.run(written, {"x": x})["Y"]
    output = onnx_models.answers(model, {"x": x.swapaxes(0, 1)})["Y"]
    np.testing.assert_allclose(output.ravel(), expected.ravel(), atol=1e-5)


def test_a_slope_that_kernels_gave_cannot_be_told(tmp_path: Path) -> None:
    case = Case("RNN", activations=("HardSigmoid",), alphas=(0.3,), betas=(0.4,))
    path = onnx_models.saved(model_of(case, 0), tmp_path)
    model = _loaded(path)
    model.set_weights([w + 0.1 for w in model.get_weights()])
    with pytest.raises(
        UnspoolError, match="the weight 'the_rnn/simple_rnn_cell/kernel' is computed from several"
    ):
        unspool.to_onnx(model, path)


def test_a_model_of_another_file_is_refused(tmp_path: Path) -> None:
    model = _loaded(onnx_models.saved(model_of(Case("LSTM"), 0), tmp_path))
    path = onnx_models.saved(model_of(Case(), 0), tmp_path)
    with pytest.raises(UnspoolError, match="has other weights than model"):
        unspool.to_onnx(model, path)


@pytest.mark.parametrize("by_node", [False, True])
def test_factors_of_a_resize_are_no_weights(by_node: bool, tmp_path: Path) -> None:
    """Whether they are stored beside the weights, or in a node of their own."""
    factors = np.array([1, 1, 2], np.float32)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    nodes = [
        onnx_models.node("Conv", "x w", "c", kernel_shape=[3], pads=[1, 1]),
        onnx_models.node("Resize", "c _ f", "y", nearest_mode="floor", **attributes),
    ]
    if by_node:
        value = onnx.numpy_helper.from_array(factors)
        nodes.insert(0, onnx.helper.make_node("Constant", [], ["f"], value=value))
    weights = {"w": np.random.default_rng(0).normal(0, 1, (4, 3, 3)).astype(np.float32)}
    constants = weights if by_node else {**weights, "f": factors}
    made = onnx_models.made(nodes, {"x": [1, 3, 10]}, ["y"], constants)
    path, written = onnx_models.saved(made, tmp_path), tmp_path / "written.onnx"
    model = _trained_on(_loaded(path))
    written.write_bytes(unspool.to_onnx(model, path))
    x = np.random.default_rng(1).normal(0, 1, (3, 3, 10)).astype(np.float32)
    (output,) = model.predict(x, verbose=0).values()
    np.testing.assert_allclose(output, _of_samples(written, {"x": x})["y"][:, 0], atol=1e-5)
