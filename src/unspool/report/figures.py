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
from unspool.quantization.calibration import Round
from unspool.report.figure import Figure, Origin, figure
from unspool.report.numbers import left_out
from unspool.runtime.measuring import PLACES, Measured
from unspool.runtime.quality import Quality
from unspool.runtime.scores import Accuracy, Regression
from unspool.runtime.verification import Simulation
from unspool.tflite import names
from unspool.tflite.signature import Signature

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
        resident: weights that are kept in SRAM; None where none are.
    """
    return (
        replace(_file("vela", "", size), label=f"{kinds.FILE_SIZE.label}, compiled"),
        *_compiled(compiled, waits),
        *_resident(compiled, resident),
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
    return origin, who, f"{where}{how}, {score.samples:,} test samples{left_out(score.padded)}"


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


def _compiled(compiled: Compiled, waits: Wait | None) -> Iterator[Figure]:
    vela = f"Vela {compiled.vela_version}"
    on = str(compiled.target)
    yield figure(kinds.NPU_OPERATORS, compiled.npu_operators, "measured", vela)
    yield figure(kinds.CPU_OPERATORS, len(compiled.cpu_operators), "measured", vela)
    signature = Signature(compiled.tflite)
    if compiled.calls > 1:
        steps = signature.time_steps
        how = f"of {steps} time step{'s' * (steps != 1)} each"
        yield figure(kinds.CALLS, compiled.calls, "measured", how)
    yield from _stream(signature)
    yield from _moving(compiled, signature)
    yield figure(kinds.CYCLES, compiled.cycles, "estimated", on)
    yield figure(kinds.MILLISECONDS, compiled.milliseconds, "estimated", f"{on}{_calls(compiled)}")
    how = "the arena that TFLM needs" if compiled.sram_kib > compiled.tensors_sram_kib else on
    yield figure(kinds.SRAM, compiled.sram_kib, "estimated", how)
    yield figure(kinds.SRAM_TENSORS, compiled.tensors_sram_kib, "estimated", f"of it, {on}")
    yield figure(kinds.DRAM, compiled.dram_kib, "estimated", on)
    yield figure(kinds.FLASH, compiled.flash_kib, "measured", "the compiled file, all of it")
    how = "of it, what the NPU is told to do"
    yield figure(kinds.COMMAND_STREAM, compiled.command_stream_kib, "measured", how)
    yield figure(kinds.CONSTANTS, compiled.constants_kib, "estimated", on)
    yield figure(kinds.WEIGHTS, compiled.weights_kib, "estimated", on)
    if compiled.sram_with_weights_kib > compiled.sram_kib:
        yield figure(kinds.SRAM_WITH_WEIGHTS, compiled.sram_with_weights_kib, "estimated", on)
    if waits is not None:
        memory = f" {waits.memory}"
        yield figure(kinds.CYCLES_WAITING, waits.cycles, "estimated", on, what=memory)


def _moving(compiled: Compiled, signature: Signature) -> Iterator[Figure]:
    """What the NPU does for windows that reach into calls before, as for no whole sequence."""
    moving = [
        op
        for op in compiled.operators
        if any(names.moves_rows(op.name, pair.name) for pair in signature.pairs)
    ]
    if moving:
        cycles = sum(op.cycles for op in moving)
        how = f"{len(moving)} operations, {compiled.target}"
        yield figure(kinds.MOVING_CYCLES, cycles, "estimated", how)


def _stream(signature: Signature) -> Iterator[Figure]:
    """What goes from call to call, and of a stream whose windows are not full at once, when."""
    if signature.pairs:
        how = f"in {len(signature.pairs)} states, copied by the CPU after each call"
        yield figure(kinds.STATE_BYTES, signature.state_bytes, "measured", how)
    if signature.of_sequence and (signature.warm_up or signature.is_late):
        steps = signature.time_steps
        how = f"of {steps} time step{'s' * (steps != 1)} each, after a reset"
        yield figure(kinds.WARM_UP, signature.warm_up, "measured", how)
        how = "than a network for the whole sequence would give them"
        yield figure(kinds.LATE, signature.of_sequence.late, "measured", how)


def _calls(compiled: Compiled) -> str:
    """What the calls take of an inference's time, at the end of a sentence; or nothing."""
    if compiled.calls == 1:
        return ""
    each = f"{compiled.target.call_microseconds:g}"
    return f"; {compiled.call_milliseconds:.3g} ms of it calls, assumed at {each} microseconds each"


def _resident(compiled: Compiled, resident: Resident | None) -> Iterator[Figure]:
    if resident is None or resident.reason:
        return
    yield figure(kinds.RESIDENT_KEPT, resident.kept_kib, "measured", "weights resident")
    yield figure(kinds.RESIDENT_SRAM, resident.sram_kib, "estimated", "weights resident")
    if resident.cycles is not None:
        cycles, how = resident.cycles, resident.cycles_how
        apart = compiled.call_milliseconds
        ms = cycles * (compiled.milliseconds - apart) / compiled.cycles + apart
        yield figure(kinds.RESIDENT_CYCLES, cycles, "estimated", how)
        yield figure(kinds.RESIDENT_MILLISECONDS, ms, "estimated", how)


def versions() -> dict[str, str]:
    """Package, Python included -> version."""
    import tensorflow

    packages = {package: version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "tensorflow": tensorflow.__version__, **packages}
