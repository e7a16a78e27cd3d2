"""The figures of a report: each with its unit and its origin."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from unspool.compilation.residency.keeping import Resident
from unspool.compilation.vela import Compiled
from unspool.compilation.waiting import Wait
from unspool.deployment import Deployment
from unspool.quantization.calibration import Round
from unspool.report.figure import Figure, Origin
from unspool.runtime.evaluation import Accuracy, Regression
from unspool.runtime.measuring import PLACES, Measured
from unspool.runtime.quality import Quality
from unspool.runtime.verification import Simulation

_RUNTIMES = {
    "keras": ("trained model (Keras)", "float, Keras"),
    "litert": ("{} model (LiteRT)", "{}, LiteRT's default kernels"),
    "tflm": ("{} model (TFLM)", "{}, TFLM, the runtime of firmware"),
    "npu": ("binary, npu (simulated)", "Vela's binary in Unspool's simulator"),
}

_PACKAGES = (
    "unspool",
    "keras",
    "ai-edge-litert",
    "litert-quantizer",
    "ethos-u-vela",
    "tflite-micro",
    "numpy",
)


def of_deployment(
    deployment: Deployment,
    sizes: Mapping[str, int],
    waits: Wait | None,
    guide: Mapping[str, float],
    before: Mapping[str, float],
) -> tuple[Figure, ...]:
    """The figures of a deployment.

    Args:
        deployment: what `deploy` returned.
        sizes: file name -> bytes of the files that were written.
        waits: for weights.
        guide: figure id -> the guide's value, where it is known.
        before: figure id -> the value before the model was compressed.
    """
    measured, kind = deployment.measured, deployment.activations
    figures = [
        *(figure for a in measured.accuracies for figure in _accuracy(a, kind)),
        *(figure for r in measured.regressions for figure in _regression(r, kind)),
        *_errors(measured, kind),
        *(
            Figure(f"size_{name}", f"File {name}", size / 1024, "KiB", "measured", "on disk")
            for name, size in sizes.items()
        ),
        *_simulated(measured.simulation),
        *_calibrated(deployment.calibration.rounds),
        *_compiled(deployment.compiled, waits),
        *_resident(deployment.compiled, deployment.resident),
    ]
    return tuple(replace(f, guide=guide.get(f.id), before=before.get(f.id)) for f in figures)


def of_compiled(
    compiled: Compiled, size: int, waits: Wait | None, resident: Resident | None
) -> tuple[Figure, ...]:
    """The figures of a compilation alone.

    Args:
        compiled: what `compile` returned.
        size: bytes of the compiled file.
        waits: for weights.
        resident: weights that are kept in SRAM, where that was asked for.
    """
    return (
        Figure("size_vela", "File, compiled", size / 1024, "KiB", "measured", "on disk"),
        *_compiled(compiled, waits),
        *_resident(compiled, resident),
    )


def _score(score: Accuracy | Regression, activations: str) -> tuple[str, str, Origin, str]:
    """(end of the id, what ran, origin, how) of a score's figures."""
    who, how = (text.format(activations) for text in _RUNTIMES[score.runtime])
    origin: Origin = "simulated" if score.runtime == "npu" else "measured"
    of = f"_{score.output}" if score.output else ""
    where = f"output {score.output!r}, " if score.output else ""
    return f"{score.runtime}{of}", who, origin, f"{where}{how}, {score.samples:,} test samples"


def _accuracy(accuracy: Accuracy, activations: str) -> Iterator[Figure]:
    key, who, origin, how = _score(accuracy, activations)
    if accuracy.how and accuracy.runtime == "keras":
        how += f"; {accuracy.how}"
    yield Figure(f"accuracy_{key}", f"Accuracy, {who}", accuracy.percent, "%", origin, how)


def _regression(regression: Regression, activations: str) -> Iterator[Figure]:
    key, who, origin, how = _score(regression, activations)
    yield Figure(f"rmse_{key}", f"RMSE, {who}", regression.rmse, "", origin, how)
    yield Figure(f"mae_{key}", f"MAE, {who}", regression.mae, "", origin, how)
    if regression.r2 is not None:
        yield Figure(f"r2_{key}", f"R2, {who}", regression.r2, "", origin, how)


def _errors(measured: Measured, activations: str) -> Iterator[Figure]:
    unrolled, quantized = measured.unroll_error, measured.quantization_error
    if unrolled:
        label = "Largest output difference, deploy model"
        how = f"LiteRT float against Keras, {unrolled.samples} calibration samples"
        yield Figure("unroll_error", label, unrolled.largest, "", "measured", how)
    if quantized is None or measured.quality is None:
        return
    how = f"{PLACES[measured.ran_in]} against Keras, on {quantized.samples} calibration samples"
    label = f"output difference, {activations} model"
    for name, value in (("mean", quantized.mean), ("largest", quantized.largest)):
        key = f"quantization_error_{name}"
        yield Figure(key, f"{name.capitalize()} {label}", value, "", "measured", how)
    yield from _worst(measured.quality, activations, how)


def _worst(quality: Quality, activations: str, how: str) -> Iterator[Figure]:
    worst = quality.worst
    if worst is not None:
        of = f"column {worst.column} of output {worst.output!r}, % of its range; {how}"
        label = f"error of the worst column, {activations} model"
        yield Figure("output_error", f"Mean {label}", worst.mean, "%", "measured", of)
        yield Figure("output_error_largest", f"Largest {label}", worst.largest, "%", "measured", of)
    for entry in quality.agreements:
        key = "same_class" if len(quality.agreements) == 1 else f"same_class_{entry.output}"
        of = f"output {entry.output!r}, {entry.how}; {how}"
        label = f"Same answer as the trained model, {activations} model"
        yield Figure(key, label, entry.percent, "%", "measured", of)


def _simulated(simulation: Simulation) -> list[Figure]:
    if not simulation.samples:
        return []
    how = f"of {simulation.samples:,} samples: binary in the simulator, byte for byte as TFLM"
    return [Figure("npu_equal", "Samples equal to TFLM", simulation.equal, "", "simulated", how)]


def _calibrated(rounds: Sequence[Round]) -> list[Figure]:
    if not rounds:
        return []
    how = f"round {len(rounds)} of calibration, {rounds[-1].sequences} sequences in all"
    growth = rounds[-1].growth
    return [Figure("state_growth", "Growth of state ranges", growth, "%", "measured", how)]


def _compiled(compiled: Compiled, waits: Wait | None) -> list[Figure]:
    vela = f"Vela {compiled.vela_version}"
    on, on_cpu = str(compiled.target), len(compiled.cpu_operators)
    rows: list[tuple[str, str, float, str, Origin, str]] = [
        ("npu_operators", "Operators on the NPU", compiled.npu_operators, "", "measured", vela),
        ("cpu_operators", "Operators on the CPU", on_cpu, "", "measured", vela),
        ("cycles", "Cycles of an inference", compiled.cycles, "cycles", "estimated", on),
        ("milliseconds", "Time of an inference", compiled.milliseconds, "ms", "estimated", on),
        ("sram", "SRAM", compiled.sram_kib, "KiB", "estimated", on),
        ("dram", "DRAM", compiled.dram_kib, "KiB", "estimated", on),
        ("flash", "Flash", compiled.flash_kib, "KiB", "measured", "the compiled file, all of it"),
        ("constants", "Weights and constants", compiled.constants_kib, "KiB", "estimated", on),
        ("weights", "Compressed weights and scales", compiled.weights_kib, "KiB", "estimated", on),
    ]
    if compiled.sram_with_weights_kib > compiled.sram_kib:
        sram, label = compiled.sram_with_weights_kib, "SRAM with the weights"
        rows.append(("sram_with_weights", label, sram, "KiB", "estimated", on))
    if waits is not None:
        label = f"Cycles waiting for {waits.memory}"
        rows.append(("cycles_waiting", label, waits.cycles, "cycles", "estimated", on))
    return [Figure(*row) for row in rows]


def _resident(compiled: Compiled, resident: Resident | None) -> list[Figure]:
    if resident is None or resident.reason:
        return []
    how = "weights resident"
    figures = [
        Figure(
            "resident_kept", "SRAM for resident weights", resident.kept_kib, "KiB", "measured", how
        ),
        Figure("resident_sram", "SRAM with them", resident.sram_kib, "KiB", "estimated", how),
    ]
    if resident.cycles is not None:
        label, cycles, how = "an inference with them", resident.cycles, resident.cycles_how
        ms = cycles * compiled.milliseconds / compiled.cycles
        figures += [
            Figure("resident_cycles", f"Cycles of {label}", cycles, "cycles", "estimated", how),
            Figure("resident_milliseconds", f"Time of {label}", ms, "ms", "estimated", how),
        ]
    return figures


def versions() -> dict[str, str]:
    """Python and package -> version of what takes part."""
    import tensorflow

    packages = {package: version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "tensorflow": tensorflow.__version__, **packages}
