"""The report: every figure with unit and origin, the same in the table and in JSON."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.deployed import Deployment
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.making import Beside, of_compiled, of_deployment
from unspool.report.report import Report
from unspool.report.terminal.report import as_table

GUIDE = Beside(guide={"accuracy_litert": 97.57, "constants": 629.9})
REQUEST = Request(quantized="out/model_int8.tflite", out="out")


@pytest.fixture(scope="session")
def document(deployed: Deployment) -> dict[str, Any]:
    sizes = {"model_int8.tflite": 2048}
    report = of_deployment(deployed, sizes, REQUEST, beside=GUIDE)
    found: dict[str, Any] = json.loads(as_json(report))
    return found


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
