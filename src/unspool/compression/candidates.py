"""One compression setting, tried: fine-tune, quantize, compile, measure; in any process."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unspool import stages
from unspool.compilation.residency import compiling
from unspool.compression.build import Build
from unspool.compression.compressing import compress
from unspool.compression.fine_tuning_run import FineTuning
from unspool.compression.goal import Goal
from unspool.compression.kernels import KernelSetting
from unspool.frontend.inference_form import for_inference
from unspool.frontend.keras_file import load
from unspool.support.progress import Clock, Watch


@dataclass(frozen=True)
class Candidate:
    """The results of one setting.

    Attributes:
        setting: how far all layers were compressed.
        value: the goal's metric of the quantized model in LiteRT on the validation samples.
        flash_kib: of the compiled file, KiB, measured.
        sram_kib: TFLM's arena for it, KiB.
        cycles: of one inference, Vela's estimate.
        epochs: of fine-tuning; 0 for the trained model as it is.
        seconds: how long it took.
    """

    setting: KernelSetting
    value: float
    flash_kib: float
    sram_kib: float
    cycles: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Task:
    """What all candidates of a search share, in a form that can be sent to other processes.

    Attributes:
        trained: bytes of the trained model's .keras file.
        losses: what it was compiled with, as `losses` gives it.
        data: training samples, one array (samples, ...) per input.
        labels: of them, as the loss takes them.
        validation: samples and labels that are not used to train.
        goal: what is measured.
        output: name of the output that is measured.
        calibration: samples to quantize with.
        unit_scores: how much each of the model's units matters; None where all stay.
        fine_tuning: how to train.
        build: how its candidates become binaries.
    """

    trained: bytes
    losses: Mapping[str, Any]
    data: list[np.ndarray]
    labels: np.ndarray
    validation: tuple[list[np.ndarray], np.ndarray]
    goal: Goal
    output: str
    calibration: list[np.ndarray]
    unit_scores: np.ndarray | None
    fine_tuning: FineTuning
    build: Build


def measure(task: Task, model: Any, setting: KernelSetting, epochs: int) -> Candidate:
    """Deploy a model and measure it."""
    start = time.perf_counter()
    build, way = task.build, task.build.way
    turned = way.turned(for_inference(model))
    calibration = turned.samples(task.calibration)
    subject = way.scaled(turned.model, calibration)
    _, tflite = stages.quantized(subject, calibration, way)
    compiled, resident = compiling.binary(tflite, build.target, build.resident_kib, Clock(None))
    data, labels = task.validation
    return Candidate(
        setting=setting,
        value=task.goal.measured(
            tflite, turned.samples(data), turned.labels_of(task.output, labels), task.output
        ),
        flash_kib=compiled.flash_kib,
        sram_kib=compiled.sram_kib,
        cycles=compiling.cycles(compiled, resident),
        epochs=epochs,
        seconds=time.perf_counter() - start,
    )


def run(task: Task, setting: KernelSetting, watch: Watch | None = None) -> tuple[Candidate, bytes]:
    """Try a setting; returns its results, and the bytes of the compressed model's .keras file."""
    model = from_bytes(task.trained)
    model.compile(getattr(model, "optimizer", None) or "rmsprop", **task.losses)
    compressed = compress(
        model,
        task.data,
        task.labels,
        setting=setting,
        validation=task.validation,
        calibration=task.calibration if task.build.training_way else None,
        way=task.build.training_way,
        unit_scores=task.unit_scores,
        fine_tuning=task.fine_tuning,
        watch=None if watch is None else _named(str(setting), watch),
    )
    if compressed.interrupted:
        raise KeyboardInterrupt  # half a training says nothing about the setting
    measured = measure(task, compressed.model, setting, task.fine_tuning.epochs)
    seconds = measured.seconds + compressed.seconds
    return replace(measured, seconds=seconds), to_bytes(compressed.model)


def _named(name: str, watch: Watch) -> Watch:
    return lambda stage, done, total: watch(f"{name}: {stage.partition(':')[2]}", done, total)


def to_bytes(model: Any) -> bytes:
    """A model's .keras file."""
    with tempfile.TemporaryDirectory(prefix="unspool-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def from_bytes(content: bytes) -> Any:
    """The model of a .keras file."""
    with tempfile.TemporaryDirectory(prefix="unspool-") as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        return load(path)
