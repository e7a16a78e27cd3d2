"""Inputs and outputs of a .tflite file: their names, shapes and scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from unspool.errors import UnspoolError
from unspool.tflite.flatbuffer import Model

_DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.INT8: np.dtype(np.int8),
    schema.TensorType.INT16: np.dtype(np.int16),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.UINT8: np.dtype(np.uint8),
}


@dataclass(frozen=True)
class Tensor:
    """An input or output of a .tflite file.

    Attributes:
        name: its name in the signature, or the tensor's own where there is no signature.
        shape: with the batch dimension, which is 1 in a deployed model.
        dtype: of the stored values.
        scale: real value of one quantization level, or 0 for a float tensor.
        zero_point: the stored value that stands for 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Real values to stored ones: `clip(round(x / scale) + zero_point)`, half to even."""
        if not self.scale:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        levels = np.rint(values.astype(np.float32) / np.float32(self.scale)) + self.zero_point
        stored: np.ndarray = np.clip(levels, limits.min, limits.max).astype(self.dtype)
        return stored

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        """Stored values to real ones: `(q - zero_point) * scale`, float32."""
        if not self.scale:
            return stored.astype(np.float32)
        return (stored.astype(np.float32) - self.zero_point) * np.float32(self.scale)


def inputs_and_outputs(model: Model) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of the first graph, in the graph's order."""
    graph = model.subgraphs[0]
    signatures = [s for s in model.signatureDefs or [] if s.subgraphIndex == 0]

    def describe(indices: Sequence[int], entries: Sequence[Any]) -> tuple[Tensor, ...]:
        names: dict[int, list[str]] = {}  # a tensor that is an output twice has two
        for port in entries:
            names.setdefault(port.tensorIndex, []).append(port.name.decode())
        return tuple(
            _tensor(graph.tensors[i], names[i].pop(0) if names.get(i) else None)
            for i in map(int, indices)
        )

    return (
        describe(graph.inputs, [port for s in signatures for port in s.inputs or []]),
        describe(graph.outputs, [port for s in signatures for port in s.outputs or []]),
    )


def _tensor(tensor: Any, name: str | None) -> Tensor:
    dtype = _DTYPES.get(tensor.type)
    if dtype is None:
        kind = flatbuffer_utils.type_to_name(tensor.type)
        raise UnspoolError(f"tensor {tensor.name.decode()!r} has the unsupported type {kind}")
    quantization = tensor.quantization
    scaled = quantization is not None and quantization.scale is not None
    return Tensor(
        name=name or tensor.name.decode(),
        shape=tuple(int(n) for n in tensor.shape),
        dtype=dtype,
        scale=float(quantization.scale[0]) if scaled else 0.0,
        zero_point=int(quantization.zeroPoint[0]) if scaled else 0,
    )
