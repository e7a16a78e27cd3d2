"""Layers of `segments` as operators of a quantized file."""

from copy import copy
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.quantization.multipliers import Floats
from unspool.quantization.segments import Function, Layer, Stored, layers
from unspool.tflite import flatbuffer

_TYPES = {schema.TensorType.INT8: "int8", schema.TensorType.INT16: "int16"}
_CONSTANTS = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
}


class Convolutions:
    """Puts them into a model; those with the same kernels share them."""

    def __init__(self, model: flatbuffer.Model) -> None:
        """Take the model."""
        self._model, self._graph = model, model.subgraphs[0]
        self._constants: dict[tuple[Any, ...], int] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}

    def in_place_of(self, op: Any, function: Function) -> list[Any]:
        """Operators that compute a function of the quantized `op`'s input, as its output.

        The values are laid out as an image of one channel. The new tensors are called
        `<output>/values`, `<output>/knots` and `<output>/sum`.
        """
        (source,), (target,) = op.inputs, op.outputs
        input_tensor, output_tensor = self._graph.tensors[source], self._graph.tensors[target]
        size = [1, int(np.prod(input_tensor.shape[:-1])), int(input_tensor.shape[-1])]
        asked = (function, _stored(input_tensor), _stored(output_tensor), _TYPES[input_tensor.type])
        first, last = layers(*asked, self._numbers.setdefault(asked, len(self._numbers)))
        values = self._image(output_tensor, "values", [*size, 1], _stored(input_tensor))
        knots = self._image(output_tensor, "knots", [*size, len(first.kernel)], first.output)
        total = self._image(output_tensor, "sum", [*size, 1], last.output)
        return [
            self._reshape(source, values),
            self._convolution(values, knots, first),
            self._convolution(knots, total, last),
            self._reshape(total, target),
        ]

    def _image(self, like: Any, name: str, shape: list[int], stored: Stored) -> int:
        tensor = copy(like)
        tensor.name = like.name + f"/{name}".encode()
        tensor.shape, tensor.shapeSignature = shape, None
        tensor.quantization = _quantization(np.array([stored.scale]), stored.zero)
        return self._added(tensor)

    def _convolution(self, source: int, target: int, layer: Layer) -> Any:
        scale = self._graph.tensors[source].quantization.scale[0]
        kernel = layer.kernel[:, None, None, :]
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = schema.Padding.VALID, 1, 1
        kinds = schema.ActivationFunctionType
        options.fusedActivationFunction = kinds.RELU if layer.relu else kinds.NONE
        bias = self._constant(layer.bias, _quantization(scale * layer.scales, 0))
        weights = self._constant(kernel, _quantization(layer.scales, 0))
        return self._operator("CONV_2D", [source, weights, bias], target, options)

    def _reshape(self, source: int, target: int) -> Any:
        options = schema.ReshapeOptionsT()
        options.newShape = [int(n) for n in self._graph.tensors[target].shape]
        shape = self._constant(np.array(options.newShape, np.int32), None)
        return self._operator("RESHAPE", [source, shape], target, options)

    def _operator(self, kind: str, inputs: list[int], output: int, options: Any) -> Any:
        op = schema.OperatorT()
        op.inputs, op.outputs = inputs, [output]
        flatbuffer.become(self._model, op, kind, options)
        return op

    def _constant(self, values: np.ndarray, quantization: Any) -> int:
        """A constant tensor, made once."""
        scales = quantization and tuple(quantization.scale)
        key = (values.tobytes(), values.shape, values.dtype, scales)
        if key not in self._constants:
            tensor, buffer = schema.TensorT(), schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self._model.buffers.append(buffer)
            tensor.buffer = len(self._model.buffers) - 1
            tensor.name = f"curves/{len(self._constants)}".encode()
            tensor.shape, tensor.type = list(values.shape), _CONSTANTS[values.dtype]
            tensor.quantization = quantization
            self._constants[key] = self._added(tensor)
        return self._constants[key]

    def _added(self, tensor: Any) -> int:
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1


def _stored(tensor: Any) -> Stored:
    quantization = tensor.quantization
    return Stored(float(quantization.scale[0]), int(quantization.zeroPoint[0]))


def _quantization(scales: Floats, zero: int) -> Any:
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = scales.tolist(), [zero] * len(scales)
    return quantization
