"""Float .tflite -> ranges: run it on samples and keep what its tensors take."""

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool.errors import UnspoolError
from unspool.quantization import saturation
from unspool.quantization.ranges import LEVELS, METHODS, UNIT, ZERO, Range
from unspool.quantization.ties import ties
from unspool.support import samples
from unspool.support.quiet import quiet
from unspool.support.samples import Samples
from unspool.tflite import flatbuffer, input_scaling, marks
from unspool.tflite.roles import roles
from unspool.tflite.signature import Signature

_VALUES_PER_ROLE = 100_000


@dataclass(frozen=True)
class Round:
    """One round of calibrating a stream.

    Attributes:
        sequences: how many were run up to its end.
        states: state -> the range that it took up to its end.
        growth: percent by which the widest-growing state's range grew in it.
    """

    sequences: int
    states: Mapping[str, Range]
    growth: float


@dataclass(frozen=True)
class Observations:
    """What the activation tensors of a float .tflite took on samples.

    Attributes:
        samples: how many samples, or sequences, were run.
        extremes: tensor name -> the smallest and the largest value.
        values: tensor name -> some of its values, flat.
        ties: the sets of tensors that get one range.
        whole: tensors whose range is not to be cut: inputs, outputs and states.
        roles: tensor name -> what it is, whatever the step.
        ends: type of the activations -> tensor that only tables read -> how far it matters.
    """

    samples: int
    extremes: Mapping[str, Range]
    values: Mapping[str, np.ndarray]
    ties: tuple[tuple[str, ...], ...]
    whole: frozenset[str]
    roles: Mapping[str, str]
    ends: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Calibration:
    """Ranges of every activation tensor of a float .tflite.

    Attributes:
        samples: how many samples, or sequences, were run.
        method: how the ranges were chosen from what was observed, one of `METHODS`.
        observed: tensor name -> the range it took.
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


def choose(
    seen: Observations, method: str, activations: str = "int8", rounds: tuple[Round, ...] = ()
) -> Calibration:
    """Choose ranges from what was observed.

    Args:
        seen: what the tensors took.
        method: one of `METHODS`.
        activations: "int8" or "int16", for which they are chosen.
        rounds: of calibrating a stream.
    """
    ranges: dict[str, Range] = {}
    empty: list[str] = []
    ends = seen.ends[activations]
    for tie in seen.ties:
        whole = functools.reduce(operator.or_, (seen.extremes[name] for name in tie), ZERO)
        if not whole.width:
            empty += tie
            chosen = UNIT
        elif seen.whole.isdisjoint(tie):
            values = np.concatenate([seen.values[name] for name in tie])
            if all(name in ends for name in tie):
                # No further than a multiplier of TFLM's reaches, from sums of 32 bits.
                farthest = max(-whole.minimum, whole.maximum) * LEVELS[activations] / 2.0**28
                end = max(farthest, *(ends[name] for name in tie))
                whole, values = whole.within(end), np.clip(values, -end, end)
            chosen = METHODS[method](values, whole, LEVELS[activations])
        else:
            chosen = whole
        ranges |= dict.fromkeys(tie, chosen)
    return Calibration(
        samples=seen.samples,
        method=method,
        observed=seen.extremes,
        ranges={name: ranges[name] for name in seen.extremes},
        roles=seen.roles,
        empty=tuple(empty),
        rounds=rounds,
        observations=seen,
    )


def calibrate(
    float_tflite: bytes, data: Samples, method: str = "mse", activations: str = "int8"
) -> Calibration:
    """Run a float .tflite on calibration samples and choose the ranges of its tensors.

    Args:
        float_tflite: a model with batch size 1, as `convert` returns it.
        data: the calibration set, one array (samples, ...) per input.
        method: "mse" (least squared error), "minmax" (all that was met) or "percentile"
            (all but the outermost 0.01 % on each side). Inputs, outputs and states keep
            all that was met.
        activations: "int8" or "int16", for which the ranges are chosen.

    Raises:
        UnspoolError: not a float .tflite, samples that do not fit its inputs, an unknown method or
            type.
    """
    _check_choice(method, activations)
    model = flatbuffer.read(float_tflite)
    inputs, _ = flatbuffer.inputs_and_outputs(model)
    arrays = samples.check(data, inputs, "calibration data")
    scalings = marks.read(model).scalings
    arrays = input_scaling.scaled(scalings, [tensor.name for tensor in inputs], arrays)
    observer = Observer(float_tflite, model, len(arrays[0]))
    for sample in zip(*arrays, strict=True):
        observer.feed([values[None] for values in sample])
    return choose(observer.observations(len(arrays[0])), method, activations)


GROWTH_LIMIT = 1.0  # percent


def calibrate_stream(
    float_tflite: bytes,
    data: Samples,
    method: str = "mse",
    activations: str = "int8",
    *,
    rounds: int = 6,
    carry_states: bool = False,
) -> Calibration:
    """Run a float .tflite with states along sequences, so that every state it meets is seen.

    The guide's advice: collect final states and add them to the calibration data, again and again.
    The first round runs a quarter of the sequences, the next as many as were run before, and so
    on, until no state's range grows by more than 1 %, or all sequences were run. With
    `carry_states` a sequence goes on from the states that the one before left, and the rounds
    begin again with the first sequence when they are through.

    Args:
        float_tflite: as `convert` makes it of what `unroll_stream` returns.
        data: sequences, one array (sequences, time, ...) per input; time is a multiple of the
            model's.
        method: as `calibrate` takes it.
        activations: as `calibrate` takes it.
        rounds: how many at most.
        carry_states: the device never resets its states.

    Raises:
        UnspoolError: as `calibrate`; or the model has no states; or rounds is less than 1.
    """
    _check_choice(method, activations)
    if rounds < 1:
        raise UnspoolError(f"calibration rounds: {rounds}, expected at least 1")
    signature = Signature(float_tflite)
    if not signature.state_names:
        raise UnspoolError(
            "the .tflite file has no states: make it with unroll_stream, or calibrate without them"
        )
    arrays = signature.scaled(signature.check(data, "calibration data"))
    count = len(arrays[0])
    model = flatbuffer.read(float_tflite)
    observer = Observer(float_tflite, model, count * len(signature.calls(arrays)))
    states = signature.zero_states(1)
    done, finished = 0, []  # type: int, list[Round]
    while len(finished) < rounds and (carry_states or done < count):
        target = max(1, count // 4) if not done else 2 * done
        for number in range(done, target if carry_states else min(target, count)):
            if not carry_states:
                states = signature.zero_states(1)
            for call in signature.calls([array[number % count, None] for array in arrays]):
                outputs = observer.feed(signature.merged(call, states))
                states = [outputs[pair.output] for pair in signature.pairs]
            done += 1
        before = finished[-1].states if finished else {}
        now = observer.states(signature)
        finished.append(Round(done, now, _growth(before, now)))
        if len(finished) > 1 and finished[-1].growth <= GROWTH_LIMIT:
            break
    return choose(observer.observations(done), method, activations, tuple(finished))


def _growth(before: Mapping[str, Range], now: Mapping[str, Range]) -> float:
    """Percent by which the widest-growing range grew; 100 for the first round."""
    if not before:
        return 100.0
    widths = [(r.maximum - r.minimum, now[n].maximum - now[n].minimum) for n, r in before.items()]
    return max(100 * (new / old - 1) if old else 100.0 * (new > 0) for old, new in widths)


def _check_choice(method: str, activations: str) -> None:
    if method not in METHODS:
        raise UnspoolError(f"calibration method {method!r}: expected {', '.join(METHODS)}")
    if activations not in LEVELS:
        raise UnspoolError(f"activations {activations!r}: expected {' or '.join(LEVELS)}")


class Observer:
    """Runs a float .tflite and keeps each tensor's extremes, and some of its values."""

    def __init__(self, float_tflite: bytes, model: flatbuffer.Model, calls: int) -> None:
        """Open a float .tflite that is to be fed about so many times.

        Raises:
            UnspoolError: it has no float tensors.
        """
        graph = model.subgraphs[0]
        written = [*graph.inputs, *(index for op in graph.operators for index in op.outputs)]
        self._names = {
            int(index): graph.tensors[index].name.decode()
            for index in written
            if graph.tensors[index].type == schema.TensorType.FLOAT32
        }
        if not self._names:
            raise UnspoolError("the .tflite file has no float tensors: it is quantized already")
        self._model = model
        self._roles = roles(model)
        with quiet():
            self._interpreter = Interpreter(
                model_content=float_tflite,
                num_threads=1,
                # Delegates do not keep the tensors between their operators.
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            self._interpreter.allocate_tensors()
        self._minima = np.full(len(self._names), np.inf)
        self._maxima = np.full(len(self._names), -np.inf)
        self._kept: dict[str, list[np.ndarray]] = {name: [] for name in self._names.values()}
        self._strides = self._sparse(graph, calls)
        self._fed = 0

    def feed(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One inference: arrays of the inputs' shapes in, arrays of the outputs' shapes out."""
        graph = self._model.subgraphs[0]
        for index, values in zip(graph.inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        taken = [self._interpreter.get_tensor(index).ravel() for index in self._names]
        self._minima = np.minimum(self._minima, [values.min() for values in taken])
        self._maxima = np.maximum(self._maxima, [values.max() for values in taken])
        for values, name in zip(taken, self._names.values(), strict=True):
            stride = self._strides[self._roles[name]]
            self._kept[name].append(values[self._fed % stride :: stride])
        self._fed += 1
        return [self._interpreter.get_tensor(index) for index in graph.outputs]

    def states(self, signature: Signature) -> dict[str, Range]:
        """State -> the range that it took so far where it came out."""
        graph = self._model.subgraphs[0]
        extremes = self._extremes()
        given = [
            graph.tensors[graph.outputs[pair.output]].name.decode() for pair in signature.pairs
        ]
        return {
            name: ZERO | extremes[tensor]
            for name, tensor in zip(signature.state_names, given, strict=True)
        }

    def observations(self, samples: int) -> Observations:
        """What was observed on so many samples or sequences."""
        extremes = self._extremes()
        graph = self._model.subgraphs[0]
        ends = (*graph.inputs, *graph.outputs)  # states are both
        return Observations(
            samples=samples,
            extremes=extremes,
            values={name: np.concatenate(kept) for name, kept in self._kept.items()},
            ties=tuple(map(tuple, ties(self._model, extremes).sets().values())),
            whole=frozenset(self._names[int(i)] for i in ends if int(i) in self._names),
            roles=self._roles,
            ends={kind: saturation.ends(self._model, kind, extremes) for kind in LEVELS},
        )

    def _extremes(self) -> dict[str, Range]:
        """Tensor name -> the range it took so far."""
        extremes = zip(self._names.values(), self._minima, self._maxima, strict=True)
        return {name: Range(float(low), float(high)) for name, low, high in extremes}

    def _sparse(self, graph: Any, calls: int) -> dict[str, int]:
        """Role -> stride: of so many values one is kept, about `_VALUES_PER_ROLE` in all."""
        sizes: dict[str, int] = {}
        for index, name in self._names.items():
            size = int(np.prod(graph.tensors[index].shape))
            sizes[self._roles[name]] = sizes.get(self._roles[name], 0) + size
        return {role: max(1, size * calls // _VALUES_PER_ROLE) for role, size in sizes.items()}
