"""A piece of an ONNX file: whoever reads the report or the firmware learns which it is."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx_models
import pytest
from commands import unspool
from onnx import TensorProto, helper
from onnx_forms.form import w
from onnx_models import made, node

from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx
from unspool.frontend.onnx.reading import Piece

SCHEMA = Path("src/unspool/report/report.schema.json")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Squares, a GRU, its outputs scaled by an input, and a Softmax."""
    constants = {"W": w(1, 12, 3), "R": w(1, 12, 4), "K": w(4, 3)}
    nodes = [
        node("Mul", "x x", "power"),
        node("GRU", "power W R", "_ last", hidden_size=4, name="cell"),
        node("Squeeze", "last axes", "flat"),
        node("Mul", "flat gain", "scaled"),
        node("MatMul", "scaled K", "logits"),
        node("Softmax", "logits", "y"),
    ]
    inputs = {"x": [7, 1, 3], "gain": [1]}
    constants["axes"] = np.array([0], np.int64)
    return onnx_models.saved(onnx_models.made(nodes, inputs, ["y"], constants), tmp_path)


def test_report_and_firmware_name_it(file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((30, 7, 3), np.float32))
    run = unspool(
        *("deploy", file, "--from", "power", "--to", "logits", "--set", "gain=2"),
        *("--calibration", tmp_path / "x.npy", "--out", tmp_path / "out"),
    )
    assert run.returncode == 0, run.stderr
    sentence = (
        "a part of the model's file: from tensor 'power', to tensor 'logits', with 'gain' always 2."
    )
    assert sentence in " ".join(run.stdout.split())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["model"]["cut"] == {"from": "power", "to": "logits", "given": {"gain": 2}}
    assert sentence in (tmp_path / "out" / "firmware" / "README.md").read_text()
    assert "from tensor &#39;power&#39;" in (tmp_path / "out" / "report.html").read_text()

    run = unspool("compile", tmp_path / "out" / "model_int8.tflite", "--out", tmp_path / "again")
    assert run.returncode == 0, run.stderr
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    assert again["model"]["cut"] == report["model"]["cut"]


def _branch(name: str, *nodes: Any, output: str) -> Any:
    ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    return helper.make_graph(nodes, name, [], ends)


INNER = [
    node("Mul", "power gain", "scaled"),
    node("Unsqueeze", "h axes", "state"),
    node("GRU", "scaled W R _ _ state", "seq", hidden_size=4),
    node("Squeeze", "seq one", "a"),
]
CONSTANTS = {"W": w(1, 12, 3), "R": w(1, 12, 4), "axes": np.array([0]), "one": np.array([1])}


@pytest.fixture
def choosing(tmp_path: Path) -> Path:
    """A GRU behind squares, with a state that is fed, in a branch of an If; a rate decides."""
    choice = node(
        *("If", "c", "y"),
        name="the_if",
        then_branch=_branch("then", *INNER, output="a"),
        else_branch=_branch("else", node("Identity", "few", "b"), output="b"),
    )
    nodes = [node("Equal", "rate usual", "c"), node("Mul", "x x", "power"), choice]
    constants = {**CONSTANTS, "usual": np.array(16), "few": w(1, 4)}
    inputs: dict[str, list[int | str]] = {"x": ["time", 1, 3], "gain": [1], "h": [1, 4], "rate": []}
    model = made(nodes, inputs, ["y"], constants, dtypes={"rate": "int64"})
    return onnx_models.saved(model, tmp_path)


@pytest.mark.filterwarnings("ignore:first states are left out")
def test_a_branch_may_be_cut(choosing: Path) -> None:
    """From a tensor in it on; the shape of an input in front of it says that of the tensor."""
    given = {"rate": 16.0, "gain": 2.0}
    loaded = load_onnx(choosing, Piece(start="scaled", shapes={"x": (7, 1, 3)}, given=given))
    assert [tensor.name for tensor in loaded.inputs] == ["scaled"]  # and no state
    inputs = {"scaled": [7, 1, 3], "h": [1, 4]}
    piece = made([*INNER[1:], node("Identity", "a", "y")], inputs, ["y"], CONSTANTS)
    x = np.random.default_rng(0).normal(0, 1, (7, 1, 3)).astype(np.float32)
    expected = onnx_models.run(piece, {"scaled": x, "h": np.zeros((1, 4), np.float32)})["y"]
    output = np.asarray(loaded({"scaled": x.swapaxes(0, 1)})["y"])
    np.testing.assert_allclose(output, expected.swapaxes(0, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("start", "given", "line"),
    [
        (
            "scaled",
            {},
            "^tensor 'scaled' is in the then_branch of the If 'the_if', which is not de",
        ),
        ("scaled", {"rate": 8.0}, "^no node computes a tensor 'scaled'; expected one such as"),
        ("power", {}, "^node 'the_if': If chooses between graphs by a value that is not constant"),
    ],
)
def test_a_branch_that_is_not_taken_is_none(
    start: str, given: dict[str, float], line: str, choosing: Path
) -> None:
    with pytest.raises(UnspoolError, match=line):
        load_onnx(choosing, Piece(start=start, shapes={"x": (7, 1, 3)}, given=given))
