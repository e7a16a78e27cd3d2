"""Reports as they come, with parts missing: what the pages of the HTML tests are made of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache, wraps
from typing import Any

import numpy as np
import shared
from conftest import random_samples, small_model

from unspool.compilation import vela
from unspool.compilation.budgets import Breach
from unspool.compilation.targets import target
from unspool.compression.candidates import Candidate
from unspool.compression.goal import Goal
from unspool.compression.kernels import KernelResult, KernelSetting
from unspool.compression.search_results import Search
from unspool.deployment import Options, deploy, deploy_stream
from unspool.page.html import as_html
from unspool.report.commands import Request
from unspool.report.compression import Compression
from unspool.report.making import Beside, of_compiled, of_deployment
from unspool.report.report import Advice, Check, Report
from unspool.report.verdict import verdict
from unspool.runtime.drift import drift
from unspool.runtime.scores import Accuracy
from unspool.runtime.verification import Simulation
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

HOSTILE = "</title><script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp; $x_1$ {{ 7*7 }}"
LONG = "a_layer_with_a_name_that_someone_generated_" * 4
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)


REQUEST = Request(quantized="out/model_int8.tflite", out="out", model="m.keras")


def measured(**changes: Any) -> Report:
    """The GRU's report with other things measured."""
    report = gru()
    assert report.measured is not None
    changed = replace(report, measured=replace(report.measured, **changes))
    return replace(changed, verdict=verdict(changed))


def _shared(make: Callable[[], Report]) -> Callable[[], Report]:
    """Deployed once for all workers."""

    @cache
    @wraps(make)
    def shared_report() -> Report:
        return shared.value(f"report {make.__name__}", make)

    return shared_report


@_shared
def gru() -> Report:
    model, data = small_model(), random_samples(40)
    labels = model.predict(data, verbose=0).argmax(1)
    labels[:5] = (labels[:5] + 1) % 4  # not all are right
    done = deploy(model, data, test=(data, labels), options=Options(remedy_seconds=0))
    beside = Beside(guide={"accuracy_litert": 80.5})
    return of_deployment(done, {"model_int8.tflite": 2048}, REQUEST, beside=beside)


@_shared
def lstm_stream() -> Report:
    model = small_model("lstm", 12)
    options = Options(target=target("ethos-u65-256"), remedy_seconds=0)
    done = deploy_stream(model, random_samples(20), time_steps=1, options=options)
    state_drift = drift(done.float_tflite, done.quantized_tflite, random_samples(1, steps=60)[0])
    return of_deployment(
        done, {"model_int8.tflite": 2048}, REQUEST, beside=Beside(drift=state_drift)
    )


@_shared
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
    done = deploy(model, random_samples(20), options=options)
    return of_deployment(done, {"model_int16.tflite": 2048}, REQUEST)


@_shared
def compiled_with_cpu() -> Report:
    """A float file: nothing of it runs on the NPU."""
    tflite = convert(unroll(small_model("simple")))
    return of_compiled("float.tflite", vela.compile(tflite, target()), tflite, REQUEST)


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
    assert report.calibration is not None and report.measured is not None
    calibration = replace(
        report.calibration,
        method=HOSTILE,
        roles={name: f"{HOSTILE}{role}" for name, role in report.calibration.roles.items()},
    )
    model = {"name": HOSTILE, "inputs": [{"name": HOSTILE, "shape": [1]}], "outputs": []}
    simulation = Simulation(9, 3, first_difference=HOSTILE)
    compression = Compression({}, (KernelResult(HOSTILE, 100, 80, 16),))
    changed = replace(
        report,
        model=model,
        compiled=compiled,
        calibration=calibration,
        measured=replace(report.measured, simulation=simulation),
        warnings=(HOSTILE,),
        compression=compression,
        breaches=(Breach("max_flash_kib", f"flash: {HOSTILE}", "KiB", 1.0, 2.0, ("flash",)),),
        advice=(Advice("Flash is the limit.", f"unspool deploy m.keras  # {HOSTILE}", ()),),
    )
    return replace(changed, verdict=(Check("bad", HOSTILE), *verdict(changed)))


def searched() -> Compression:
    """A search in which one of six candidates is beaten."""
    tried = [
        Candidate(KernelSetting(sparsity, 16), 99 - 4 * sparsity**8, flash, 8, 9000 * flash, 8, 60)
        for sparsity, flash in ((0.5, 90), (0.7, 70), (0.8, 60), (0.85, 75), (0.9, 40))
    ]
    before = Candidate(KernelSetting(0.0, None), 99.1, 200, 8, 4_600_000, 0, 1.0)
    preview = Candidate(KernelSetting(0.5, 16, 0.5), 97.1, 100, 8, 600_000, 2, 1.0)
    goal = Goal(max_loss=1.0)
    search = Search(goal, 99.2, 3000, target(), before, tuple(tried), (preview,))
    kernels = (KernelResult("gru/gru_cell/recurrent_kernel", 192, 154, 16),)
    return Compression({"flash": 198.4, "cycles": 4_600_000}, kernels, search=search)


CASES: dict[str, Callable[[], Report]] = {
    "deployed": gru,
    "stream": lstm_stream,
    "bidirectional int16 regression": bidirectional,
    "nothing on the NPU": compiled_with_cpu,
    "compiled alone": lambda: of_compiled(
        "m.tflite", gru().compiled, gru().quantized_tflite, REQUEST
    ),
    "2 classes": lambda: measured(accuracies=_accuracies(2)),
    "100 classes": lambda: measured(accuracies=_accuracies(100)),
    "1,000 classes": lambda: measured(accuracies=_accuracies(1000)[2:3]),
    "no pictures": lambda: replace(
        measured(
            accuracies=(),
            quality=None,
            simulation=Simulation(0, 0, "an operation that is not simulated"),
        ),
        calibration=None,
        quantized_tflite=b"",
        compiled=replace(gru().compiled, allocations=(), traffic=(), operators=()),
    ),
    "searched": lambda: replace(gru(), compression=searched()),
    "hostile": hostile,
}


@cache
def page(case: str) -> str:
    """Drawn once for all workers."""
    return shared.value(f"page {case}", lambda: as_html(replace(CASES[case](), created=WHEN)))
