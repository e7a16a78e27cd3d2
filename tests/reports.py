"""Reports as they come, with parts missing: what the pages of the HTML tests are made of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache

import numpy as np
from conftest import random_samples, small_model

from unspool import vela
from unspool._tensorflow import keras
from unspool.conversion import convert
from unspool.deployment import Options, deploy, deploy_stream
from unspool.drift import drift
from unspool.evaluation import Accuracy
from unspool.report.charts.pareto import Candidate
from unspool.report.html import as_html
from unspool.report.report import Report, of_compiled, of_deployment
from unspool.simulation import Simulation
from unspool.targets import target
from unspool.unrolling import unroll

HOSTILE = "</title><script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp; $x_1$ {{ 7*7 }}"
LONG = "a_layer_with_a_name_that_someone_generated_" * 4
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)


@cache
def gru() -> Report:
    model, data = small_model(), random_samples(40)
    labels = model.predict(data, verbose=0).argmax(1)
    labels[:5] = (labels[:5] + 1) % 4  # not all are right
    done = deploy(model, data, test=(data, labels))
    return of_deployment(done, {"model_int8.tflite": 2048}, {"accuracy_litert": 80.5})


@cache
def lstm_stream() -> Report:
    model = small_model("lstm", 12)
    options = Options(target=target("ethos-u65-256"))
    done = deploy_stream(model, random_samples(20), time_steps=1, options=options)
    found = drift(done.float_tflite, done.quantized_tflite, random_samples(1, steps=60)[0])
    return of_deployment(done, {"model_int8.tflite": 2048}, drift=found)


@cache
def bidirectional() -> Report:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 5), name="x"),
            layers.SimpleRNN(6, return_sequences=True, name=LONG[:90]),
            layers.Bidirectional(layers.LSTM(5), name="both"),
            layers.Dense(1, name="temperature"),
        ]
    )
    options = Options(target=target("ethos-u85-256"), activations="int16")
    return of_deployment(deploy(model, random_samples(20), options=options), {})


@cache
def compiled_with_cpu() -> Report:
    """A float file: nothing of it runs on the NPU."""
    tflite = convert(unroll(small_model("simple")))
    return of_compiled("float.tflite", vela.compile(tflite, target()), 4096, None, tflite)


def _accuracies(classes: int) -> tuple[Accuracy, ...]:
    rng = np.random.default_rng(classes)
    counts = rng.poisson(0.05, (classes, classes)) + np.diag(rng.integers(0, 90, classes))
    confusion = tuple(tuple(int(n) for n in row) for row in counts)
    return tuple(Accuracy(runtime, confusion) for runtime in ("keras", "litert", "tflm", "npu"))


def hostile() -> Report:
    """Names as an enemy would choose them, wherever names come from the user."""
    report = gru()
    compiled = replace(
        report.compiled,
        operators=tuple(
            replace(op, name=f"{HOSTILE}/{op.name}") for op in report.compiled.operators
        ),
        allocations=tuple(
            replace(a, name=f"{a.name}{HOSTILE}") for a in report.compiled.allocations
        ),
        cpu_operators=(replace(report.compiled.operators[0], on_npu=False, reason=HOSTILE),),
    )
    assert report.calibration is not None
    calibration = replace(
        report.calibration,
        method=HOSTILE,
        roles={name: f"{HOSTILE}{role}" for name, role in report.calibration.roles.items()},
    )
    model = {"name": HOSTILE, "inputs": [{"name": HOSTILE, "shape": [1]}], "outputs": []}
    simulation = Simulation(9, 3, first_difference=HOSTILE)
    return replace(
        report, model=model, compiled=compiled, calibration=calibration, simulation=simulation
    )


def search() -> tuple[Candidate, ...]:
    return (
        *(
            Candidate(f"gru, {n} units", 90 + n / 20, 1.5 * n, 9000 * n, n != 32)
            for n in (8, 16, 32, 48, 64)
        ),
        Candidate(HOSTILE, 94.4, 120.0, 700_000, True, chosen=True),
    )


CASES: dict[str, Callable[[], Report]] = {
    "deployed": gru,
    "stream": lstm_stream,
    "bidirectional int16 regression": bidirectional,
    "nothing on the NPU": compiled_with_cpu,
    "compiled alone": lambda: of_compiled(
        "m.tflite", gru().compiled, 2048, None, gru().quantized_tflite
    ),
    "2 classes": lambda: replace(gru(), accuracies=_accuracies(2)),
    "100 classes": lambda: replace(gru(), accuracies=_accuracies(100)),
    "1,000 classes": lambda: replace(gru(), accuracies=_accuracies(1000)[2:3]),
    "no pictures": lambda: replace(
        gru(),
        accuracies=(),
        calibration=None,
        quantized_tflite=b"",
        simulation=Simulation(0, 0, "an operation that is not simulated"),
        compiled=replace(gru().compiled, allocations=(), traffic=(), operators=()),
    ),
    "hostile": hostile,
}


class Advice:
    text = "Flash is the limit: keep the weights resident."
    command = f"unspool deploy model.keras --resident-weights  # {HOSTILE}"


@cache
def page(case: str) -> str:
    report = replace(CASES[case](), created=WHEN)
    if case != "hostile":
        return as_html(report)
    return as_html(report, search=search(), breaches=(f"flash: {HOSTILE}",), advice=(Advice(),))
