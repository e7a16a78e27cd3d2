"""Ranges: tie them over the steps, and choose them from the values that were met."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool import flatbuffer

_STEP = re.compile(r"\bstep_\d+")
_SMALLEST_WIDTH = 1e-6
_LEVELS = 255  # steps of int8
_BINS = 2048
_SHARES = np.linspace(0.3, 1.0, 36)
_PERCENTILE = 99.99


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value of a tensor."""

    minimum: float
    maximum: float

    def __or__(self, other: "Range") -> "Range":
        """The smallest range that holds both."""
        return Range(min(self.minimum, other.minimum), max(self.maximum, other.maximum))


def roles(model: flatbuffer.Model) -> dict[str, str]:
    """Tensor name -> role: what a tensor is, whatever the step.

    `gru/step_007/h` has the role `gru/step/h`. An output of the graph has lost its step's name to
    the signature's; it takes the role of a tensor that the same kind of operator computes from
    tensors of the same roles, in another step.
    """
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    found = {name: _STEP.sub("step", name) for name in names}

    def recipe(op: Any) -> tuple[str, ...]:
        kind = flatbuffer.operator_kind(model, op)
        return (kind, *(found[names[index]] for index in op.inputs if index >= 0))

    steps = {
        recipe(op): found[names[op.outputs[0]]]
        for op in graph.operators
        if len(op.outputs) == 1 and _STEP.search(names[op.outputs[0]])
    }
    for op in graph.operators:
        if op.outputs[0] in graph.outputs and recipe(op) in steps:
            found[names[op.outputs[0]]] = steps[recipe(op)]
    for op in graph.operators:  # the steps' outputs one after the other: what each of them is
        if flatbuffer.operator_kind(model, op) in ("CONCATENATION", "PACK"):
            parts = {found[names[index]] for index in op.inputs}
            if len(parts) == 1:
                found[names[op.outputs[0]]] = parts.pop()
    for index in graph.inputs:  # a state goes in as it came out
        after = names[index].removesuffix("_in") + "_out"
        if names[index].endswith("_in") and after in found:
            found[names[index]] = found[after]
    return found


_FIXED = {
    "int8": {"TANH": Range(-1.0, 127 / 128), "LOGISTIC": Range(0.0, 255 / 256)},
    "int16": {"TANH": Range(2**-15 - 1.0, 1.0 - 2**-15), "LOGISTIC": Range(0.0, 1.0 - 2**-15)},
}


def fixed(model: flatbuffer.Model, roles: Mapping[str, str], activations: str) -> dict[str, Range]:
    """Role -> range of what LiteRT writes with one scale always.

    int8: tanh 1/128, sigmoid 1/256; int16: both 1/32768. A state that is such an output, as
    SimpleRNN's is, must go in with the same scale, and so must steps that are put together.
    """
    graph = model.subgraphs[0]
    return {
        roles[graph.tensors[op.outputs[0]].name.decode()]: _FIXED[activations][kind]
        for op in graph.operators
        if (kind := flatbuffer.operator_kind(model, op)) in _FIXED[activations]
    }


def tie(observed: Mapping[str, Range], roles: Mapping[str, str]) -> dict[str, Range]:
    """Role -> the range that holds what all its tensors took, and 0.

    Weights are shared over time, so ranges are too: without ties every step has its own scales,
    and Vela stores one table of scales per step. LiteRT's quantization needs the 0.
    """
    tied: dict[str, Range] = {}
    for name, observation in observed.items():
        tied[roles[name]] = tied.get(roles[name], Range(0.0, 0.0)) | observation
    return tied


def usable(range_: Range) -> Range:
    """The range, or [-1, 1] for an empty one, whose tensor was 0 in all of the data.

    It would get a scale of 1e-8.
    """
    width = range_.maximum - range_.minimum
    return range_ if width >= _SMALLEST_WIDTH else Range(-1.0, 1.0)


def minmax(values: np.ndarray, tied: Range) -> Range:
    """All values that were met."""
    return tied


def percentile(values: np.ndarray, tied: Range) -> Range:
    """All but the outermost 0.01 % of the values on each side."""
    low, high = np.percentile(values, [100 - _PERCENTILE, _PERCENTILE])
    return Range(max(tied.minimum, min(0.0, float(low))), min(tied.maximum, max(0.0, float(high))))


def mse(values: np.ndarray, tied: Range) -> Range:
    """The share of the tied range that int8 stores the values in with the least squared error.

    A narrower range has finer levels and clips its outliers; the sum of both errors has a minimum
    (Banner et al. 2019, "Post training 4-bit quantization", section 3). Values are binned: the
    search costs the same for any number of them.
    """
    if tied.maximum - tied.minimum < _SMALLEST_WIDTH:
        return tied
    counts, edges = np.histogram(values, _BINS, (tied.minimum, tied.maximum))
    centres = (edges[:-1] + edges[1:]) / 2
    best, least = tied, np.inf
    for share in _SHARES:
        low, high = share * tied.minimum, share * tied.maximum
        scale = (high - low) / _LEVELS
        zero = np.rint(-low / scale)
        stored = (np.clip(np.rint(centres / scale) + zero, 0, _LEVELS) - zero) * scale
        error = float(counts @ (stored - centres) ** 2)
        if error < least:
            best, least = Range(float(low), float(high)), error
    return best


METHODS: dict[str, Callable[[np.ndarray, Range], Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
}
"""How a role's range is chosen: a function of values that it took, and of its tied range."""
