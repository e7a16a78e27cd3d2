"""Functions of one value that no runtime has a quantized operator for.

`unroll` writes such an activation in operators of float, in a scope of its own (`names.CURVE`); an
operator that only float has may also stand alone. Here they become one operator of one input,
which is calibrated and quantized as any other, and then becomes convolutions (`segments`).
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool.quantization.convolutions import Convolutions
from unspool.quantization.multipliers import Floats
from unspool.support.quiet import quiet
from unspool.tflite import flatbuffer, names

KIND = "GELU"
"""What a curve is called until it becomes convolutions: litert-quantizer takes it with any scales
of its input and output, and TFLM has none, so that nothing keeps this name."""

_FLOAT = ("ABS", "COS", "EXP", "GELU", "LOG", "RELU6", "RELU_N1_TO_1", "SIN", "SQRT")
_ALONE = {"int8": _FLOAT, "int16": (*_FLOAT, "ELU", "HARD_SWISH")}
"""Type -> operators of one value that litert-quantizer or TFLM have no form of in this type."""


@dataclass(frozen=True)
class Curve:
    """A function of one value.

    Attributes:
        tflite: a float model of nothing else.
    """

    tflite: bytes

    def __call__(self, values: Floats) -> Floats:
        """The function of each value, as LiteRT computes it in float32."""
        with quiet():
            interpreter = Interpreter(
                model_content=self.tflite,
                num_threads=1,
                # The default delegate does not resize.
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.resize_tensor_input(0, values.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(0, values.astype(np.float32))
            interpreter.invoke()
            result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        largest = float(np.finfo(np.float32).max)  # such as the logarithm of 0
        values_: Floats = np.nan_to_num(result.astype(np.float64), posinf=largest, neginf=-largest)
        return values_


def fold(model: flatbuffer.Model, activations: str) -> dict[bytes, Curve]:
    """Make each curve of a float model one operator; the tensors within it stay, unused.

    Returns:
        output tensor -> the function that its operator stands for.
    """
    graph = model.subgraphs[0]
    number_of = {int(op.outputs[0]): number for number, op in enumerate(graph.operators)}
    inside = {
        index
        for index in number_of
        if names.is_of_curve(graph.tensors[index].name.decode()) and index not in graph.outputs
    }
    curves: dict[bytes, Curve] = {}
    folded: list[tuple[Any, int]] = []
    for op in graph.operators:
        is_float = graph.tensors[op.outputs[0]].type == schema.TensorType.FLOAT32
        lone = is_float and flatbuffer.operator_kind(model, op) in _ALONE[activations]
        if int(op.outputs[0]) not in inside and (lone or not inside.isdisjoint(op.inputs)):
            numbers, source = _region(model, int(op.outputs[0]), inside, number_of)
            region = [graph.operators[number] for number in numbers]
            curves[graph.tensors[op.outputs[0]].name] = Curve(_alone(model, region, source))
            folded.append((op, source))
    for op, source in folded:
        _become_one(model, op, source)
    graph.operators = [op for op in graph.operators if int(op.outputs[0]) not in inside]
    return curves


def unfold(model: flatbuffer.Model, curves: Mapping[bytes, Curve]) -> None:
    """Put convolutions in the place of a quantized model's curves."""
    graph = model.subgraphs[0]
    convolutions = Convolutions(model)
    operators: list[Any] = []
    for op in graph.operators:
        curve = curves.get(graph.tensors[op.outputs[0]].name)
        if curve and flatbuffer.operator_kind(model, op) == KIND:
            operators += convolutions.in_place_of(op, curve)
        else:
            operators.append(op)
    graph.operators = operators
    flatbuffer.drop_unused_codes(model)


def _region(
    model: flatbuffer.Model, last: int, inside: set[int], number_of: Mapping[int, int]
) -> tuple[list[int], int]:
    """The operators that compute a curve, by number, and the tensor that it is a function of.

    Where the converter found a part of a curve outside of it too, it computes it once, there: such
    operators are taken in until one tensor is left.
    """
    graph = model.subgraphs[0]
    numbers = {number_of[last]}
    sources: set[int] = set()
    waiting = {last}
    while waiting:
        op = graph.operators[number_of[waiting.pop()]]
        numbers.add(number_of[int(op.outputs[0])])
        read = {int(i) for i in op.inputs if not flatbuffer.constant_bytes(model, int(i))}
        waiting |= read & inside
        sources |= read - inside
        if not waiting and len(sources) > 1:
            latest = max(sources, key=lambda index: number_of.get(index, -1))
            sources.remove(latest)
            waiting.add(latest)
    (source,) = sources
    return sorted(numbers), source


def _alone(model: flatbuffer.Model, region: Sequence[Any], source: int) -> bytes:
    """A float model of a curve alone; equal for all steps, since its tensors have no names."""
    graph = model.subgraphs[0]
    used = [source, *(int(index) for op in region for index in (*op.inputs, *op.outputs))]
    places = {index: place for place, index in enumerate(dict.fromkeys(used))}
    alone, part = schema.ModelT(), schema.SubGraphT()
    alone.version, alone.operatorCodes, alone.subgraphs = 3, model.operatorCodes, [part]
    alone.buffers = [schema.BufferT()]
    part.tensors, part.operators = [], []
    for index in places:
        tensor = copy(graph.tensors[index])
        data = flatbuffer.constant_bytes(model, index)
        tensor.name, tensor.buffer = b"", len(alone.buffers) if data else 0
        if data:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            alone.buffers.append(buffer)
        else:
            tensor.shape, tensor.shapeSignature = [1], None
        part.tensors.append(tensor)
    for op in region:
        moved = copy(op)
        moved.inputs = [places[int(index)] for index in op.inputs]
        moved.outputs = [places[int(index)] for index in op.outputs]
        part.operators.append(moved)
    part.inputs, part.outputs = [0], [places[int(region[-1].outputs[0])]]
    return flatbuffer.write(alone)


def _become_one(model: flatbuffer.Model, op: Any, source: int) -> None:
    """Make the last operator of a curve the curve."""
    op.inputs = [source]
    flatbuffer.become(model, op, KIND, schema.GeluOptionsT())
