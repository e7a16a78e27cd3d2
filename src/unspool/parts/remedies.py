"""Remedies for too large an error of a network in parts: each is deployed, and judged."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from unspool.deployed import Options
from unspool.deployment import way_of
from unspool.errors import UnspoolWarning
from unspool.parts.binaries import chained
from unspool.remedies.remedy import Remedy, possible
from unspool.remedies.trying import in_turn
from unspool.runtime import evaluation, quality
from unspool.support.progress import Clock, Watch


@dataclass(frozen=True)
class NetworkInParts:
    """A network in parts whose error is too large, and how it was asked for.

    Attributes:
        model: the trained Keras model.
        samples: the calibration samples, one array (samples, ...) per input.
        steps_per_call: as `deploy_in_parts` takes it, and the others.
        time_steps: of a sequence, where the model leaves them open.
        options: target, calibration and quantization.
    """

    model: Any
    samples: Sequence[np.ndarray]
    steps_per_call: int
    time_steps: int | None
    options: Options


def try_in_parts(network: NetworkInParts, watch: Watch | None = None) -> tuple[Remedy, ...]:
    """Try each remedy by itself, for as long as the options say.

    Fine-tuning is none of them: what it gives is another model, which is deployed anew.
    """
    options = network.options
    remedies = possible(
        network.model,
        network.samples,
        activations=options.activations,
        method=options.calibration_method,
        is_refined=options.refine,
    )
    reference = evaluation.predict(network.model, list(network.samples))
    tries = [
        (remedy, partial(_tried, network, reference))
        for remedy in remedies
        if getattr(options, remedy.choice[0]) is not True
    ]
    return in_turn(tries, options.remedy_seconds, watch)


def _tried(network: NetworkInParts, reference: Sequence[np.ndarray], remedy: Remedy) -> Remedy:
    name, value = remedy.choice
    # Figures without resident weights are compared.
    changed: dict[str, Any] = {"resident_weights": None, name: value or True}
    options = replace(network.options, **changed)
    subject = way_of(network.time_steps, None, options).scaled(network.model, network.samples)
    steps = network.steps_per_call, network.time_steps
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnspoolWarning)  # of what is tried alone
        chain, compiled = chained(subject, network.samples, *steps, options, Clock(None))
    chain = replace(chain, trained=network.model)
    outputs = chain.run("tflm", list(network.samples))
    output_quality = quality.judge(outputs, reference, chain.output_names, chain.heads)
    if name != "activations":
        return replace(remedy, quality=output_quality)
    on_cpu = tuple(operator.kind for operator in compiled.cpu_operators)
    sram = compiled.sram_kib
    return replace(
        remedy, quality=output_quality, cycles=compiled.cycles, sram_kib=sram, on_cpu=on_cpu
    )
