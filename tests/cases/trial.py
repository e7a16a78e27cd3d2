"""A case, deployed: what the tests ask of it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import shared

from cases.core import Case, trained
from cases.exceptions import OnCpu, exception
from cases.masks import MASKS, PAD
from unspool import Deployment, Options, deploy
from unspool.compilation.compiled import Compiled
from unspool.guide import mnist
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session

CALIBRATION, UNSEEN = 24, 8


@dataclass(frozen=True)
class Trial:
    """A deployment, and the samples it is tried with.

    Attributes:
        done: the deployment, calibrated with the first of the samples.
        data: all samples, one array (samples, ...) per input.
    """

    done: Deployment
    data: list[np.ndarray]


def attempt(case: Case, steps: int, activations: str) -> Trial:
    """Deploy a case for ethos-u55-128, at a number of steps.

    Raises:
        UnspoolError: as `unspool.deploy`.
    """
    model, data = given(case, steps)
    done = deploy(
        model,
        [array[:CALIBRATION] for array in data],
        time_steps=steps if case.is_open else None,
        options=Options(
            activations=activations,
            allow_cpu=isinstance(exception(case, steps, activations), OnCpu),
            remedy_seconds=0,
        ),
    )
    return Trial(done, data)


def given(case: Case, steps: int) -> tuple[Any, list[np.ndarray]]:
    """The trained model of a case, and samples for it, one array (samples, ...) per input."""
    model = trained(case, steps)
    shapes = [tuple(steps if n is None else n for n in t.shape[1:]) for t in model.inputs]
    data = [samples(shape, 2 + number) for number, shape in enumerate(shapes)]
    if case.group != MASKS:
        return model, data
    inputs = zip(data, model.inputs, strict=True)
    return model, [padded(a, t.dtype, n, case.least) for n, (a, t) in enumerate(inputs)]


def samples(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """(samples, ...): drawn ones, then strokes of MNIST, from rows with ink; unseen ones last."""
    half, rest = CALIBRATION // 2, UNSEEN // 2
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0, 1, (half + rest, *shape)).astype(np.float32)
    real = np.resize(_strokes(), (half + rest, *shape))
    return np.concatenate([drawn[:half], real[:half], drawn[half:], real[half:]])


@cache
def _strokes() -> np.ndarray:
    """Rows of MNIST in the middle, float32 (images, rows, 28); unpacking it takes a second."""
    rows = shared.value("strokes", lambda: mnist.load().test_images[:400, 8:20])
    return rows.astype(np.float32) / 255


def padded(values: np.ndarray, dtype: str, number: int, least: int) -> np.ndarray:
    """Sequences (samples, steps, ...) that end early, have a gap, or begin late; or their mask."""
    rng = np.random.default_rng(number)
    count, steps = values.shape[:2]
    if values.ndim < 3 and dtype != "bool":
        return values
    valid = np.arange(steps) < rng.integers(0, steps + 1, (count, 1))
    valid[1::4] = rng.random((len(valid[1::4]), steps)) < 0.7
    valid[2::8] = ~valid[2::8]
    valid[~valid.any(axis=1), :least] = True
    return valid if dtype == "bool" else np.where(valid[..., None], values, PAD).astype(np.float32)


def levels(trial: Trial, compiled: Compiled) -> np.ndarray:
    """How far a binary's outputs are from TFLM's, (samples, values), in steps of each output."""
    simulated = predict(compiled.tflite, trial.data, "npu")
    session = Session(trial.done.quantized_tflite, "tflm")
    outputs = zip(simulated, session.predict(trial.data), session.outputs, strict=True)
    gaps = [np.rint(np.abs(a - b) / t.scale).reshape(len(a), -1) for a, b, t in outputs]
    return np.concatenate(gaps, axis=1)
