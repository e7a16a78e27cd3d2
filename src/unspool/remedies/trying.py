"""Remedies for too large an error, tried on the calibration samples rather than guessed."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unspool import stages
from unspool.compilation import vela
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.quantization.calibration import Calibration, choose
from unspool.quantization.concerns import feature_shares
from unspool.quantization.quantizer import quantize
from unspool.quantization.ranges import METHODS
from unspool.remedies import fine_tuning_trial, refining
from unspool.runtime import prediction, quality
from unspool.runtime.quality import Quality
from unspool.stages import Calibrated, Way
from unspool.support import processes
from unspool.support.progress import Watch, unwatched
from unspool.tflite.signature import Signature
from unspool.unrolling import taken
from unspool.unrolling.feature_scales import with_feature_scales
from unspool.unrolling.leading import leading

STAGE = "try what helps"

_SMALL_SHARE = 1 / 4  # of an input's range, for one of its features


@dataclass(frozen=True)
class Remedy:
    """One way to make the error smaller, and its result.

    Attributes:
        name: such as "int16 activations".
        choice: the option of a deployment that applies it, "activations", "calibration_method",
            "feature_scales", "refine" or "quantization_aware", and its value; empty where it has
            none.
        quality: the errors with it, in TFLM on the calibration samples; None where it was not
            tried.
        cycles: of an inference with it, Vela's estimate; None where it changes nothing.
        sram_kib: that an inference needs with it, Vela's estimate; None where it changes nothing.
        reason: why it was not tried; else empty.
        on_cpu: kinds of the operators that it leaves on the CPU, whose time no cycles tell.
    """

    name: str
    choice: tuple[str, str]
    quality: Quality | None = None
    cycles: int | None = None
    sram_kib: float | None = None
    reason: str = ""
    on_cpu: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A network whose error is too large.

    Attributes:
        trained: the Keras model.
        made: its deploy model, with its ranges.
        way: how it was unrolled and calibrated.
        target: what it is compiled for.
        samples: the calibration samples, one array (samples, ...) per input.
        reference: outputs of the trained model on them.
    """

    trained: Any
    made: Calibrated
    way: Way
    target: Target
    samples: Sequence[np.ndarray]
    reference: Sequence[np.ndarray]


def try_remedies(
    network: Network, seconds: float, watch: Watch | None = None
) -> tuple[Remedy, ...]:
    """Try each remedy by itself.

    They are: a scale for each feature, where features differ much in size; int16 activations;
    weights rounded by what layers compute; other calibration methods; quantization-aware
    fine-tuning.

    Args:
        network: the network.
        seconds: how long it may take; then fine-tuning is stopped, and no further remedy is tried.
        watch: called with the stage's name, how many were tried, and how many there are.
    """
    watch = watch or unwatched
    deadline = time.monotonic() + seconds
    tries = _tries(network, deadline)
    remedies = []
    for number, (remedy, attempt) in enumerate(tries):
        watch(f"{STAGE}: {remedy.name}", number, len(tries))
        if time.monotonic() >= deadline:
            remedies.append(replace(remedy, reason=f"the {seconds:g} s for it were over"))
            continue
        try:
            remedies.append(attempt(remedy))
        except Exception as error:  # a remedy that cannot be tried is no reason to stop
            reason = " ".join(str(error).split()) or type(error).__name__
            remedies.append(replace(remedy, reason=reason))
    watch(STAGE, len(tries), len(tries))
    return tuple(remedies)


def _tries(network: Network, deadline: float) -> list[tuple[Remedy, Callable[[Remedy], Remedy]]]:
    tries: list[tuple[Remedy, Callable[[Remedy], Remedy]]] = []
    if _differ(network):
        remedy = Remedy("a scale for each feature", ("feature_scales", ""))
        tries.append((remedy, lambda r: _by_feature(network, r)))
    if network.way.activations == "int8":
        remedy = Remedy("int16 activations", ("activations", "int16"))
        tries.append((remedy, lambda r: _in_int16(network, r)))
    if not network.made.calibration.moments:
        remedy = Remedy("weights rounded by what layers compute", ("refine", ""))
        tries.append((remedy, lambda r: _refined(network, r)))
    for method in METHODS:
        if method != network.made.calibration.method:
            remedy = Remedy(f"calibration by {method}", ("calibration_method", method))
            tries.append((remedy, lambda r: _by_method(network, r)))
    if network.way.activations == "int8":
        remedy = Remedy("quantization-aware fine-tuning", ("quantization_aware", ""))
        tries.append((remedy, lambda r: _fine_tuned(network, r, deadline)))
    return tries


def _differ(network: Network) -> bool:
    """Whether features of an unscaled input differ much in size, or lie far from 0."""
    return any(
        (feature_shares(array) < _SMALL_SHARE).any()
        for array, lead in zip(network.samples, leading(network.trained), strict=True)
        if lead is None and array.dtype.kind == "f" and array.ndim > 1
    )


def _by_feature(network: Network, remedy: Remedy) -> Remedy:
    changed = with_feature_scales(network.trained, network.samples)
    _, tflite = stages.quantized(changed, network.samples, network.way)
    return replace(remedy, quality=_judged(network, tflite))


def _in_int16(network: Network, remedy: Remedy) -> Remedy:
    observations = _observations(network.made.calibration)
    ranges = choose(observations, network.made.calibration.method, "int16").ranges
    wide = quantize(network.made.float_tflite, ranges, "int16")
    compiled = vela.compile(wide, network.target)
    return replace(
        remedy,
        quality=_judged(network, wide),
        cycles=compiled.cycles,
        sram_kib=compiled.sram_kib,
        on_cpu=tuple(operator.kind for operator in compiled.cpu_operators),
    )


def _refined(network: Network, remedy: Remedy) -> Remedy:
    _, tflite = refining.refined(network.made, network.way, network.samples)
    return replace(remedy, quality=_judged(network, tflite))


def _by_method(network: Network, remedy: Remedy) -> Remedy:
    observations = _observations(network.made.calibration)
    ranges = choose(observations, remedy.choice[1], network.way.activations).ranges
    tflite = quantize(network.made.float_tflite, ranges, network.way.activations)
    return replace(remedy, quality=_judged(network, tflite))


def _observations(calibration: Calibration) -> Any:
    if calibration.observations is None:
        raise UnspoolError("what the calibration observed was not kept")
    return calibration.observations


def _judged(network: Network, tflite: bytes) -> Quality:
    outputs = prediction.predict(tflite, list(network.samples), "tflm")
    signature = Signature(tflite)
    return quality.judge(outputs, list(network.reference), signature.output_names, signature.heads)


def _fine_tuned(network: Network, remedy: Remedy, deadline: float) -> Remedy:
    """Fine-tune in a separate process, which is stopped at the deadline."""
    with tempfile.TemporaryDirectory(prefix="unspool-") as folder:
        network.trained.save(Path(folder) / fine_tuning_trial.MODEL)
        steps = taken.steps_of(network.trained, network.samples)
        fine_tuning_trial.give(Path(folder), network.samples, steps)
        try:
            run = subprocess.run(
                [*processes.command(fine_tuning_trial.__name__), folder],
                cwd=processes.FOLDER,
                env=processes.environment(),
                capture_output=True,
                text=True,
                timeout=max(0.0, deadline - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return replace(remedy, reason="it took longer than the time that was left")
        if run.returncode:
            lines = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
            return replace(remedy, reason=lines[-1])
        tflite = (Path(folder) / fine_tuning_trial.RESULT).read_bytes()
    return replace(remedy, quality=_judged(network, tflite))
