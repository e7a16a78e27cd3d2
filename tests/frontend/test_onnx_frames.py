"""Files that compute one frame of a stream, their states in and out."""

from pathlib import Path

import numpy as np
import onnx_models
import pytest
from onnx_forms.form import w
from onnx_models import made, node

import unspool
from unspool.frontend.onnx.loading import load_onnx


@pytest.mark.filterwarnings("ignore:first states are left out")
def test_a_frame_may_have_its_time_in_front(tmp_path: Path) -> None:
    """As nn.GRU takes it by default, (1, 1, features): in a sequence the frames stand in front."""
    nodes = [
        node("MatMul", "x K", "k"),
        node("Relu", "k", "r"),
        node("GRU", "r W R _ _ h0", "s hn", hidden_size=4),
        node("Squeeze", "s one", "y"),
    ]
    constants = {"K": w(3, 5), "W": w(1, 12, 5), "R": w(1, 12, 4), "one": np.array([1])}
    model = made(nodes, {"x": [1, 1, 3], "h0": [1, 1, 4]}, ["y", "hn"], constants)
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert loaded.inputs[0].shape == (None, None, 1, 3)
    assert unspool.unroll_stream(loaded).inputs[0].shape == (1, 1, 1, 3)
    frames, state, expected = np.random.default_rng(3).normal(0, 1, (7, 1, 1, 3)), np.zeros(4), []
    for frame in frames.astype(np.float32):
        given = {"x": frame, "h0": state.reshape(1, 1, 4).astype(np.float32)}
        made_ = onnx_models.run(model, given)
        expected.append(made_["y"][0])
        state = made_["hn"]
    output = onnx_models.answers(loaded, {"x": frames[:, 0][None].astype(np.float32)})["y"]
    np.testing.assert_allclose(output[0], expected, rtol=1e-5, atol=1e-6)
