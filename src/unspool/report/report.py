"""The report: every figure of a deployment with its unit and its origin."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, Literal

from unspool.deployment import Deployment
from unspool.evaluation import Accuracy
from unspool.vela import Compiled

SCHEMA_VERSION = 1

Origin = Literal["measured", "estimated"]
"""measured: counted or run here; estimated: Vela's estimate, no silicon involved."""

_RUNTIMES = {
    "keras": ("Accuracy, trained model (Keras)", "float, Keras"),
    "litert": ("Accuracy, {} model (LiteRT)", "{}, LiteRT's default kernels"),
    "tflm": ("Accuracy, {} model (TFLM)", "{}, TFLM, the runtime of firmware"),
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
class Figure:
    """One figure.

    Attributes:
        id: its key in the JSON report.
        label: its name for people.
        value: the number.
        unit: of the value: "%", "KiB", "cycles", ...; empty for a count or a pure number.
        origin: how the number came about.
        how: with what, on what, how many samples.
        guide: the same figure of Arm's guide, where it is known.
    """

    id: str
    label: str
    value: float
    unit: str
    origin: Origin
    how: str
    guide: float | None = None


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
    """

    model: Mapping[str, Any]
    figures: tuple[Figure, ...]
    accuracies: tuple[Accuracy, ...]
    compiled: Compiled
    seconds: Mapping[str, float]
    created: datetime
    versions: Mapping[str, str]


def of_deployment(
    deployment: Deployment,
    sizes: Mapping[str, int],
    guide: Mapping[str, float] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> Report:
    """The report of a deployment.

    Args:
        deployment: what `deploy` returned.
        sizes: file name -> bytes of the files that were written.
        guide: figure id -> the guide's value, where it is known.
        seconds: stages before the deployment, such as training.
    """
    guide, activations = guide or {}, deployment.activations
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
        *_compiled(deployment.compiled, guide),
    ]
    model = deployment.deploy_model
    return Report(
        model={
            "name": deployment.trained.name,
            "parameters": deployment.trained.count_params(),
            "inputs": [{"name": t.name, "shape": list(t.shape)} for t in model.inputs],
            "outputs": [
                {"name": name, "shape": list(t.shape)}
                for name, t in zip(model.output_names, model.outputs, strict=True)
            ],
        },
        figures=tuple(figures),
        accuracies=deployment.accuracies,
        compiled=deployment.compiled,
        seconds={**(seconds or {}), **deployment.seconds},
        created=datetime.now(timezone.utc),
        versions=_versions(),
    )


def of_compiled(name: str, compiled: Compiled, size: int) -> Report:
    """The report of a compilation alone.

    Args:
        name: of the .tflite file.
        compiled: what `compile` returned.
        size: bytes of the compiled file.
    """
    return Report(
        model={"name": name},
        figures=(
            Figure("size_vela", "File, compiled", size / 1024, "KiB", "measured", "on disk"),
            *_compiled(compiled, {}),
        ),
        accuracies=(),
        compiled=compiled,
        seconds={},
        created=datetime.now(timezone.utc),
        versions=_versions(),
    )


def _accuracy(accuracy: Accuracy, activations: str, guide: Mapping[str, float]) -> Figure:
    label, how = (text.format(activations) for text in _RUNTIMES[accuracy.runtime])
    key = f"accuracy_{accuracy.runtime}"
    how = f"{how}, {accuracy.samples:,} test samples"
    return Figure(key, label, accuracy.percent, "%", "measured", how, guide.get(key))


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
    return [Figure(*row, guide=guide.get(row[0])) for row in rows]


def _versions() -> dict[str, str]:
    import tensorflow

    packages = {package: version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "tensorflow": tensorflow.__version__, **packages}
