"""What is demanded of every random network that is deployed."""

import re
import time
import traceback
import warnings
from typing import Any

import numpy as np
import random_models
from random_networks import Found, Network

from unspool.compilation import targets
from unspool.deployment import Deployment, Options, deploy, deploy_stream
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend import structure
from unspool.frontend.inference_form import for_inference
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.making import of_deployment
from unspool.runtime import evaluation
from unspool.runtime.session import Session

CALIBRATION, TEST = 24, 8  # samples

REFUSALS = {
    "stream: backwards": r"reads the sequence from its end",
    "stream: mixes time": r"mixes time steps, so chunk by chunk",
    "stream: steps to come": r"reads steps that are to come, by its padding",
    "stream: windows that are not full": r"reads windows of \d+ time steps, of which the first",
    "stream: too many zeros": r"so that what it gives comes late",
    "stream: zeros behind": r"puts zeros behind the sequence",
    "stream: zeros in front": r"reads zeros in front of the sequence",
    "stream: begins a sequence": r"begins a sequence of its own in every call",
    "stream: token ids": r"takes token ids, and a stream is cut into chunks",
    "stream: pools": r"pools over the whole sequence, which a stream does not have",
    "stream: initial state": r"the model gives it an initial state itself",
    "overflow": r"computes NaN or infinity|labels are NaN or infinite",  # Keras's own
    "table": r"gives wrong values at an input scale of 8 or more in int8",  # relu gates
    "activation": r"which the NPU has no operator for; use one of",
}
"""What may be refused, by the words of the one line that says so."""


def has_other_bytes(network: Network) -> bool:
    """Whether Vela and TFLM compute an operator of it otherwise: RSQRT, SOFTMAX in int16.

    docs/simulator.md has how much.
    """
    norms = "layer" in network.front or any("norm" in each.options for each in network.recurrences)
    has_softmax = any(kind == "softmax" for kind, _ in network.heads)
    return network.activations == "int16" and (norms or has_softmax)


def demand(network: Network) -> Found:
    """Deploy a network and look for faults."""
    start = time.monotonic()
    outcome = _demand(network)
    return Found(outcome.faults, outcome.refusal, round(time.monotonic() - start, 1), outcome.trace)


def _demand(network: Network) -> Found:
    try:
        made = random_models.model(network)
        data = random_models.samples(network, made, CALIBRATION, 1)
    except Exception as error:
        return Found([f"cannot be drawn: {_said(error)}"], trace=traceback.format_exc())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnspoolWarning)
            done = _deploy(network, made, data)
        return Found(_faults(network, made, data, done))
    except UnspoolError as error:
        kind = next((k for k, words in REFUSALS.items() if re.search(words, str(error))), "")
        if kind and "\n" not in str(error):
            return Found([], refusal=kind)
        return Found([f"UnspoolError: {error}"], trace=traceback.format_exc())
    except Exception as error:
        return Found([f"traceback: {_said(error)}"], trace=traceback.format_exc())


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _deploy(network: Network, made: Any, data: list[np.ndarray]) -> Deployment:
    options = Options(
        target=targets.target(network.target),
        activations=network.activations,
        remedy_seconds=0,
    )
    if network.chunk:
        return deploy_stream(made, data, time_steps=network.chunk, options=options)
    x = random_models.samples(network, made, TEST, 2)
    names = structure.output_names(made)
    exact = evaluation.predict(for_inference(made), x)
    wanted = dict(zip(names, exact, strict=True))
    steps = network.steps if network.is_open else None
    return deploy(made, data, test=(x, wanted), time_steps=steps, options=options)


def _faults(network: Network, made: Any, data: list[np.ndarray], done: Deployment) -> list[str]:
    if any("scale of 2^32" in op.reason for op in done.compiled.cpu_operators):
        return _untold(data, done)  # values of 10^12 and more; the rest runs on the NPU
    faults = [f"CPU: {op.kind} {op.name}: {op.reason}" for op in done.compiled.cpu_operators]
    measured, simulation = done.measured, done.simulation
    faults += [f"not measured: {each.what}: {each.reason}" for each in measured.not_measured]
    count = CALIBRATION if network.chunk else TEST
    differs = simulation.equal < count and not has_other_bytes(network)
    if simulation.samples != count or differs:
        faults.append(
            f"bytes: {simulation.equal} of {simulation.samples} equal {simulation.reason}"
            f"{simulation.first_difference}"
        )
    if measured.unroll_error is None or measured.quality is None:
        return [*faults, "no error was measured"]
    session = Session(done.compiled.tflite, "npu")
    taken = [tensor.name for tensor in session.inputs]
    if taken != [tensor.name for tensor in made.inputs]:
        faults.append(f"inputs are called {taken}")
    given = [tensor.name for tensor in session.outputs]
    if given != list(structure.output_names(made)):
        faults.append(f"outputs are called {given}")
    return faults + _untold(data, done)


def _untold(data: list[np.ndarray], done: Deployment) -> list[str]:
    """Errors, against the model in float32, that the report's verdict does not tell."""
    report = of_deployment(done, {}, Request("model_int8.tflite", "out"))
    as_json(report)
    bad = [check.text for check in report.verdict if check.state == "bad"]
    session = Session(done.quantized_tflite, "tflm")
    outputs = session.predict(data)
    exact = evaluation.predict(done.trained, data)
    faults = []
    for tensor, head, a, b in zip(session.outputs, session.heads, outputs, exact, strict=True):
        if head.kind != "values":
            share = float((head.decide(a) != head.decide(b)).mean())
            is_large = share > 0.02
        else:
            errors = np.abs(a - b).reshape(-1, a.shape[-1]).mean(axis=0)
            ranges = np.ptp(b.reshape(-1, b.shape[-1]), axis=0)
            share = float((errors / np.where(ranges > 0, ranges, np.inf)).max())
            is_large = not share <= 0.0200001
        is_mentioned = any(
            f"output {tensor.name!r}" in text.lower() or tensor.name in text for text in bad
        )
        if is_large and not is_mentioned and not any("more columns" in text for text in bad):
            faults.append(f"untold: output {tensor.name!r} errs by {100 * share:.2f} %")
    return faults
