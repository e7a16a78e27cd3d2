"""Float .tflite -> ranges: run it on samples and keep what its tensors take."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool import flatbuffer, samples
from unspool.errors import UnspoolError
from unspool.quiet import quiet
from unspool.ranges import METHODS, Range, roles, tie, usable
from unspool.samples import Samples

_VALUES_PER_ROLE = 100_000


@dataclass(frozen=True)
class Calibration:
    """Ranges of every activation tensor of a float .tflite.

    Attributes:
        samples: how many samples were run.
        method: how the ranges were chosen from what was observed, one of `METHODS`.
        observed: tensor name -> the range it took.
        ranges: tensor name -> the range to quantize it with: one per role, never empty.
        roles: tensor name -> what it is, whatever the step.
    """

    samples: int
    method: str
    observed: Mapping[str, Range]
    ranges: Mapping[str, Range]
    roles: Mapping[str, str]


def calibrate(float_tflite: bytes, data: Samples, method: str = "mse") -> Calibration:
    """Run a float .tflite on calibration samples and choose the ranges of its tensors.

    Args:
        float_tflite: a model with batch size 1, as `convert` returns it.
        data: the calibration set, one array (samples, ...) per input.
        method: "mse" (least squared error), "minmax" (all that was met) or "percentile"
            (all but the outermost 0.01 % on each side).

    Raises:
        UnspoolError: not a float .tflite, samples that do not fit its inputs, or an unknown method.
    """
    if method not in METHODS:
        raise UnspoolError(f"calibration method {method!r}: expected {', '.join(METHODS)}")
    model = flatbuffer.read(float_tflite)
    inputs, _ = flatbuffer.inputs_and_outputs(model)
    arrays = samples.check(data, inputs, "calibration data")
    graph = model.subgraphs[0]
    written = [*graph.inputs, *(index for op in graph.operators for index in op.outputs)]
    names = {
        index: graph.tensors[index].name.decode()
        for index in written
        if graph.tensors[index].type == schema.TensorType.FLOAT32
    }
    if not names:
        raise UnspoolError("the .tflite file has no float tensors: it is quantized already")
    role_of = roles(model)
    observed, values = _run(float_tflite, arrays, names, role_of)
    tied = tie(observed, role_of)
    chosen = {role: METHODS[method](values[role], tied[role]) for role in tied}
    ranges = {name: usable(chosen[role_of[name]]) for name in observed}
    return Calibration(len(arrays[0]), method, observed, ranges, role_of)


def _run(
    float_tflite: bytes,
    arrays: list[np.ndarray],
    names: Mapping[int, str],
    role_of: Mapping[str, str],
) -> tuple[dict[str, Range], dict[str, np.ndarray]]:
    """Each tensor's minimum and maximum over all samples, and some values of each role."""
    with quiet():
        interpreter = Interpreter(
            model_content=float_tflite,
            num_threads=1,
            # Delegates do not keep the tensors between their operators.
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    indices = np.array(list(names))
    minima, maxima = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    kept: dict[str, list[np.ndarray]] = {role_of[name]: [] for name in names.values()}
    stride: dict[str, int] = {}
    for number, sample in enumerate(zip(*arrays, strict=True)):
        for index, values in zip(inputs, sample, strict=True):
            interpreter.set_tensor(index, values[None])
        interpreter.invoke()
        taken = [interpreter.get_tensor(index).ravel() for index in indices]
        minima = np.minimum(minima, [values.min() for values in taken])
        maxima = np.maximum(maxima, [values.max() for values in taken])
        if not stride:
            stride = _strides(taken, names, role_of, len(arrays[0]))
        for values, name in zip(taken, names.values(), strict=True):
            step = stride[role_of[name]]
            kept[role_of[name]].append(values[number % step :: step])
    observed = {
        name: Range(float(low), float(high))
        for name, low, high in zip(names.values(), minima, maxima, strict=True)
    }
    return observed, {role: np.concatenate(values) for role, values in kept.items()}


def _strides(
    taken: list[np.ndarray], names: Mapping[int, str], role_of: Mapping[str, str], samples: int
) -> dict[str, int]:
    """Keep one value of so many, that a role keeps about `_VALUES_PER_ROLE` over all samples."""
    sizes: dict[str, int] = {}
    for values, name in zip(taken, names.values(), strict=True):
        sizes[role_of[name]] = sizes.get(role_of[name], 0) + values.size
    return {role: max(1, size * samples // _VALUES_PER_ROLE) for role, size in sizes.items()}
