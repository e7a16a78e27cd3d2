"""Remedies for too large an error, tried on the calibration samples rather than guessed."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from unspool import stages
from unspool.compilation import vela
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.quantization.calibration import Calibration, choose
from unspool.quantization.quantizer import quantize
from unspool.remedies import fine_tuning_trial, refining
from unspool.remedies.remedy import Remedy, possible
from unspool.runtime import prediction, quality
from unspool.runtime.quality import Quality
from unspool.stages import Calibrated, Way
from unspool.support import processes
from unspool.support.progress import Watch, unwatched
from unspool.tflite.signature import Signature
from unspool.unrolling import taken
from unspool.unrolling.feature_scales import with_feature_scales

STAGE = "try what helps"

Try: TypeAlias = tuple[Remedy, Callable[[Remedy], Remedy]]
"""A remedy, and what gives it with its result."""


@dataclass(frozen=True)
class Network:
    """A network whose error is too large.

    Attributes:
        trained: the Keras model.
        calibrated: its deploy model, with its ranges.
        way: how it was unrolled and calibrated.
        target: what it is compiled for.
        samples: the calibration samples, one array (samples, ...) per input.
        reference: outputs of the trained model on them.
    """

    trained: Any
    calibrated: Calibrated
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
    deadline = time.monotonic() + seconds
    return in_turn(_tries(network, deadline), seconds, watch)


def in_turn(tries: Sequence[Try], seconds: float, watch: Watch | None = None) -> tuple[Remedy, ...]:
    """Try one remedy after the other, until the time is over.

    Args:
        tries: each remedy, and what tries it.
        seconds: how long it may take; then no further remedy is tried.
        watch: called with the stage's name, how many were tried, and how many there are.
    """
    watch, deadline = watch or unwatched, time.monotonic() + seconds
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


def _tries(network: Network, deadline: float) -> list[Try]:
    attempts = {
        "feature_scales": _by_feature,
        "activations": _in_int16,
        "refine": _refined,
        "calibration_method": _by_method,
    }
    calibration = network.calibrated.calibration
    remedies = possible(
        network.trained,
        network.samples,
        activations=network.way.activations,
        method=calibration.method,
        is_refined=bool(calibration.moments),
    )
    tries: list[Try] = [(r, partial(attempts[r.choice[0]], network)) for r in remedies]
    if network.way.activations == "int8":
        remedy = Remedy("quantization-aware fine-tuning", ("quantization_aware", ""))
        tries.append((remedy, lambda r: _fine_tuned(network, r, deadline)))
    return tries


def _by_feature(network: Network, remedy: Remedy) -> Remedy:
    changed = with_feature_scales(network.trained, network.samples)
    _, tflite = stages.quantized(changed, network.samples, network.way)
    return replace(remedy, quality=_judged(network, tflite))


def _in_int16(network: Network, remedy: Remedy) -> Remedy:
    observations = _observations(network.calibrated.calibration)
    ranges = choose(observations, network.calibrated.calibration.method, "int16").ranges
    wide = quantize(network.calibrated.float_tflite, ranges, "int16")
    compiled = vela.compile(wide, network.target)
    return replace(
        remedy,
        quality=_judged(network, wide),
        cycles=compiled.cycles,
        sram_kib=compiled.sram_kib,
        on_cpu=tuple(operator.kind for operator in compiled.cpu_operators),
    )


def _refined(network: Network, remedy: Remedy) -> Remedy:
    _, tflite = refining.refined(network.calibrated, network.way, network.samples)
    return replace(remedy, quality=_judged(network, tflite))


def _by_method(network: Network, remedy: Remedy) -> Remedy:
    observations = _observations(network.calibrated.calibration)
    ranges = choose(observations, remedy.choice[1], network.way.activations).ranges
    tflite = quantize(network.calibrated.float_tflite, ranges, network.way.activations)
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
