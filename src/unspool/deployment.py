"""The whole way: trained model -> a binary for the NPU, with what was measured on it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unspool import evaluation, files, runtime, samples, targets, vela
from unspool.calibration import Calibration, calibrate
from unspool.conversion import convert
from unspool.errors import UnspoolError
from unspool.evaluation import Accuracy, OutputError
from unspool.progress import Progress, Watch
from unspool.quantization import quantize
from unspool.samples import Samples
from unspool.targets import Target
from unspool.unrolling import unroll
from unspool.vela import Compiled

LARGEST_UNROLL_ERROR = 1e-5
"""How far an output of the deploy model may be from the trained model's, in float: absolute for
outputs up to 1, relative to the largest output above."""


@dataclass(frozen=True)
class Deployment:
    """What each stage gave, and what was measured.

    Attributes:
        trained: the trained Keras model.
        deploy_model: the Keras model without loops.
        float_tflite: the deploy model converted, bytes of a float .tflite.
        calibration: the ranges.
        activations: "int8" or "int16".
        quantized_tflite: bytes of the quantized .tflite.
        compiled: the binary for the target, with Vela's estimates.
        unroll_error: outputs of the deploy model against the trained model's, both float.
        quantization_error: outputs of the quantized model in TFLM against the trained model's.
        accuracies: of the trained model in Keras, of the quantized model in LiteRT and in TFLM,
            all on the same test samples; empty without test samples.
        seconds: stage -> wall-clock time that it took.
    """

    trained: Any
    deploy_model: Any
    float_tflite: bytes
    calibration: Calibration
    activations: str
    quantized_tflite: bytes
    compiled: Compiled
    unroll_error: OutputError
    quantization_error: OutputError
    accuracies: tuple[Accuracy, ...]
    seconds: dict[str, float]


def deploy(
    model: Any,
    calibration: Samples,
    *,
    test: tuple[Samples, np.ndarray] | None = None,
    target: Target | None = None,
    time_steps: int | None = None,
    calibration_method: str = "mse",
    activations: str = "int8",
    allow_cpu: bool = False,
    watch: Watch | None = None,
) -> Deployment:
    """Take a trained Keras model to a binary for an Ethos-U NPU.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: samples that span what the model will meet, (samples, time, features); 50 to
            a few hundred.
        test: samples and their classes, to measure accuracy with; None measures none.
        target: what to compile for; ethos-u55-128 with Vela's defaults where None.
        time_steps: length of the sequence where the model leaves it open.
        calibration_method: how ranges are chosen, as `calibrate` takes it.
        activations: "int8" or "int16", as `quantize` takes it.
        allow_cpu: accept layers that no NPU runs, as `unroll` takes it.
        watch: told of progress.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.
    """
    clock = _Clock(watch)
    target = target or targets.target()
    calibration = samples.check(calibration, model.inputs, "calibration data")
    if test is not None:
        test = samples.check(test[0], model.inputs, "test data"), test[1]

    with clock.stage("unroll"):
        deploy_model = unroll(model, time_steps, allow_cpu=allow_cpu)
    with clock.stage("convert"):
        float_tflite = convert(deploy_model)
    with clock.stage("calibrate"):
        ranges = calibrate(float_tflite, calibration, calibration_method)
    with clock.stage("quantize"):
        quantized_tflite = quantize(float_tflite, ranges.ranges, activations)
    with clock.stage("compile with Vela"):
        compiled = vela.compile(quantized_tflite, target)
    with clock.stage("compare with the trained model"):
        reference = evaluation.predict(model, calibration)
        unroll_error = _unroll_error(float_tflite, calibration, reference)
        quantization_error = evaluation.difference(
            runtime.predict(quantized_tflite, calibration, "tflm"), reference
        )
    accuracies = []
    if test is not None:
        ran = {"keras": model, "litert": quantized_tflite, "tflm": quantized_tflite}
        for name, subject in ran.items():
            with clock.stage(f"test with {name}", len(test[0][0])) as progress:
                accuracies.append(evaluation.evaluate(subject, *test, name, progress))
    return Deployment(
        trained=model,
        deploy_model=deploy_model,
        float_tflite=float_tflite,
        calibration=ranges,
        activations=activations,
        quantized_tflite=quantized_tflite,
        compiled=compiled,
        unroll_error=unroll_error,
        quantization_error=quantization_error,
        accuracies=tuple(accuracies),
        seconds=clock.seconds,
    )


def _unroll_error(
    float_tflite: bytes, data: list[np.ndarray], reference: list[np.ndarray]
) -> OutputError:
    error = evaluation.difference(runtime.predict(float_tflite, data, "litert"), reference)
    unit = max(1.0, *(float(np.abs(output).max()) for output in reference))
    if not error.largest <= LARGEST_UNROLL_ERROR * unit:
        raise UnspoolError(
            f"the deploy model's outputs differ from the trained model's by up to "
            f"{error.largest:.1e} on {error.samples} samples; at most {LARGEST_UNROLL_ERROR:.0e} "
            "is expected: please report this model as a defect of Unspool"
        )
    return error


def save(deployment: Deployment, folder: Path) -> dict[str, int]:
    """Write `model_int8.tflite` (or int16) and `model_vela.tflite`; returns name -> bytes."""
    contents = {
        f"model_{deployment.activations}.tflite": deployment.quantized_tflite,
        "model_vela.tflite": deployment.compiled.tflite,
    }
    for name, content in contents.items():
        files.write(folder / name, content)
    return {name: len(content) for name, content in contents.items()}


class _Clock:
    """Times the stages and tells the watcher of them."""

    def __init__(self, watch: Watch | None) -> None:
        self.seconds: dict[str, float] = {}
        self._watch = watch or (lambda stage, done, total: None)

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Progress]:
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            self._watch(name, done, total)

        start = time.perf_counter()
        self._watch(name, 0, total)
        yield progress
        self._watch(name, total, total)
        self.seconds[name] = time.perf_counter() - start
