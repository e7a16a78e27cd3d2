"""Run a float .tflite on samples, and keep what its activation tensors take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool.errors import UnspoolError
from unspool.quantization import curves, saturation
from unspool.quantization.cells import cells
from unspool.quantization.known import known_ranges
from unspool.quantization.moments import Moments, MomentsObserver
from unspool.quantization.ranges import LEVELS, ZERO, Range
from unspool.quantization.ties import ties
from unspool.support.quiet import quiet
from unspool.tflite import flatbuffer
from unspool.tflite.roles import roles
from unspool.tflite.signature import Signature

_VALUES_PER_ROLE = 100_000
_OVERFLOW = 1e37  # LiteRT's fused ReLU gives the largest float32, 3.4e38, for infinity


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
        cells: cell states of LSTMs, see `cells`.
        moments: see `moments`; empty where they were not asked for.
        known: tensor name -> the range that it has in int8, whatever it takes.
    """

    samples: int
    extremes: Mapping[str, Range]
    values: Mapping[str, np.ndarray]
    ties: tuple[tuple[str, ...], ...]
    whole: frozenset[str]
    roles: Mapping[str, str]
    ends: Mapping[str, Mapping[str, float]]
    cells: frozenset[str]
    moments: Moments
    known: Mapping[str, Range] = field(default_factory=dict)


class Observer:
    """Runs a float .tflite and keeps each tensor's extremes, and some of its values."""

    def __init__(
        self, float_tflite: bytes, model: flatbuffer.Model, calls: int, moments: bool = False
    ) -> None:
        """Open a float .tflite.

        Args:
            float_tflite: its bytes.
            model: the same, parsed.
            calls: how many times it is going to be fed, about.
            moments: whether they are observed, too.

        Raises:
            UnspoolError: it has no float tensors.
        """
        curves.fold(model, "int8")
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
        self._moments = MomentsObserver(model) if moments else None
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
        self._values = _Values(self._sizes(graph), self._roles_in_order(), calls)

    def feed(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One inference: arrays of the inputs' shapes in, arrays of the outputs' shapes out.

        Raises:
            UnspoolError: a tensor takes a value that is NaN or infinite.
        """
        graph = self._model.subgraphs[0]
        for index, values in zip(graph.inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        # All in one array: a thousand steps have more tensors than values in each.
        flat = np.concatenate([self._interpreter.get_tensor(i).ravel() for i in self._names])
        lows, highs = self._values.extremes(flat)
        self._check_finite(lows, highs)
        self._minima = np.minimum(self._minima, lows)
        self._maxima = np.maximum(self._maxima, highs)
        self._values.keep(flat)
        if self._moments:
            self._moments.feed(self._interpreter.get_tensor)
        return [self._interpreter.get_tensor(index) for index in graph.outputs]

    def _check_finite(self, lows: np.ndarray, highs: np.ndarray) -> None:
        bad = np.flatnonzero(~((lows > -_OVERFLOW) & (highs < _OVERFLOW)))
        if bad.size:
            name = list(self._names.values())[bad[0]]
            raise UnspoolError(
                f"calibration data, run {self._values.fed + 1}: the trained model computes NaN or "
                f"infinity (first in {name!r}), so it has no range; leave such samples out, or "
                "train it with activations that are bounded"
            )

    def states(self, signature: Signature) -> dict[str, Range]:
        """State -> the range that it has come out in so far."""
        graph = self._model.subgraphs[0]
        extremes = self._extremes()
        tensors = [
            graph.tensors[graph.outputs[pair.output]].name.decode() for pair in signature.pairs
        ]
        return {
            name: ZERO | extremes[tensor]
            for name, tensor in zip(signature.state_names, tensors, strict=True)
        }

    def observations(self, samples: int) -> Observations:
        """What was observed; `samples` counts the samples or sequences that were run."""
        extremes = self._extremes()
        graph = self._model.subgraphs[0]
        ends = (*graph.inputs, *graph.outputs)  # states are both
        return Observations(
            samples=samples,
            extremes=extremes,
            values=dict(zip(self._names.values(), self._values.by_tensor(), strict=True)),
            ties=tuple(map(tuple, ties(self._model, extremes).sets().values())),
            whole=frozenset(self._names[int(i)] for i in ends if int(i) in self._names),
            roles=self._roles,
            ends={kind: saturation.ends(self._model, kind, extremes) for kind in LEVELS},
            cells=cells(self._model, self._roles),
            moments=self._moments.moments() if self._moments else {},
            known=known_ranges(self._model),
        )

    def _extremes(self) -> dict[str, Range]:
        """Tensor name -> the range that it has taken so far."""
        extremes = zip(self._names.values(), self._minima, self._maxima, strict=True)
        return {name: Range(float(low), float(high)) for name, low, high in extremes}

    def _sizes(self, graph: Any) -> list[int]:
        return [int(np.prod(graph.tensors[index].shape)) for index in self._names]

    def _roles_in_order(self) -> list[str]:
        return [self._roles[name] for name in self._names.values()]


class _Values:
    """Some values of tensors whose values lie one after the other: about as many for each role."""

    def __init__(self, sizes: Sequence[int], roles: Sequence[str], calls: int) -> None:
        """Decide how many values of each tensor are kept, if it is written `calls` times."""
        total: Counter[str] = Counter()
        for size, role in zip(sizes, roles, strict=True):
            total[role] += size
        strides = [max(1, total[role] * calls // _VALUES_PER_ROLE) for role in roles]
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._owner = np.repeat(np.arange(len(sizes)), sizes)
        place = np.arange(len(self._owner)) - np.repeat(self._starts, sizes)
        self._turns = _turns(np.repeat(strides, sizes), place)
        self._values: list[np.ndarray] = []
        self._owners: list[np.ndarray] = []
        self.fed = 0

    def extremes(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest value of each tensor."""
        return np.minimum.reduceat(flat, self._starts), np.maximum.reduceat(flat, self._starts)

    def keep(self, flat: np.ndarray) -> None:
        """Keep every n-th value of each tensor, other ones in each call."""
        chosen = np.concatenate([turns[self.fed % len(turns)] for turns in self._turns])
        self._values.append(flat[chosen])
        self._owners.append(self._owner[chosen])
        self.fed += 1

    def by_tensor(self) -> list[np.ndarray]:
        """What was kept of each tensor, in the order of the calls."""
        owners = np.concatenate(self._owners)
        order = np.argsort(owners, kind="stable")
        ends = np.cumsum(np.bincount(owners, minlength=len(self._starts)))
        return np.split(np.concatenate(self._values)[order], ends[:-1])


def _turns(strides: np.ndarray, places: np.ndarray) -> list[list[np.ndarray]]:
    """For each stride, which values it chooses in its first call, its second and so on."""
    turns = []
    for stride in np.unique(strides).tolist():
        values = np.flatnonzero(strides == stride)
        phases = places[values] % stride
        order = np.argsort(phases, kind="stable")
        ends = np.cumsum(np.bincount(phases, minlength=stride))
        turns.append(np.split(values[order], ends[:-1]))
    return turns
