"""A deployment, a budget and the user's request -> the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from unspool.compilation import budgets
from unspool.compilation.budgets import Breach, Budget
from unspool.compilation.call_costs import CallCost
from unspool.compilation.compiled import Compiled
from unspool.compilation.residency.keeping import Resident
from unspool.compilation.waiting import wait
from unspool.deployed import Deployment
from unspool.parts.deployment import DeploymentInParts
from unspool.quantization.calibration import Calibration
from unspool.report import figures
from unspool.report.advice import advise
from unspool.report.commands import Request
from unspool.report.compression import Compression
from unspool.report.report import Report
from unspool.report.verdict import verdict
from unspool.runtime.drift import Drift
from unspool.tflite import flatbuffer, marks
from unspool.tflite.names import Steps


@dataclass(frozen=True)
class Beside:
    """What a deployment's figures are shown beside.

    Attributes:
        guide: figure id -> the guide's value, where it is known.
        seconds: stage -> seconds of earlier work, such as training.
        drift: of a stream, where it was measured.
        compression: how the model was compressed, where it was.
        call_costs: what other numbers of steps per call cost, where they were tried.
    """

    guide: Mapping[str, float] | None = None
    seconds: Mapping[str, float] | None = None
    drift: Drift | None = None
    compression: Compression | None = None
    call_costs: tuple[CallCost, ...] = ()


_NOTHING = Beside()


def of_deployment(
    deployment: Deployment,
    sizes: Mapping[str, int],
    request: Request,
    budget: Budget | None = None,
    beside: Beside = _NOTHING,
) -> Report:
    """The report of a deployment.

    Args:
        deployment: what `deploy` returned.
        sizes: file name -> bytes of the files that were written.
        request: the files and commands that the advice refers to.
        budget: what the deployment may cost.
        beside: what its figures are shown beside.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    waits = wait(deployment.compiled)
    before = beside.compression.before if beside.compression else {}
    report = Report(
        model=_model(deployment),
        figures=figures.of_deployment(deployment, sizes, waits, beside.guide or {}, before),
        compiled=deployment.compiled,
        seconds={**(beside.seconds or {}), **deployment.seconds},
        created=datetime.now(timezone.utc),
        versions=figures.versions(),
        measured=deployment.measured,
        calibration=deployment.calibration,
        quantized_tflite=deployment.quantized_tflite,
        steps=_steps(deployment.quantized_tflite),
        warnings=deployment.warnings,
        remedies=deployment.remedies,
        drift=beside.drift,
        resident=deployment.resident,
        compression=beside.compression,
        call_costs=beside.call_costs,
        wait=waits,
        budget=budget,
    )
    return _judged(report, request)


def of_parts(
    deployment: DeploymentInParts,
    sizes: Mapping[str, int],
    request: Request,
    budget: Budget | None = None,
    beside: Beside = _NOTHING,
) -> Report:
    """The report of a network in parts.

    Args:
        deployment: what `deploy_in_parts` returned.
        sizes: file name -> bytes of the files that were written.
        request: the files and commands that the advice refers to.
        budget: what the network may cost.
        beside: what other numbers of steps per call cost.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    waits, cut, parts = wait(deployment.compiled), deployment.chain.cut, deployment.chain.parts
    file_marks = [marks.read(flatbuffer.look(part.quantized_tflite)) for part in parts]
    loop = next(part for part in parts if part.part.is_loop)
    report = Report(
        model=_described(deployment.trained, cut.model, cut.ends.inputs, cut.ends.outputs),
        figures=figures.of_parts(deployment, sizes, waits),
        compiled=deployment.compiled,
        seconds=deployment.seconds,
        created=datetime.now(timezone.utc),
        versions=figures.versions(),
        measured=deployment.measured,
        calibration=_joined([part.calibrated.calibration for part in parts]),
        quantized_tflite=loop.quantized_tflite,
        steps=Steps(
            [layer for each in file_marks for layer in each.layers],
            [state for each in file_marks for state in each.states],
        ),
        warnings=deployment.warnings,
        resident=deployment.resident,
        remedies=deployment.remedies,
        call_costs=beside.call_costs,
        wait=waits,
        budget=budget,
    )
    return _judged(report, request)


def _joined(parts: Sequence[Calibration]) -> Calibration:
    """The ranges of all parts; a name that several have, as of what is handed on, once."""
    first = parts[0]
    return replace(
        first,
        observed={name: r for part in parts for name, r in part.observed.items()},
        ranges={name: r for part in parts for name, r in part.ranges.items()},
        roles={name: role for part in parts for name, role in part.roles.items()},
        empty=tuple(name for part in parts for name in part.empty),
        observations=None,
    )


def values_of(deployment: Deployment) -> dict[str, float]:
    """Figure id -> value of a deployment, to be shown beside those of another."""
    shown = figures.of_deployment(deployment, {}, wait(deployment.compiled), {}, {})
    return {figure.id: figure.value for figure in shown}


def of_compiled(
    name: str,
    compiled: Compiled,
    quantized_tflite: bytes,
    request: Request,
    budget: Budget | None = None,
    resident: Resident | None = None,
) -> Report:
    """The report of a compilation alone.

    Args:
        name: of the .tflite file.
        compiled: what `compile` returned.
        quantized_tflite: what was compiled, for the picture of a step.
        request: the files and commands that the advice refers to.
        budget: what the network may cost.
        resident: weights that are kept in SRAM; None where none are.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    waits = wait(compiled)
    report = Report(
        model={"name": name, **_cut(quantized_tflite)},
        figures=figures.of_compiled(compiled, len(compiled.tflite), waits, resident),
        compiled=compiled,
        seconds={},
        created=datetime.now(timezone.utc),
        versions=figures.versions(),
        quantized_tflite=quantized_tflite,
        steps=_steps(quantized_tflite),
        resident=resident,
        wait=waits,
        budget=budget,
    )
    return _judged(report, request)


def _judged(report: Report, request: Request) -> Report:
    """The report with the limits that it breaks, the verdict and the advice."""
    report = replace(report, breaches=_breaches(report))
    return replace(report, verdict=verdict(report), advice=advise(report, request))


def _breaches(report: Report) -> tuple[Breach, ...]:
    return budgets.check(report.values, report.budget) if report.budget else ()


def _steps(tflite: bytes) -> Steps:
    return marks.read(flatbuffer.look(tflite)).steps if tflite else Steps((), ())


def _model(deployment: Deployment) -> dict[str, Any]:
    model = deployment.deploy_model
    ends = model.interface.inputs, model.interface.outputs
    return _described(deployment.trained, model, *ends) | _cut(deployment.quantized_tflite)


def _described(
    trained: Any, model: Any, inputs: Sequence[str], outputs: Sequence[str]
) -> dict[str, Any]:
    """A trained model, and what is deployed of it: of one sample, by names."""
    ports = {
        "inputs": zip(inputs, model.inputs, strict=True),
        "outputs": zip(outputs, model.outputs, strict=True),
    }
    described = {
        kind: [{"name": name, "shape": [1, *tensor.shape[1:]]} for name, tensor in entries]
        for kind, entries in ports.items()
    }
    return {"name": trained.name, "parameters": trained.count_params(), **described}


def _cut(tflite: bytes) -> dict[str, Any]:
    """Which part of the model's file a network is, where it is not all."""
    cut = marks.read(flatbuffer.look(tflite)).cut if tflite else None
    return {"cut": {"from": cut.start, "to": cut.stop, "given": dict(cut.given)}} if cut else {}
