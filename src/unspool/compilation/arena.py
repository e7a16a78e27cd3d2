"""Where a compiled file's tensors lie in the arena, and how large the arena must be."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.errors import UnspoolError
from unspool.tflite import flatbuffer

NPU_OPERATOR = "ethos-u"
"""The kind that Vela gives to the operators that run on the NPU."""

_ALIGNMENT = 16
_BYTES = {
    schema.TensorType.INT8: 1,
    schema.TensorType.UINT8: 1,
    schema.TensorType.BOOL: 1,
    schema.TensorType.INT16: 2,
    schema.TensorType.FLOAT32: 4,
    schema.TensorType.INT32: 4,
    schema.TensorType.INT64: 8,
}
# TFLM keeps an array of base addresses (8 bytes each) and one of sizes (`size_t`) for the
# operands of each NPU operator.
_OPERAND_BYTES = 16
# TFLM's own structures. A 64-bit TFLM (0.dev20261023) takes 1,680 bytes of them for 11 tensors, 8
# inputs and outputs and 1 operator; this allows 3,584, and pointers on a Cortex-M are half as long.
_BOOKKEEPING, _BOOKKEEPING_EACH = 1024, 128


@dataclass(frozen=True)
class Arena:
    """TFLM's arena for a compiled file, in bytes.

    Attributes:
        offsets: tensor index -> its place in the arena by Vela's plan, which TFLM follows.
        planned: end of the last planned tensor.
        scratch: Vela's scratch tensor, which starts at 0 and holds inputs and outputs too.
        fast_scratch: what the NPU needs in dedicated SRAM in addition, or 0 where the memory mode
            has none. TFLM reserves it in the arena as well.
        bookkeeping: an allowance for TFLM's own structures, about twice what it needs.
    """

    offsets: dict[int, int]
    planned: int
    scratch: int
    fast_scratch: int
    bookkeeping: int

    @property
    def size(self) -> int:
        """Bytes to reserve for it."""
        return _align(self.planned + self.bookkeeping)


def read(model: flatbuffer.Model) -> Arena:
    """Read Vela's memory plan.

    Args:
        model: a compiled file.

    Raises:
        UnspoolError: the file is not Vela's.
    """
    graph = model.subgraphs[0]
    offsets = _plan(model)
    end = max((o + _align(_size(graph.tensors[i])) for i, o in offsets.items()), default=0)
    scratch = fast_scratch = operands = 0
    for op in graph.operators:
        if flatbuffer.operator_kind(model, op) == NPU_OPERATOR:
            _, _, scratch_index, fast_index = op.inputs[:4]  # the TFLM kernel's contract
            scratch = max(scratch, _size(graph.tensors[scratch_index]))
            if fast_index != scratch_index:
                fast_scratch = max(fast_scratch, _size(graph.tensors[fast_index]))
            operands += len(op.inputs) + len(op.outputs)
    unplanned = sum(
        _align(_size(tensor))
        for index, tensor in enumerate(graph.tensors)
        if index not in offsets and not _is_constant(model, tensor)
    )
    things = len(graph.tensors) + len(graph.inputs) + len(graph.outputs) + len(graph.operators)
    return Arena(
        offsets=offsets,
        planned=end + unplanned,
        scratch=scratch,
        fast_scratch=fast_scratch,
        bookkeeping=_BOOKKEEPING + _BOOKKEEPING_EACH * things + _OPERAND_BYTES * operands,
    )


def overlap(arena: Arena, one: int, other: int, size: int, other_size: int) -> bool:
    """Whether two tensors share bytes of the arena; unknown places count as sharing."""
    if one not in arena.offsets or other not in arena.offsets:
        return True
    start, other_start = arena.offsets[one], arena.offsets[other]
    return start < other_start + other_size and other_start < start + size


def _plan(model: flatbuffer.Model) -> dict[int, int]:
    """Tensor index -> offset, from the metadata that TFLM reads too; none without it."""
    for metadata in model.metadata or []:
        if metadata.name == b"OfflineMemoryAllocation":
            words = np.frombuffer(bytes(model.buffers[metadata.buffer].data), "<i4")
            # version, subgraph, count, then one offset per tensor; -1 is not planned
            if len(words) != 3 + len(model.subgraphs[0].tensors):
                raise UnspoolError(
                    f"the compiled file's memory plan has {len(words)} numbers, expected "
                    f"{3 + len(model.subgraphs[0].tensors)}: not a file of Vela 5.x"
                )
            return {i: int(offset) for i, offset in enumerate(words[3:]) if offset >= 0}
    return {}


def _size(tensor: Any) -> int:
    return math.prod(int(n) for n in tensor.shape) * _BYTES.get(tensor.type, 8)


def _is_constant(model: flatbuffer.Model, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _align(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
