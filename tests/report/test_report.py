"""The report: every figure with unit and origin, the same in the table and in JSON."""

import io
import json
from typing import Any

import pytest
from conftest import FEATURES, random_samples
from rich.console import Console

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.deployed import Deployment
from unspool.quantization.calibration import calibrate_stream
from unspool.quantization.quantizer import quantize
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.making import Beside, of_compiled, of_deployment
from unspool.report.report import Report
from unspool.report.terminal.report import as_table
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.stream_model import unroll_stream

GUIDE = Beside(guide={"accuracy_litert": 97.57, "constants": 629.9})
REQUEST = Request(quantized="out/model_int8.tflite", out="out")


@pytest.fixture(scope="session")
def document(deployed: Deployment) -> dict[str, Any]:
    sizes = {"model_int8.tflite": 2048}
    report = of_deployment(deployed, sizes, REQUEST, beside=GUIDE)
    content: dict[str, Any] = json.loads(as_json(report))
    return content


def text(report: Report, **options: Any) -> str:
    stream = io.StringIO()
    Console(file=stream, width=160, **options).print(as_table(report))
    return stream.getvalue()


def test_the_schema_has_a_version_and_these_parts(document: dict[str, Any]) -> None:
    assert document["schema_version"] == 4
    assert set(document) == {
        *("schema_version", "created", "model", "target", "figures", "accuracy"),
        *("verdict", "quality"),
        *("placement", "operators", "seconds", "versions", "simulation", "advice"),
    }


def test_every_figure_has_value_unit_and_origin(document: dict[str, Any]) -> None:
    for name, figure in document["figures"].items():
        assert set(figure) - {"guide"} == {"label", "value", "unit", "origin", "how"}, name
        assert figure["origin"] in ("measured", "simulated", "estimated")
        assert figure["how"]


def test_values_are_those_of_the_deployment(document: dict[str, Any], deployed: Deployment) -> None:
    figures = document["figures"]
    assert figures["cycles"]["value"] == deployed.compiled.cycles
    assert figures["constants"]["guide"] == 629.9
    assert figures["flash"]["value"] == len(deployed.compiled.tflite) / 1024
    assert "guide" not in figures["sram"]
    assert figures["size_model_int8.tflite"] == {
        "label": "File model_int8.tflite",
        "value": 2.0,
        "unit": "KiB",
        "origin": "measured",
        "how": "on disk",
    }


def test_accuracy_has_classes_and_confusion(document: dict[str, Any]) -> None:
    for entry in document["accuracy"]:
        assert sum(map(sum, entry["confusion"])) == entry["samples"] == 40
        assert len(entry["per_class_percent"]) == 4
    assert [entry["runtime"] for entry in document["accuracy"]] == [
        "keras",
        "litert",
        "tflm",
        "npu",
    ]


def test_the_table_shows_every_figure_that_is_in_use(deployed: Deployment) -> None:
    report = of_deployment(deployed, {}, REQUEST, beside=GUIDE)
    rendered = text(report)
    for figure in report.figures:
        assert (figure.label in rendered) == (figure.unit != "KiB" or figure.value > 0)
    assert "operators run on the NPU." in rendered
    assert "97.57" in rendered and "629.9" in rendered
    assert "\x1b" not in rendered


def test_cpu_operators_are_in_the_table_with_their_reason(float_tflite: bytes) -> None:
    compiled = vela.compile(float_tflite, target())
    report = of_compiled("m.tflite", compiled, float_tflite, REQUEST)
    rendered = text(report)
    assert f"{len(compiled.cpu_operators)} operators on the CPU" in rendered
    assert "Float32" in rendered
    placement = json.loads(as_json(report))["placement"]
    assert all(op["reason"] for op in placement["cpu_operators"])


def test_what_moves_rows_of_states_has_its_cycles() -> None:
    """Nothing else in this network is put together, taken apart or copied."""
    x = keras.Input((None, FEATURES))
    h = keras.layers.Conv1D(8, 5, padding="causal")(x)
    h = keras.layers.Conv1D(8, 3, padding="causal", name="with_rows_1")(h)
    network = convert(unroll_stream(keras.Model(x, keras.layers.Dense(4)(h)), 2))
    ranges = calibrate_stream(network, random_samples(20)).ranges
    int8 = quantize(network, ranges)
    compiled = vela.compile(int8, target())
    moves = [op for op in compiled.operators if op.kind in ("Concat", "Reshape", "StridedSlice")]
    report = of_compiled("m.tflite", compiled, int8, REQUEST)
    (figure,) = (figure for figure in report.figures if figure.id == "moving_cycles")
    assert figure.value == sum(op.cycles for op in moves) > 0
    assert figure.how.startswith(f"{len(moves)} operations, ")
