"""Drift: how far an int8 stream strays from its float twin over a long time."""

from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime import Session

_POINTS = 200
_GROWTH = 1.25


@dataclass(frozen=True)
class Curve:
    """The error of one state or output over a stream.

    Attributes:
        name: such as "gru/h".
        mean: of the absolute error, over all calls and values.
        p99: its 99th percentile over all calls and values.
        largest: its maximum.
        grows: whether the last quarter's mean error is over 1.25 times the second quarter's.
        calls: numbers of calls, up to 200 of them spread over the stream.
        points: mean absolute error around each of these calls.
    """

    name: str
    mean: float
    p99: float
    largest: float
    grows: bool
    calls: tuple[int, ...]
    points: tuple[float, ...]


@dataclass(frozen=True)
class Drift:
    """Errors over a stream whose states are carried from the first call to the last.

    Attributes:
        runtime: what ran the quantized model.
        calls: how many.
        time_steps: of one call.
        curves: one per state, then one per output.
    """

    runtime: str
    calls: int
    time_steps: int
    curves: tuple[Curve, ...]


def drift(
    float_tflite: bytes, quantized_tflite: bytes, stream: np.ndarray, runtime: str = "tflm"
) -> Drift:
    """Feed one long stream to the float and to the quantized model, side by side.

    Args:
        float_tflite: as `convert` makes it of what `unroll_stream` returns.
        quantized_tflite: the same, quantized.
        stream: (time, features), cut to a multiple of one call's time steps.
        runtime: "tflm" or "litert", for the quantized model.

    Raises:
        UnspoolError: the files have no states or several inputs, or the stream does not fit.
    """
    exact, stored = Session(float_tflite), Session(quantized_tflite, runtime)
    if not stored.pairs:
        raise UnspoolError("the .tflite file has no states: drift is a matter of streams")
    if len(stored.inputs) != 1:
        raise UnspoolError(f"drift takes a model with one input, this has {len(stored.inputs)}")
    steps = stored.time_steps
    calls = len(stream) // steps
    if calls < 8:
        raise UnspoolError(
            f"the stream has {len(stream)} time steps, {calls} calls of {steps}: at least 8 calls "
            "are needed to tell whether an error grows"
        )
    (whole,) = stored.check([np.asarray(stream[: calls * steps])[None]], "stream")
    errors: dict[str, list[np.ndarray]] = {}
    for number in range(calls):
        chunk = whole[0, number * steps : (number + 1) * steps]
        outputs = stored.step(chunk), exact.step(chunk)
        states = stored.real_states(), exact.real_states()
        pairs = [*zip(*states, strict=True), *zip(*outputs, strict=True)]
        names = [*stored.state_names, *(tensor.name for tensor in stored.outputs)]
        for name, (a, b) in zip(names, pairs, strict=True):
            errors.setdefault(name, []).append(np.abs(a - b).ravel())
    curves = tuple(_curve(name, np.stack(values)) for name, values in errors.items())
    return Drift(runtime, calls, steps, curves)


def _curve(name: str, errors: np.ndarray) -> Curve:
    """Summarise absolute errors (calls, values)."""
    per_call = errors.mean(axis=1)
    quarters = np.array_split(per_call, 4)
    parts = np.array_split(np.arange(len(per_call)), min(_POINTS, len(per_call)))
    return Curve(
        name=name,
        mean=float(errors.mean()),
        p99=float(np.percentile(errors, 99)),
        largest=float(errors.max()),
        grows=bool(quarters[3].mean() > _GROWTH * quarters[1].mean()),
        calls=tuple(int(part[len(part) // 2]) for part in parts),
        points=tuple(float(per_call[part].mean()) for part in parts),
    )
