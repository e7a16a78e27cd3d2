"""Choices that are made by the error that was measured with them, on the calibration samples."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from unspool.quantization.calibration import choose
from unspool.quantization.quantizer import quantize
from unspool.runtime.session import Session
from unspool.stages import Calibrated, Way
from unspool.support.samples import Samples

CELL_LIMITS = {"int8": (8.0, 4.0), "int16": (16.0, 8.0)}
"""Type of the activations -> where the range of cell states is cut, in turn."""


def refining(way: Way) -> Way:
    """A way whose weights are rounded by what their layers compute, and whose cells are cut."""
    return replace(way, calibrate=partial(way.calibrate, moments=True), refined=with_best_cells)


def refined(calibrated: Calibrated, way: Way, samples: Samples) -> tuple[Calibrated, bytes]:
    """Calibrate and quantize a model again, with both choices made."""
    calibration = refining(way).calibrate(calibrated.float_tflite, samples)
    tflite = quantize(
        calibrated.float_tflite, calibration.ranges, way.activations, calibration.moments
    )
    return with_best_cells(replace(calibrated, calibration=calibration), tflite, way, samples)


def with_best_cells(
    calibrated: Calibrated, tflite: bytes, way: Way, samples: Samples
) -> tuple[Calibrated, bytes]:
    """Cut the range of LSTMs' cell states where the outputs then err less.

    Args:
        calibrated: the model with its ranges.
        tflite: what it was quantized to.
        way: how.
        samples: the calibration samples, one array (samples, ...) per input.

    Returns:
        the model with the ranges of the least error, and what it is quantized to.
    """
    before = calibrated.calibration
    observed = before.observations
    if observed is None or not observed.cells:
        return calibrated, tflite
    reference = Session(calibrated.float_tflite).predict_calls(samples)
    best = _error(tflite, samples, reference)
    for limit in CELL_LIMITS[way.activations]:
        calibration = choose(observed, before.method, way.activations, before.rounds, limit)
        if calibration.ranges == before.ranges:
            continue
        tried = quantize(
            calibrated.float_tflite, calibration.ranges, way.activations, calibration.moments
        )
        error = _error(tried, samples, reference)
        if error < best:
            calibrated, tflite, best = replace(calibrated, calibration=calibration), tried, error
    return calibrated, tflite


def _error(tflite: bytes, samples: Samples, reference: Sequence[np.ndarray]) -> float:
    """Mean squared error of all outputs, in LiteRT, each as a share of its mean square."""
    outputs = Session(tflite).predict_calls(samples)
    return sum(
        float(np.square(got - right).mean() / max(np.square(right).mean(), 1e-30))
        for got, right in zip(outputs, reference, strict=True)
    )
