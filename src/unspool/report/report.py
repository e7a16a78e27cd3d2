"""The report: every figure of a deployment with its unit and its origin."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from unspool.budgets import Breach, Budget
from unspool.calibration import Calibration, Round
from unspool.deployment import Deployment
from unspool.drift import Drift
from unspool.evaluation import Accuracy
from unspool.report.compression import Compression
from unspool.report.document import SCHEMA_VERSION as SCHEMA_VERSION
from unspool.report.figure import Figure as Figure
from unspool.report.figure import Origin as Origin
from unspool.residency import Resident
from unspool.simulation import Simulation
from unspool.vela import Compiled
from unspool.waiting import wait

if TYPE_CHECKING:
    from unspool.report.advice import Advice

_RUNTIMES = {
    "keras": ("Accuracy, trained model (Keras)", "float, Keras"),
    "litert": ("Accuracy, {} model (LiteRT)", "{}, LiteRT's default kernels"),
    "tflm": ("Accuracy, {} model (TFLM)", "{}, TFLM, the runtime of firmware"),
    "npu": ("Accuracy, binary, npu (simulated)", "Vela's binary in Unspool's simulator"),
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


@dataclass(frozen=True)
class Report:
    """What a run found, ready to be rendered.

    Attributes:
        model: what was deployed: name, inputs, outputs, parameters.
        figures: in the order in which they are shown.
        accuracies: with confusion matrices.
        compiled: Vela's results.
        seconds: stage -> wall-clock seconds.
        created: when, UTC.
        versions: package -> version of what took part.
        simulation: the binary beside the quantized model; None where nothing was run.
        rounds: of calibrating a stream.
        drift: of a stream.
        resident: weights that are kept in SRAM, where that was asked for.
        calibration: the ranges, for the pictures; None where a file was compiled alone.
        quantized_tflite: what was compiled, for the picture of a step; else empty.
        compression: how the model was compressed, where it was.
        budget: that it is held against; None where there is none.
        breaches: the limits of the budget that it breaks.
        advice: what to do next, from the figures.
    """

    model: Mapping[str, Any]
    figures: tuple[Figure, ...]
    accuracies: tuple[Accuracy, ...]
    compiled: Compiled
    seconds: Mapping[str, float]
    created: datetime
    versions: Mapping[str, str]
    simulation: Simulation | None = None
    rounds: tuple[Round, ...] = ()
    drift: Drift | None = None
    resident: Resident | None = None
    calibration: Calibration | None = field(default=None, repr=False)
    quantized_tflite: bytes = field(default=b"", repr=False)
    compression: Compression | None = None
    budget: Budget | None = None
    breaches: tuple[Breach, ...] = ()
    advice: "tuple[Advice, ...]" = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """What the figures can be compared with: "guide", "before"."""
        names = ("guide", "before")
        return tuple(n for n in names if any(getattr(f, n) is not None for f in self.figures))

    @property
    def made_resident(self) -> Resident | None:
        """The weights that are kept in SRAM; None where that was not asked for, or not done."""
        return self.resident if self.resident and not self.resident.reason else None

    @property
    def values(self) -> dict[str, float]:
        """Figure id -> value."""
        return {figure.id: figure.value for figure in self.figures}


def of_deployment(
    deployment: Deployment,
    sizes: Mapping[str, int],
    guide: Mapping[str, float] | None = None,
    seconds: Mapping[str, float] | None = None,
    drift: Drift | None = None,
    compression: Compression | None = None,
) -> Report:
    """The report of a deployment.

    Args:
        deployment: what `deploy` returned.
        sizes: file name -> bytes of the files that were written.
        guide: figure id -> the guide's value, where it is known.
        seconds: stages before the deployment, such as training.
        drift: of a stream, where it was measured.
        compression: how the model was compressed, where it was.
    """
    guide, activations = guide or {}, deployment.activations
    before = compression.before if compression else {}
    unrolled, quantized = deployment.unroll_error, deployment.quantization_error
    error_of = f"on {quantized.samples} calibration samples"
    figures = [
        *(_accuracy(accuracy, activations, guide) for accuracy in deployment.accuracies),
        Figure(
            "unroll_error",
            "Largest output difference, deploy model",
            unrolled.largest,
            "",
            "measured",
            f"LiteRT float against Keras, {unrolled.samples} calibration samples",
        ),
        Figure(
            "quantization_error_mean",
            f"Mean output difference, {activations} model",
            quantized.mean,
            "",
            "measured",
            f"TFLM against Keras, {error_of}",
        ),
        Figure(
            "quantization_error_largest",
            f"Largest output difference, {activations} model",
            quantized.largest,
            "",
            "measured",
            f"TFLM against Keras, {error_of}",
        ),
        *(
            Figure(f"size_{name}", f"File {name}", size / 1024, "KiB", "measured", "on disk")
            for name, size in sizes.items()
        ),
        *_simulated(deployment.simulation),
        *_calibrated(deployment.calibration.rounds),
        *_compiled(deployment.compiled, guide),
        *_resident(deployment.compiled, deployment.resident),
    ]
    model = deployment.deploy_model
    return Report(
        model={
            "name": deployment.trained.name,
            "parameters": deployment.trained.count_params(),
            "inputs": [
                {"name": name, "shape": list(t.shape)}
                for name, t in zip(model.interface.inputs, model.inputs, strict=True)
            ],
            "outputs": [
                {"name": name, "shape": list(t.shape)}
                for name, t in zip(model.interface.outputs, model.outputs, strict=True)
            ],
        },
        figures=tuple(replace(f, before=before.get(f.id)) for f in figures),
        accuracies=deployment.accuracies,
        compiled=deployment.compiled,
        seconds={**(seconds or {}), **deployment.seconds},
        created=datetime.now(timezone.utc),
        versions=_versions(),
        simulation=deployment.simulation,
        rounds=deployment.calibration.rounds,
        drift=drift,
        resident=deployment.resident,
        compression=compression,
        calibration=deployment.calibration,
        quantized_tflite=deployment.quantized_tflite,
    )


def of_compiled(
    name: str,
    compiled: Compiled,
    size: int,
    resident: Resident | None = None,
    quantized_tflite: bytes = b"",
) -> Report:
    """The report of a compilation alone.

    Args:
        name: of the .tflite file.
        compiled: what `compile` returned.
        size: bytes of the compiled file.
        resident: weights that are kept in SRAM, where that was asked for.
        quantized_tflite: what was compiled, for the picture of a step.
    """
    return Report(
        model={"name": name},
        figures=(
            Figure("size_vela", "File, compiled", size / 1024, "KiB", "measured", "on disk"),
            *_compiled(compiled, {}),
            *_resident(compiled, resident),
        ),
        accuracies=(),
        compiled=compiled,
        seconds={},
        created=datetime.now(timezone.utc),
        versions=_versions(),
        resident=resident,
        quantized_tflite=quantized_tflite,
    )


def _accuracy(accuracy: Accuracy, activations: str, guide: Mapping[str, float]) -> Figure:
    label, how = (text.format(activations) for text in _RUNTIMES[accuracy.runtime])
    key = f"accuracy_{accuracy.runtime}"
    how = f"{how}, {accuracy.samples:,} test samples"
    origin: Origin = "simulated" if accuracy.runtime == "npu" else "measured"
    return Figure(key, label, accuracy.percent, "%", origin, how, guide.get(key))


def _simulated(simulation: Simulation) -> list[Figure]:
    if not simulation.samples:
        return []
    how = f"of {simulation.samples:,} samples: binary in the simulator, byte for byte as TFLM"
    return [Figure("npu_equal", "Samples equal to TFLM", simulation.equal, "", "simulated", how)]


def _calibrated(rounds: tuple[Round, ...]) -> list[Figure]:
    if not rounds:
        return []
    how = f"round {len(rounds)} of calibration, {rounds[-1].sequences} sequences in all"
    growth = rounds[-1].growth
    return [Figure("state_growth", "Growth of state ranges", growth, "%", "measured", how)]


def _compiled(compiled: Compiled, guide: Mapping[str, float]) -> list[Figure]:
    vela = f"Vela {compiled.vela_version}"
    on, on_cpu = str(compiled.target), len(compiled.cpu_operators)
    rows: list[tuple[str, str, float, str, Origin, str]] = [
        ("npu_operators", "Operators on the NPU", compiled.npu_operators, "", "measured", vela),
        ("cpu_operators", "Operators on the CPU", on_cpu, "", "measured", vela),
        ("cycles", "Cycles of an inference", compiled.cycles, "cycles", "estimated", on),
        ("milliseconds", "Time of an inference", compiled.milliseconds, "ms", "estimated", on),
        ("sram", "SRAM", compiled.sram_kib, "KiB", "estimated", on),
        ("dram", "DRAM", compiled.dram_kib, "KiB", "estimated", on),
        ("flash", "Flash", compiled.flash_kib, "KiB", "estimated", on),
        ("weights", "Compressed weights and scales", compiled.weights_kib, "KiB", "estimated", on),
    ]
    if compiled.sram_with_weights_kib > compiled.sram_kib:
        sram, label = compiled.sram_with_weights_kib, "SRAM with the weights"
        rows.append(("sram_with_weights", label, sram, "KiB", "estimated", on))
    waits = wait(compiled)
    if waits is not None:
        label = f"Cycles waiting for {waits.memory}"
        rows.append(("cycles_waiting", label, waits.cycles, "cycles", "estimated", on))
    return [Figure(*row, guide=guide.get(row[0])) for row in rows]


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


def _versions() -> dict[str, str]:
    import tensorflow

    packages = {package: version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "tensorflow": tensorflow.__version__, **packages}
