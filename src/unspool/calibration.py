"""Float .tflite -> ranges: run it on samples, keep minima and maxima, tie them over the steps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool import flatbuffer, samples
from unspool.errors import UnspoolError
from unspool.quiet import quiet
from unspool.samples import Samples

_STEP = re.compile(r"\bstep_\d+")
_SMALLEST_WIDTH = 1e-6


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value that a tensor took."""

    minimum: float
    maximum: float

    def __or__(self, other: "Range") -> "Range":
        """The smallest range that holds both."""
        return Range(min(self.minimum, other.minimum), max(self.maximum, other.maximum))


@dataclass(frozen=True)
class Calibration:
    """Ranges of every activation tensor of a float .tflite.

    Attributes:
        samples: how many samples were run.
        observed: tensor name -> the range it took.
        ranges: tensor name -> the range to quantize it with: tied over the steps, never empty.
    """

    samples: int
    observed: Mapping[str, Range]
    ranges: Mapping[str, Range]


def calibrate(float_tflite: bytes, data: Samples) -> Calibration:
    """Run a float .tflite on calibration samples and collect the ranges of its tensors.

    Args:
        float_tflite: a model with batch size 1, as `convert` returns it.
        data: the calibration set, one array (samples, ...) per input.

    Raises:
        UnspoolError: not a float .tflite, or samples that do not fit its inputs.
    """
    model = flatbuffer.read(float_tflite)
    inputs, _ = flatbuffer.inputs_and_outputs(model)
    arrays = samples.check(data, inputs, "calibration data")
    graph = model.subgraphs[0]
    written = [*graph.inputs, *(index for op in graph.operators for index in op.outputs)]
    floats = [i for i in written if graph.tensors[i].type == schema.TensorType.FLOAT32]
    if not floats:
        raise UnspoolError("the .tflite file has no float tensors: it is quantized already")

    with quiet():
        interpreter = Interpreter(
            model_content=float_tflite,
            num_threads=1,
            # Delegates do not keep the tensors between their operators.
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    minima = np.full(len(floats), np.inf)
    maxima = np.full(len(floats), -np.inf)
    for sample in zip(*arrays, strict=True):
        for index, values in zip(graph.inputs, sample, strict=True):
            interpreter.set_tensor(index, values[None])
        interpreter.invoke()
        for position, index in enumerate(floats):
            values = interpreter.get_tensor(index)
            minima[position] = min(minima[position], values.min())
            maxima[position] = max(maxima[position], values.max())
    observed = {
        graph.tensors[index].name.decode(): Range(float(low), float(high))
        for index, low, high in zip(floats, minima, maxima, strict=True)
    }
    return Calibration(len(arrays[0]), observed, tie(observed, roles(model)))


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
    return found


def tie(observed: Mapping[str, Range], roles: Mapping[str, str]) -> dict[str, Range]:
    """Give all tensors of one role one range: weights are shared over time, so ranges are too.

    Without ties every step has its own scales, and Vela stores one table of scales per step.
    A range always holds 0 (LiteRT's quantization needs it); one that is empty, because its tensor
    was 0 in all of the data, becomes [-1, 1], not a scale of 1e-8.
    """
    tied: dict[str, Range] = {}
    for name, observation in observed.items():
        role = roles[name]
        tied[role] = tied.get(role, Range(0.0, 0.0)) | observation
    for role, range_ in tied.items():
        if range_.maximum - range_.minimum < _SMALLEST_WIDTH:
            tied[role] = Range(-1.0, 1.0)
    return {name: tied[roles[name]] for name in observed}
