"""The figures of a report: each with its unit and its origin."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import chain

from unspool.compilation import kinds
from unspool.compilation.compiled import Compiled
from unspool.compilation.residency.keeping import Resident
from unspool.compilation.waiting import Wait
from unspool.deployed import Deployment
from unspool.parts.deployment import DeploymentInParts
from unspool.quantization.calibration import Round
from unspool.report import binary_figures
from unspool.report.binary_figures import of_binary, of_resident
from unspool.report.figure import Figure, Origin, figure
from unspool.report.numbers import counted
from unspool.runtime.measuring import PLACES, Measured
from unspool.runtime.quality import Quality
from unspool.runtime.scores import Accuracy, Regression
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
        *chain.from_iterable(_accuracy(score, kind) for score in measured.accuracies),
        *chain.from_iterable(_regression(score, kind) for score in measured.regressions),
        *_errors(measured, kind),
        *(_file(name, name, size) for name, size in sizes.items()),
        *_simulated(measured.simulation),
        *_calibrated(deployment.calibration.rounds),
        *of_binary(deployment.compiled, waits),
        *of_resident(deployment.compiled, deployment.resident),
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
        resident: weights that are kept in SRAM; None where none are.
    """
    return (
        replace(_file("vela", "", size), label=f"{kinds.FILE_SIZE.label}, compiled"),
        *of_binary(compiled, waits),
        *of_resident(compiled, resident),
    )


def _file(key: str, name: str, size: int) -> Figure:
    return figure(kinds.FILE_SIZE, size / 1024, "measured", "on disk", of=key, what=f" {name}")


def _accuracy(accuracy: Accuracy, activations: str) -> Iterator[Figure]:
    origin, who, how = _ran(accuracy, activations)
    if accuracy.how and accuracy.runtime == "keras":
        how += f"; {accuracy.how}"
    of = _of(accuracy)
    yield figure(kinds.ACCURACY, accuracy.percent, origin, how, of=of, what=f", {who}")


def _regression(regression: Regression, activations: str) -> Iterator[Figure]:
    origin, who, how = _ran(regression, activations)
    values = {
        kinds.RMSE: regression.rmse,
        kinds.MAE: regression.mae,
        kinds.R2: regression.r2,
    }
    for kind, value in values.items():
        if value is not None:
            yield figure(kind, value, origin, how, of=_of(regression), what=f", {who}")


def _of(score: Accuracy | Regression) -> str:
    return "_".join(filter(None, (score.runtime, score.output)))


def _ran(score: Accuracy | Regression, activations: str) -> tuple[Origin, str, str]:
    """(origin, what ran, how) of a score's figures."""
    who, how = (text.format(activations) for text in _RUNTIMES[score.runtime])
    origin: Origin = "simulated" if score.runtime == "npu" else "measured"
    where = f"output {score.output!r}, " if score.output else ""
    return origin, who, f"{where}{how}, {counted(score, 'test')}"


def _errors(measured: Measured, activations: str) -> Iterator[Figure]:
    unrolled, quantized = measured.unroll_error, measured.quantization_error
    if unrolled:
        how = f"LiteRT float against Keras, {unrolled.samples} calibration samples"
        yield figure(kinds.UNROLL_ERROR, unrolled.largest, "measured", how)
    if quantized is None or measured.quality is None:
        return
    how = f"{PLACES[measured.ran_in]} against Keras, on {quantized.samples} calibration samples"
    model = f", {activations} model"
    yield figure(kinds.MEAN_DIFFERENCE, quantized.mean, "measured", how, what=model)
    yield figure(kinds.LARGEST_DIFFERENCE, quantized.largest, "measured", how, what=model)
    yield from _worst(measured.quality, model, how)


def _worst(quality: Quality, model: str, how: str) -> Iterator[Figure]:
    worst = quality.worst
    if worst is not None:
        column = f"column {worst.column} of output {worst.output!r}, % of its range; {how}"
        yield figure(kinds.OUTPUT_ERROR, worst.mean, "measured", column, what=model)
        yield figure(kinds.LARGEST_OUTPUT_ERROR, worst.largest, "measured", column, what=model)
    for agreement in quality.agreements:
        of = agreement.output if len(quality.agreements) > 1 else ""
        answers = f"output {agreement.output!r}, {agreement.how}; {how}"
        yield figure(kinds.SAME_CLASS, agreement.percent, "measured", answers, of=of, what=model)


def _simulated(simulation: Simulation) -> Iterator[Figure]:
    if simulation.samples:
        how = f"of {simulation.samples:,} samples: binary in the simulator, byte for byte as TFLM"
        yield figure(kinds.EQUAL_SAMPLES, simulation.equal, "simulated", how)


def _calibrated(rounds: Sequence[Round]) -> Iterator[Figure]:
    if rounds:
        how = f"round {len(rounds)} of calibration, {rounds[-1].sequences} sequences in all"
        yield figure(kinds.STATE_GROWTH, rounds[-1].growth, "measured", how)


def of_parts(
    deployment: DeploymentInParts, sizes: Mapping[str, int], waits: Wait | None
) -> tuple[Figure, ...]:
    """The figures of a network in parts.

    Args:
        deployment: what `deploy_in_parts` returned.
        sizes: file name -> bytes of the files that were written.
        waits: for weights.
    """
    measured, kind = deployment.measured, deployment.activations
    return (
        *chain.from_iterable(_accuracy(score, kind) for score in measured.accuracies),
        *chain.from_iterable(_regression(score, kind) for score in measured.regressions),
        *_errors(measured, kind),
        *(_file(name, name, size) for name, size in sizes.items()),
        *_simulated(measured.simulation),
        *binary_figures.of_parts(deployment.compiled, waits),
        *of_resident(deployment.compiled, deployment.resident),
    )


def versions() -> dict[str, str]:
    """Package, Python included -> version."""
    import tensorflow

    packages = {package: version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "tensorflow": tensorflow.__version__, **packages}
