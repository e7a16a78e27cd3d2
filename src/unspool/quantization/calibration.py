"""Float .tflite -> ranges: run it on samples, and choose the ranges from what its tensors take."""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from unspool.errors import UnspoolError
from unspool.quantization.moments import Moments
from unspool.quantization.observing import Observations, Observer
from unspool.quantization.ranges import LEVELS, METHODS, UNIT, ZERO, Range
from unspool.quantization.sequences import Stream
from unspool.support.collecting import uncollected
from unspool.support.samples import Samples
from unspool.tflite import flatbuffer
from unspool.tflite.signature import Signature

GROWTH_LIMIT = 1.0
"""Percent by which a round may widen the states' ranges for the calibration to be done."""


@dataclass(frozen=True)
class Round:
    """One round of calibrating a stream.

    Attributes:
        sequences: how many had been run at its end.
        states: state -> the range that it had taken at its end.
        growth: percent by which the range of the state that grew most widened in it.
    """

    sequences: int
    states: Mapping[str, Range]
    growth: float


@dataclass(frozen=True)
class Calibration:
    """Ranges of every activation tensor of a float .tflite.

    Attributes:
        samples: how many samples, or sequences, were run.
        method: how the ranges were chosen from what was observed, one of `METHODS`.
        observed: tensor name -> the range that it took.
        ranges: tensor name -> the range to quantize it with: one for tensors that are tied, with 0
            in it, never empty.
        roles: tensor name -> what it is, whatever the step.
        empty: tensors that were 0 in all of the data; they have the range [-1, 1].
        rounds: of a stream, see `calibrate_stream`; else empty.
        observations: what the ranges were chosen from.
    """

    samples: int
    method: str
    observed: Mapping[str, Range]
    ranges: Mapping[str, Range]
    roles: Mapping[str, str]
    empty: tuple[str, ...] = ()
    rounds: tuple[Round, ...] = ()
    observations: Observations | None = field(default=None, repr=False)

    @property
    def moments(self) -> Moments:
        """What `quantize` rounds weights with; empty where it was not asked for."""
        return self.observations.moments if self.observations else {}


def choose(
    observations: Observations,
    method: str,
    activations: str = "int8",
    rounds: tuple[Round, ...] = (),
    cell_limit: float | None = None,
) -> Calibration:
    """Choose ranges from what was observed, but for int8 those that are known from training.

    Args:
        observations: what the tensors took.
        method: one of `METHODS`.
        activations: "int8" or "int16", for which they are chosen.
        rounds: of calibrating a stream.
        cell_limit: cuts the ranges of LSTMs' cell states at this magnitude; None for no cut.
    """
    ranges: dict[str, Range] = {}
    empty: list[str] = []
    known = observations.known if activations == "int8" else {}
    for tie in observations.ties:
        others = [name for name in tie if name not in known]
        chosen = _union(known[name] for name in tie if name in known)
        if others:
            chosen |= _chosen(observations, others, method, activations)
        if not chosen.width:
            empty += tie
            chosen = UNIT
        if cell_limit is not None and not observations.cells.isdisjoint(tie):
            chosen = chosen.within(cell_limit)
        ranges |= dict.fromkeys(tie, chosen)
    return Calibration(
        samples=observations.samples,
        method=method,
        observed=observations.extremes,
        ranges={name: ranges[name] for name in observations.extremes},
        roles=observations.roles,
        empty=tuple(empty),
        rounds=rounds,
        observations=observations,
    )


def _union(ranges: Iterable[Range]) -> Range:
    return functools.reduce(operator.or_, ranges, ZERO)


def _chosen(observations: Observations, tie: Sequence[str], method: str, activations: str) -> Range:
    """The range of tensors by the values that they took."""
    whole = _union(observations.extremes[name] for name in tie)
    if not whole.width or not observations.whole.isdisjoint(tie):
        return whole
    values = np.concatenate([observations.values[name] for name in tie])
    ends = observations.ends[activations]
    if all(name in ends for name in tie):
        # No further than a multiplier of TFLM's reaches, from sums of 32 bits.
        farthest = max(-whole.minimum, whole.maximum) * LEVELS[activations] / 2.0**28
        end = max(farthest, *(ends[name] for name in tie))
        whole, values = whole.within(end), np.clip(values, -end, end)
    return METHODS[method](values, whole, LEVELS[activations])


@uncollected()
def calibrate(
    float_tflite: bytes,
    data: Samples,
    method: str = "mse",
    activations: str = "int8",
    *,
    moments: bool = False,
) -> Calibration:
    """Run a float .tflite on calibration samples and choose the ranges of its tensors.

    Args:
        float_tflite: a model with batch size 1, as `convert` returns it; one that is called several
            times for a sequence is run so.
        data: the calibration set, one array (samples, ...) per input.
        method: "mse" (least squared error), "minmax" (every value that occurred) or "percentile"
            (all but the outermost 0.01 % on each side). The ranges of inputs, outputs and states
            always hold every value that occurred.
        activations: "int8" or "int16", for which the ranges are chosen.
        moments: also observe what `quantize` rounds weights by.

    Raises:
        UnspoolError: not a float .tflite, samples that do not fit its inputs, an unknown method or
            type.

    Example:
        >>> calibration = unspool.calibrate(float_tflite, data)
        >>> calibration.samples
        40
    """
    _check_choice(method, activations)
    model = flatbuffer.read(float_tflite)
    signature = Signature(float_tflite)
    if signature.is_stream:
        raise UnspoolError("the .tflite file has states: calibrate it with calibrate_stream")
    arrays = signature.check(data, "calibration data")
    if signature.is_cut:
        calls = Stream(float_tflite, signature, arrays, carry_states=False, moments=moments)
        while not calls.is_over:
            calls.run_round()
        return choose(calls.observer.observations(calls.done), method, activations)
    arrays = signature.fed(arrays)
    observer = Observer(float_tflite, model, len(arrays[0]), moments)
    for sample in zip(*arrays, strict=True):
        observer.feed([values[None] for values in sample])
    return choose(observer.observations(len(arrays[0])), method, activations)


def calibrate_stream(
    float_tflite: bytes,
    data: Samples,
    method: str = "mse",
    activations: str = "int8",
    *,
    rounds: int = 6,
    carry_states: bool = False,
    moments: bool = False,
) -> Calibration:
    """Run a float .tflite with states along sequences, so that the states' ranges are observed too.

    Arm's guide says how: collect final states and add them to the calibration data, again and
    again. The first round runs a quarter of the sequences, each further round as many as were run
    before it, until no state's range grows by more than 1 %, or all sequences were run. With
    `carry_states` a sequence goes on from the states that the one before left, and after the last
    sequence the first one follows again.

    Args:
        float_tflite: as `convert` makes it of what `unroll_stream` returns.
        data: sequences, one array (sequences, time, ...) per input; time is a multiple of the
            model's.
        method: as `calibrate` takes it.
        activations: as `calibrate` takes it.
        rounds: the most rounds to run.
        carry_states: the device never resets its states.
        moments: as `calibrate` takes it.

    Raises:
        UnspoolError: as `calibrate`; or the model has no states; or rounds is less than 1.

    Example:
        >>> stream_tflite = unspool.convert(unspool.unroll_stream(model))
        >>> calibration = unspool.calibrate_stream(stream_tflite, data)
        >>> [finished.sequences for finished in calibration.rounds[:2]]
        [10, 20]
    """
    _check_choice(method, activations)
    if rounds < 1:
        raise UnspoolError(f"calibration rounds: {rounds}, expected at least 1")
    signature = Signature(float_tflite)
    if not signature.is_stream:
        raise UnspoolError(
            "the .tflite file has no states: make it with unroll_stream, or calibrate without them"
        )
    arrays = signature.check_whole(data, "calibration data")
    stream = Stream(float_tflite, signature, arrays, carry_states, moments)
    finished: list[Round] = []
    while len(finished) < rounds and not stream.is_over:
        stream.run_round()
        before = finished[-1].states if finished else {}
        now = stream.observer.states(signature)
        finished.append(Round(stream.done, now, _growth(before, now)))
        if len(finished) > 1 and finished[-1].growth <= GROWTH_LIMIT:
            break
    observations = stream.observer.observations(stream.done)
    return choose(observations, method, activations, tuple(finished))


def _growth(before: Mapping[str, Range], now: Mapping[str, Range]) -> float:
    """Percent by which the range that grew most widened; 100 for the first round."""
    if not before:
        return 100.0
    widths = [(r.maximum - r.minimum, now[n].maximum - now[n].minimum) for n, r in before.items()]
    return max(100 * (new / old - 1) if old else 100.0 * (new > 0) for old, new in widths)


def _check_choice(method: str, activations: str) -> None:
    if method not in METHODS:
        raise UnspoolError(f"calibration method {method!r}: expected {', '.join(METHODS)}")
    if activations not in LEVELS:
        raise UnspoolError(f"activations {activations!r}: expected {' or '.join(LEVELS)}")
