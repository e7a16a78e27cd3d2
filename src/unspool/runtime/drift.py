"""Drift: how far an int8 stream strays from its float twin over a long time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime.session import Session
from unspool.support import samples
from unspool.support.samples import Samples
from unspool.tflite.outside import Outside

_POINTS = 200
_GROWTH = 1.25
_FEWEST_CALLS = 8


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
        outside: inputs that took values outside of their calibrated range.
    """

    runtime: str
    calls: int
    time_steps: int
    curves: tuple[Curve, ...]
    outside: tuple[Outside, ...] = ()


def drift(
    float_tflite: bytes, quantized_tflite: bytes, stream: Samples, runtime: str = "tflm"
) -> Drift:
    """Feed one long stream to the float and to the quantized model, side by side.

    Args:
        float_tflite: as `convert` makes it of what `unroll_stream` returns.
        quantized_tflite: the same, quantized.
        stream: (time, features), cut to a multiple of one call's time steps; of several inputs,
            one array each, in their order or by name: an input without time has its one value.
        runtime: "tflm" or "litert", for the quantized model.

    Raises:
        UnspoolError: the files are not of a stream, or the stream does not fit.
    """
    exact, stored = Session(float_tflite), Session(quantized_tflite, runtime)
    if not stored.pairs:
        raise UnspoolError("the .tflite file has no states: drift is a matter of streams")
    if not stored.is_stream:
        raise UnspoolError(
            f"the .tflite file is called {stored.calls_of_sequence} times for a sequence, and "
            "begins anew with the next: drift is a matter of streams"
        )
    if _ends(exact) != _ends(stored):
        raise UnspoolError(
            "the float .tflite file is of another network than the quantized one: its states and "
            f"outputs are {_ends(exact)}, expected {_ends(stored)}; deploy again"
        )
    arrays = _cut(stored, stream)
    calls = stored.calls(arrays)
    names = (*stored.state_names, *stored.output_names)
    errors: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for call in calls:
        values = [array[0] for array in call]
        outputs = stored.step(*values), exact.step(*values)
        states = stored.real_states(), exact.real_states()
        pairs = [*zip(*states, strict=True), *zip(*outputs, strict=True)]
        for name, (a, b) in zip(names, pairs, strict=True):
            errors[name].append(_error(name, a, b))
    if not all(np.isfinite(value).all() for values in errors.values() for value in values):
        raise UnspoolError("the float .tflite file computes NaN or infinity on this stream")
    return Drift(
        runtime=runtime,
        calls=len(calls),
        time_steps=stored.time_steps,
        curves=tuple(_curve(name, np.stack(values)) for name, values in errors.items()),
        outside=stored.outside([np.concatenate(part) for part in zip(*calls, strict=True)]),
    )


def _ends(session: Session) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of what is compared: states, then outputs."""
    states = zip(session.state_names, session.real_states(), strict=True)
    outputs = ((tensor.name, tensor.shape) for tensor in session.outputs)
    return [*((name, values.shape) for name, values in states), *outputs]


def _error(name: str, quantized: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Absolute errors (values,) of a call; a runtime sizes tensors by itself, whatever a file says.

    Raises:
        UnspoolError: they are not of the same values.
    """
    if quantized.shape != exact.shape:
        raise UnspoolError(
            f"the quantized .tflite file gives {quantized.shape} for {name}, the float one "
            f"{exact.shape}: it is damaged; deploy again"
        )
    error: np.ndarray = np.abs(quantized - exact).ravel()
    return error


def _cut(stored: Session, stream: Samples) -> list[np.ndarray]:
    """The stream as one sequence of whole calls, one array (1, time, ...) per input."""
    whole = samples.check(_as_one(stream), stored.of_samples(), "stream")
    lengths = (
        array.shape[1] // tensor.shape[1]
        for array, tensor in zip(whole, stored.inputs, strict=True)
        if stored.has_time(tensor)
    )
    calls = min(lengths, default=1)  # without an input in time, all is one call
    if calls < _FEWEST_CALLS:
        raise UnspoolError(
            f"the stream has {calls} calls of {stored.time_steps} time steps: at least "
            f"{_FEWEST_CALLS} calls are needed to tell whether an error grows"
        )
    return [
        array[:, : calls * tensor.shape[1]] if stored.has_time(tensor) else array
        for array, tensor in zip(whole, stored.inputs, strict=True)
    ]


def _as_one(stream: Samples) -> Samples:
    if isinstance(stream, np.ndarray):
        return stream[None]
    if isinstance(stream, Mapping):
        return {name: np.asarray(array)[None] for name, array in stream.items()}
    return [np.asarray(array)[None] for array in stream]


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
