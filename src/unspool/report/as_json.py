"""The report as JSON; docs/report.md describes the schema."""

import json
from dataclasses import asdict
from typing import Any

from unspool.drift import Drift
from unspool.report.compression import compression_document
from unspool.report.report import SCHEMA_VERSION, Report


def as_json(report: Report) -> str:
    """Render a report as JSON text, indented, ending in a newline."""
    return json.dumps(_document(report), indent=1, allow_nan=False) + "\n"


def drift_document(drift: Drift) -> dict[str, Any]:
    """The part of the document that says how a stream strays."""
    return asdict(drift)


def _document(report: Report) -> dict[str, Any]:
    compiled, target = report.compiled, report.compiled.target
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "created": report.created.isoformat(timespec="seconds"),
        "model": dict(report.model),
        "target": {
            "accelerator": target.accelerator,
            "system_config": target.system_config,
            "memory_mode": target.memory_mode,
            "vela_config": target.config.name,
        },
        "figures": {
            figure.id: {k: v for k, v in asdict(figure).items() if k != "id" and v is not None}
            for figure in report.figures
        },
        "accuracy": [
            {
                "runtime": accuracy.runtime,
                "samples": accuracy.samples,
                "correct": accuracy.correct,
                "percent": accuracy.percent,
                "per_class_percent": accuracy.per_class,
                "confusion": accuracy.confusion,
            }
            for accuracy in report.accuracies
        ],
        "placement": {
            "npu_operators": compiled.npu_operators,
            "cpu_operators": [
                {"kind": op.kind, "name": op.name, "reason": op.reason}
                for op in compiled.cpu_operators
            ],
        },
        "operators": [asdict(operator) for operator in compiled.operators],
        "seconds": {stage: round(seconds, 3) for stage, seconds in report.seconds.items()},
        "versions": dict(report.versions),
    }
    if report.simulation is not None:
        document["simulation"] = asdict(report.simulation)
    if report.rounds:
        document["calibration_rounds"] = [asdict(entry) for entry in report.rounds]
    if report.drift is not None:
        document["drift"] = drift_document(report.drift)
    if report.resident is not None:
        document["resident"] = {k: v for k, v in asdict(report.resident).items() if k != "tflite"}
    if report.compression is not None:
        document["compression"] = compression_document(report.compression)
    if report.budget is not None:
        document["budget"] = {
            "limits": report.budget.limits,
            "breaches": [breach.document for breach in report.breaches],
        }
    document["advice"] = [asdict(advice) for advice in report.advice]
    return document
