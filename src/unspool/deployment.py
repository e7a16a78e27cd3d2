"""The whole way: trained model -> a binary for the NPU, with what was measured on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unspool import evaluation, files, runtime, samples, targets, vela
from unspool.calibration import Calibration, calibrate, calibrate_stream
from unspool.conversion import convert
from unspool.errors import UnspoolError
from unspool.evaluation import Accuracy, OutputError, accuracy
from unspool.progress import Clock, Watch
from unspool.quantization import quantize
from unspool.residency import Resident, keep_resident
from unspool.samples import Samples
from unspool.simulation import Simulation, compare
from unspool.targets import Target
from unspool.unrolling import unroll, unroll_stream
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
        compiled: the binary for the target, with Vela's estimates; its weights resident where
            that was asked for, its estimates Vela's from before.
        resident: what was kept in SRAM; None where it was not asked for.
        unroll_error: outputs of the deploy model against the trained model's, both float.
        quantization_error: outputs of the quantized model in TFLM against the trained model's.
        accuracies: of the trained model in Keras, of the quantized model in LiteRT and in TFLM,
            and of the binary in the simulator where it runs there, all on the same test samples;
            empty without test samples.
        simulation: the binary beside the quantized model, on the test samples or, where there
            are none, on the calibration samples.
        seconds: stage -> wall-clock time that it took.
    """

    trained: Any
    deploy_model: Any
    float_tflite: bytes
    calibration: Calibration
    activations: str
    quantized_tflite: bytes
    compiled: Compiled
    resident: Resident | None
    unroll_error: OutputError
    quantization_error: OutputError
    accuracies: tuple[Accuracy, ...]
    simulation: Simulation
    seconds: dict[str, float]


@dataclass(frozen=True)
class Options:
    """Choices that both `deploy` and `deploy_stream` leave to the user.

    Attributes:
        target: what to compile for; ethos-u55-128 with Vela's defaults where None.
        calibration_method: how ranges are chosen, as `calibrate` takes it.
        activations: "int8" or "int16", as `quantize` takes it.
        allow_cpu: accept layers that no NPU runs, as `unroll` takes it.
        resident_weights: KiB of SRAM for weights that are read from flash once per inference, as
            `keep_resident` takes them; infinity for all that repeat, None to leave them in flash.
    """

    target: Target | None = None
    calibration_method: str = "mse"
    activations: str = "int8"
    allow_cpu: bool = False
    resident_weights: float | None = None


_DEFAULTS = Options()


def deploy(
    model: Any,
    calibration: Samples,
    *,
    test: tuple[Samples, np.ndarray] | None = None,
    time_steps: int | None = None,
    options: Options = _DEFAULTS,
    watch: Watch | None = None,
) -> Deployment:
    """Take a trained Keras model to a binary for an Ethos-U NPU.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: samples that span what the model will meet, (samples, time, features); 50 to
            a few hundred.
        test: samples and their classes, integers (samples,), to measure accuracy with; None
            measures none.
        time_steps: length of the sequence where the model leaves it open.
        options: target, calibration and quantization.
        watch: called with a stage's name, how much of it is done, and how much there is in all.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.
    """

    def unrolled() -> Any:
        return unroll(model, time_steps, allow_cpu=options.allow_cpu)

    def calibrated(float_tflite: bytes, data: Samples) -> Calibration:
        return calibrate(float_tflite, data, options.calibration_method, options.activations)

    return _deploy(model, calibration, test, unrolled, calibrated, options, watch)


def deploy_stream(
    model: Any,
    calibration: Samples,
    *,
    time_steps: int = 1,
    test: tuple[Samples, np.ndarray] | None = None,
    calibration_rounds: int = 6,
    carry_states: bool = False,
    options: Options = _DEFAULTS,
    watch: Watch | None = None,
) -> Deployment:
    """Take a trained Keras model to a binary that is fed a stream, with states in and out.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: sequences, (sequences, time, features); time is a multiple of `time_steps`.
        time_steps: of one call of the binary.
        test: sequences and their classes, integers (sequences,), to measure the accuracy of the
            output after the last call with; None measures none.
        calibration_rounds: as `calibrate_stream` takes it.
        carry_states: the device never resets its states; as `calibrate_stream` takes it.
        options: target, calibration and quantization.
        watch: called with a stage's name, how much of it is done, and how much there is in all.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.
    """

    def unrolled() -> Any:
        return unroll_stream(model, time_steps, allow_cpu=options.allow_cpu)

    def calibrated(float_tflite: bytes, data: Samples) -> Calibration:
        return calibrate_stream(
            float_tflite,
            data,
            options.calibration_method,
            options.activations,
            rounds=calibration_rounds,
            carry_states=carry_states,
        )

    return _deploy(model, calibration, test, unrolled, calibrated, options, watch)


def _deploy(
    model: Any,
    calibration: Samples,
    test: tuple[Samples, np.ndarray] | None,
    unrolled: Callable[[], Any],
    calibrated: Callable[[bytes, Samples], Calibration],
    options: Options,
    watch: Watch | None,
) -> Deployment:
    clock = Clock(watch)
    target = options.target or targets.target()
    calibration = samples.check(calibration, model.inputs, "calibration data")
    if test is not None:
        test = samples.check(test[0], model.inputs, "test data"), test[1]

    with clock.stage("unroll"):
        deploy_model = unrolled()
    with clock.stage("convert"):
        float_tflite = convert(deploy_model)
    with clock.stage("calibrate"):
        ranges = calibrated(float_tflite, calibration)
    with clock.stage("quantize"):
        quantized_tflite = quantize(float_tflite, ranges.ranges, options.activations)
    with clock.stage("compile with Vela"):
        compiled = vela.compile(quantized_tflite, target)
    resident = None
    if options.resident_weights is not None:
        with clock.stage("keep weights resident"):
            resident = keep_resident(compiled, quantized_tflite, options.resident_weights)
            compiled = replace(compiled, tflite=resident.tflite)
    with clock.stage("compare with the trained model"):
        reference = evaluation.predict(model, calibration)
        unroll_error = _unroll_error(float_tflite, calibration, reference)
        tflm = runtime.predict(quantized_tflite, calibration, "tflm")
        quantization_error = evaluation.difference(tflm, _last(reference, tflm))
    subjects = {"keras": model, "litert": quantized_tflite, "tflm": quantized_tflite}
    outputs = {"tflm": tflm} if test is None else {}
    data = calibration if test is None else test[0]
    for name in [] if test is None else list(subjects):
        with clock.stage(f"run in {_PLACES[name]}", len(data[0])) as progress:
            outputs[name] = evaluation.predict(subjects[name], data, name, progress)
    try:
        with clock.stage(f"run in {_PLACES['npu']}", len(data[0])) as progress:
            outputs["npu"] = evaluation.predict(compiled.tflite, data, "npu", progress)
        simulation = compare(compiled, quantized_tflite, data, outputs["npu"], outputs["tflm"])
    except UnspoolError as error:  # an accelerator or an operation that it does not simulate
        simulation = Simulation(0, 0, str(error))
    accuracies = [] if test is None else [accuracy(o, test[1], name) for name, o in outputs.items()]
    return Deployment(
        trained=model,
        deploy_model=deploy_model,
        float_tflite=float_tflite,
        calibration=ranges,
        activations=options.activations,
        quantized_tflite=quantized_tflite,
        compiled=compiled,
        resident=resident,
        unroll_error=unroll_error,
        quantization_error=quantization_error,
        accuracies=tuple(accuracies),
        simulation=simulation,
        seconds=clock.seconds,
    )


_PLACES = {"keras": "Keras", "litert": "LiteRT", "tflm": "TFLM", "npu": "the NPU's simulator"}


def _last(reference: list[np.ndarray], outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Of outputs in time, the steps that the last call of a stream gives."""
    return [
        whole[:, -part.shape[1] :] if whole.ndim == part.ndim > 2 else whole
        for whole, part in zip(reference, outputs, strict=True)
    ]


def _unroll_error(
    float_tflite: bytes, data: list[np.ndarray], reference: list[np.ndarray]
) -> OutputError:
    outputs = runtime.predict(float_tflite, data, "litert")
    error = evaluation.difference(outputs, _last(reference, outputs))
    unit = max(1.0, *(float(np.abs(output).max()) for output in reference))
    if not error.largest <= LARGEST_UNROLL_ERROR * unit:
        raise UnspoolError(
            f"the deploy model's outputs differ from the trained model's by up to "
            f"{error.largest:.1e} on {error.samples} samples; at most {LARGEST_UNROLL_ERROR:.0e} "
            "is expected: please report this model as a defect of Unspool"
        )
    return error


def save(deployment: Deployment, folder: Path) -> dict[str, int]:
    """Write the models to a folder; returns file name -> bytes.

    `model_float.tflite`, `model_int8.tflite` (or int16) and `model_vela.tflite`.
    """
    contents = {
        "model_float.tflite": deployment.float_tflite,
        f"model_{deployment.activations}.tflite": deployment.quantized_tflite,
        "model_vela.tflite": deployment.compiled.tflite,
    }
    for name, content in contents.items():
        files.write(folder / name, content)
    return {name: len(content) for name, content in contents.items()}
