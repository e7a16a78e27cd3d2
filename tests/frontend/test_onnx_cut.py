"""A piece of an ONNX file: whoever reads the report or the firmware learns which it is."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import onnx_models
import pytest
from commands import unspool
from onnx_forms.form import w
from onnx_models import node

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
    told = (
        "a part of the model's file: from tensor 'power', to tensor 'logits', with 'gain' always 2."
    )
    assert told in " ".join(run.stdout.split())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["model"]["cut"] == {"from": "power", "to": "logits", "given": {"gain": 2}}
    assert told in (tmp_path / "out" / "firmware" / "README.md").read_text()
    assert "from tensor &#39;power&#39;" in (tmp_path / "out" / "report.html").read_text()

    run = unspool("compile", tmp_path / "out" / "model_int8.tflite", "--out", tmp_path / "again")
    assert run.returncode == 0, run.stderr
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    assert again["model"]["cut"] == report["model"]["cut"]
