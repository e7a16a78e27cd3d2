"""Ways to make the error of a network smaller, and which of them a deployment has not taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.quantization.concerns import feature_shares
from unspool.quantization.ranges import METHODS
from unspool.runtime.quality import Quality
from unspool.unrolling.leading import leading

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


def possible(
    trained: Any,
    samples: Sequence[np.ndarray],
    *,
    activations: str,
    method: str,
    is_refined: bool,
) -> list[Remedy]:
    """What a deployment could be asked for otherwise, the likeliest to help first.

    Args:
        trained: the Keras model.
        samples: the calibration samples, one array (samples, ...) per input.
        activations: of the deployment, "int8" or "int16".
        method: its calibration method.
        is_refined: whether its weights are rounded by what layers compute.
    """
    remedies = []
    if _differ(trained, samples):
        remedies.append(Remedy("a scale for each feature", ("feature_scales", "")))
    if activations == "int8":
        remedies.append(Remedy("int16 activations", ("activations", "int16")))
    if not is_refined:
        remedies.append(Remedy("weights rounded by what layers compute", ("refine", "")))
    others = [other for other in METHODS if other != method]
    return remedies + [Remedy(f"calibration by {o}", ("calibration_method", o)) for o in others]


def _differ(trained: Any, samples: Sequence[np.ndarray]) -> bool:
    """Whether features of an unscaled input differ much in size, or lie far from 0."""
    return any(
        (feature_shares(array) < _SMALL_SHARE).any()
        for array, lead in zip(samples, leading(trained), strict=True)
        if lead is None and array.dtype.kind == "f" and array.ndim > 1
    )
