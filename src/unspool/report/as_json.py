"""The report as JSON; docs/report.md describes the schema."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from unspool.compilation.compiled import Compiled
from unspool.compilation.in_parts import CompiledPart, CompiledParts, Ends
from unspool.compilation.targets import Target
from unspool.remedies.remedy import Remedy
from unspool.report import listing
from unspool.report.compression import compression_document
from unspool.report.document import SCHEMA_VERSION
from unspool.report.figure import Figure
from unspool.report.report import Report
from unspool.runtime.drift import Drift
from unspool.runtime.measuring import Measured
from unspool.runtime.quality import Quality
from unspool.runtime.scores import Accuracy

_NOTHING: Mapping[str, str] = {}


def as_json(report: Report, files: Mapping[str, str] = _NOTHING) -> str:
    """Render a report as JSON text, indented, ending in a newline.

    Args:
        report: the report.
        files: which it describes, as `listing.of_folder` has them; left out where there are none.
    """
    document = _document(report)
    return as_text(document | {listing.KEY: dict(files)} if files else document)


def as_text(document: Mapping[str, Any]) -> str:
    """The text of a document."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def drift_document(drift: Drift) -> dict[str, Any]:
    """The part of the document that says how far a stream drifts."""
    return asdict(drift)


def _document(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "created": report.created.isoformat(timespec="seconds"),
        "model": dict(report.model),
        "target": _target(report.compiled.target),
        "verdict": [asdict(check) for check in report.verdict],
        "figures": {figure.id: _figure(figure) for figure in report.figures},
        "accuracy": [_accuracy(accuracy) for accuracy in report.accuracies],
        "placement": _placement(report.compiled),
        "operators": [asdict(operator) for operator in report.compiled.operators],
        "seconds": {stage: round(seconds, 3) for stage, seconds in report.seconds.items()},
        "versions": dict(report.versions),
    }
    if report.measured is not None:
        document |= _measured(report.measured)
    document |= _optional(report)
    document["advice"] = [asdict(advice) for advice in report.advice]
    return document


def _optional(report: Report) -> dict[str, Any]:
    """The parts that only some reports have."""
    document: dict[str, Any] = {}
    if report.warnings:
        document["warnings"] = list(report.warnings)
    if report.remedies:
        document["remedies"] = [_remedy(remedy) for remedy in report.remedies]
    if report.rounds:
        document["calibration_rounds"] = [asdict(round_) for round_ in report.rounds]
    if report.parts:
        document["parts"] = [_part(part) for part in report.parts]
    if isinstance(report.compiled, CompiledParts) and report.compiled.ends.masks:
        document["masks"] = _masks(report.compiled.ends)
    if report.call_costs:
        document["call_costs"] = [asdict(cost) for cost in report.call_costs]
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
    return document


def _masks(ends: Ends) -> list[dict[str, Any]]:
    padding = dict(zip(ends.outputs, ends.padding, strict=True))
    return [
        {
            "input": mask.input,
            "source": mask.source,
            "value": mask.value,
            "outputs": [name for name, masks in padding.items() if mask in masks],
        }
        for mask in ends.masks
    ]


def _part(part: CompiledPart) -> dict[str, Any]:
    compiled = part.compiled
    return {
        "inputs": [asdict(port) for port in part.inputs],
        "outputs": [asdict(port) for port in part.outputs],
        "steps_per_call": part.steps_per_call,
        "calls": compiled.calls,
        "flash_kib": compiled.flash_kib,
        "command_stream_kib": compiled.command_stream_kib,
        "sram_kib": compiled.sram_kib,
        "cycles": compiled.cycles,
        "milliseconds": compiled.milliseconds,
    }


def _target(target: Target) -> dict[str, str]:
    return {
        "accelerator": target.accelerator,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        "vela_config": target.config.name,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    fields = asdict(figure)
    return {key: value for key, value in fields.items() if key != "id" and value is not None}


def _placement(compiled: Compiled) -> dict[str, Any]:
    return {
        "npu_operators": compiled.npu_operators,
        "cpu_operators": [
            {"kind": op.kind, "name": op.name, "reason": op.reason} for op in compiled.cpu_operators
        ],
    }


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "runtime": accuracy.runtime,
        "output": accuracy.output,
        "how": accuracy.how,
        "samples": accuracy.samples,
        "padded": accuracy.padded,
        "correct": accuracy.correct,
        "percent": accuracy.percent,
        "per_class_percent": accuracy.per_class,
        "confusion": accuracy.confusion,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    document: dict[str, Any] = {"simulation": asdict(measured.simulation)}
    if measured.regressions:
        document["regression"] = [asdict(score) for score in measured.regressions]
    if measured.quality:
        document["quality"] = _quality(measured.quality)
    if measured.outside:
        document["outside"] = [asdict(outside) for outside in measured.outside]
    if measured.not_measured:
        document["not_measured"] = [asdict(failure) for failure in measured.not_measured]
    return document


def _quality(quality: Quality) -> dict[str, Any]:
    return {
        "columns": [asdict(column) for column in quality.columns],
        "agreements": [{**asdict(a), "percent": a.percent} for a in quality.agreements],
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    option, value = remedy.choice
    document: dict[str, Any] = {"name": remedy.name, "option": option, "value": value}
    if remedy.quality is None:
        return {**document, "reason": remedy.reason}
    worst = remedy.quality.worst
    document["mean_error"] = worst.mean if worst else None
    document["same_answer_percent"] = [a.percent for a in remedy.quality.agreements]
    known = {"cycles": remedy.cycles, "sram_kib": remedy.sram_kib}
    return document | {key: value for key, value in known.items() if value is not None}
