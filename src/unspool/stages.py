"""The stages from a Keras model to a quantized file: unroll, convert, calibrate, quantize.

A `Way` says how they are done: for whole sequences, or for a stream with states in and out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from unspool.frontend.time_first import TimeFirst, as_it_is, time_first
from unspool.quantization.calibration import Calibration, calibrate, calibrate_stream
from unspool.quantization.quantizer import quantize
from unspool.support.progress import Clock
from unspool.support.samples import Samples
from unspool.unrolling import taken
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll
from unspool.unrolling.pieces import CALLS, STREAM, Pieces
from unspool.unrolling.stream_checks import check_streams
from unspool.unrolling.stream_model import unroll_calls, unroll_stream


@dataclass(frozen=True)
class Calibrated:
    """A model with its ranges.

    Attributes:
        deploy_model: the Keras model without loops.
        float_tflite: bytes of it as a float .tflite.
        calibration: the ranges.
    """

    deploy_model: Any
    float_tflite: bytes
    calibration: Calibration


def _unscaled(model: Any, _: Samples) -> Any:
    return model


@dataclass(frozen=True)
class Way:
    """How a model is unrolled, calibrated and quantized.

    Attributes:
        unroll: trained model -> deploy model.
        calibrate: float .tflite and samples -> ranges; `moments` as `calibrate` takes it.
        check: trained model, samples and what they are -> an error if their length does not fit.
        activations: "int8" or "int16".
        turned: trained model -> the one that is unrolled, and where the time steps of its data are.
        scaled: that and calibration samples -> the same function with its inputs scaled.
        refined: a model with its ranges, its quantized file, the way and calibration samples -> the
            same with what is chosen by measured error; None where nothing is.
    """

    unroll: Callable[[Any], Any]
    calibrate: Callable[..., Calibration]
    check: Callable[[Any, Samples, str], None]
    activations: str = "int8"
    turned: Callable[[Any], TimeFirst] = as_it_is
    scaled: Callable[[Any, Samples], Any] = _unscaled
    refined: "Refine | None" = None


Refine: TypeAlias = Callable[[Calibrated, bytes, Way, Samples], tuple[Calibrated, bytes]]


_NOTHING: Mapping[str, str] = {}


def sequences(
    time_steps: int | None = None,
    *,
    method: str = "mse",
    activations: str = "int8",
    allow_cpu: bool = False,
    full_length: bool = False,
    fed_back: Mapping[str, str] = _NOTHING,
) -> Way:
    """The way for a model that takes whole sequences; see `unroll` and `calibrate`."""
    return Way(
        partial(
            unroll,
            time_steps=time_steps,
            allow_cpu=allow_cpu,
            full_length=full_length,
            fed_back=fed_back,
        ),
        partial(calibrate, method=method, activations=activations),
        partial(taken.check_sequences, time_steps=time_steps),
        activations,
    )


def calls(
    steps_per_call: int,
    time_steps: int | None = None,
    *,
    method: str = "mse",
    activations: str = "int8",
    allow_cpu: bool = False,
    full_length: bool = False,
) -> Way:
    """The way for a model that is called several times for a sequence; see `unroll_calls`."""
    return Way(
        partial(
            unroll_calls,
            steps_per_call=steps_per_call,
            time_steps=time_steps,
            allow_cpu=allow_cpu,
            full_length=full_length,
        ),
        partial(calibrate, method=method, activations=activations),
        partial(_check_calls, time_steps=time_steps, steps_per_call=steps_per_call),
        activations,
        time_first,
    )


def _check_calls(
    model: Any, data: Samples, what: str, time_steps: int | None, steps_per_call: int
) -> None:
    chunks = check_streams(model, CALLS)
    taken.calls(model, time_steps, steps_per_call)
    chunks.check(steps_per_call, "steps_per_call")
    taken.check_sequences(model, data, what, time_steps)


def stream(
    time_steps: int,
    cut: Pieces = STREAM,
    *,
    method: str,
    activations: str,
    allow_cpu: bool,
    rounds: int,
    carry_states: bool,
    full_length: bool = False,
) -> Way:
    """The way for a model that is fed a stream; see `unroll_stream` and `calibrate_stream`."""
    return Way(
        partial(
            unroll_stream,
            time_steps=time_steps,
            allow_cpu=allow_cpu,
            full_length=full_length,
            lookahead=cut.looks_ahead,
            pool_window=cut.pool_window or None,
            pool_since_reset=cut.pool_since_reset,
        ),
        partial(
            calibrate_stream,
            method=method,
            activations=activations,
            rounds=rounds,
            carry_states=carry_states,
        ),
        partial(_check_chunks, time_steps=time_steps, cut=cut),
        activations,
        time_first,
    )


def _check_chunks(model: Any, data: Samples, what: str, time_steps: int, cut: Pieces) -> None:
    chunks = check_streams(model, cut)
    taken.check_chunks(model, data, what, time_steps, cut)
    chunks.check(time_steps)


def calibrated(model: Any, samples: Samples, way: Way, clock: Clock | None = None) -> Calibrated:
    """Unroll, convert and calibrate a trained model.

    Args:
        model: a built Keras model.
        samples: to calibrate with.
        way: how to do it.
        clock: times the stages.

    Raises:
        UnspoolError: as the functions of the way do.
    """
    clock = clock or Clock(None)
    way.check(model, samples, "calibration data")
    with clock.stage("unroll"):
        deploy_model = way.unroll(model)
    with clock.stage("convert"):
        float_tflite = convert(deploy_model)
    with clock.stage("calibrate"):
        calibration = way.calibrate(float_tflite, samples)
    return Calibrated(deploy_model, float_tflite, calibration)


def quantized(
    model: Any, samples: Samples, way: Way, clock: Clock | None = None
) -> tuple[Calibrated, bytes]:
    """Unroll, convert, calibrate and quantize a trained model.

    Returns:
        the model with its ranges, and the bytes of the quantized .tflite.

    Raises:
        UnspoolError: as the functions of the way do.
    """
    clock = clock or Clock(None)
    source = calibrated(model, samples, way, clock)
    with clock.stage("quantize"):
        calibration = source.calibration
        tflite = quantize(
            source.float_tflite, calibration.ranges, way.activations, calibration.moments
        )
    if way.refined is None:
        return source, tflite
    with clock.stage("refine"):
        return way.refined(source, tflite, way, samples)
