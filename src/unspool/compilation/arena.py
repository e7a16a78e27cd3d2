"""TFLM's arena for a compiled file: where tensors lie in it, and how large it must be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.compilation.placement import NPU
from unspool.errors import UnspoolError
from unspool.tflite import flatbuffer
from unspool.tflite.soundness import WIDTHS

_ALIGNMENT = 16
# What TFLM's own structures take with pointers of 8 bytes, measured with its recording allocator
# (0.dev20261023, `tests/tflm_npu.py`); a Cortex-M's have 4. Its NPU kernel keeps an array of
# addresses and one of sizes for its operands.
_OPERAND = 16
_FIXED, _TENSOR, _OPERATOR, _END, _POINTER = 544, 24, 80, 96, 8
# An allowance: what other kernels keep differs, and none is Vela's.
_OTHER_KERNEL = 256
# While it plans the memory, before it keeps a structure for each input and output.
_PLANNED_TENSOR = 96


@dataclass(frozen=True)
class Arena:
    """TFLM's arena for a compiled file, in bytes.

    Attributes:
        offsets: tensor index -> its place in the arena by Vela's plan, which TFLM follows.
        planned: end of the last planned tensor.
        scratch: Vela's scratch tensor, which starts at 0 and holds inputs and outputs too.
        fast_scratch: what the NPU needs in dedicated SRAM in addition, or 0 where the memory mode
            has none. TFLM reserves it in the arena as well.
        bookkeeping: TFLM's own structures, with pointers of 8 bytes; those of a Cortex-M are half
            as long.
        planning: what TFLM needs while it plans the memory, which can be more than all of that.
    """

    offsets: dict[int, int]
    planned: int
    scratch: int
    fast_scratch: int
    bookkeeping: int
    planning: int

    @property
    def size(self) -> int:
        """Bytes to reserve for it."""
        return _align(max(self.planned + self.bookkeeping, self.planning))


def read(model: flatbuffer.Model) -> Arena:
    """Read Vela's memory plan.

    Args:
        model: a compiled file.

    Raises:
        UnspoolError: the file is not Vela's.
    """
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    places = _plan(model, len(tensors))
    offsets = {i: place for i, place in enumerate(places) if place >= 0}
    end = max((place + _align(_size(tensors[i])) for i, place in offsets.items()), default=0)
    unplanned = sum(
        _align(_size(tensor))
        for index, tensor in enumerate(tensors)
        if index not in offsets and not _is_constant(model, tensor)
    )
    scratch, fast_scratch = _scratch(model)
    operators = [op for graph in model.subgraphs for op in graph.operators or ()]
    main = model.subgraphs[0]
    sides = [() if side is None else side for side in (main.inputs, main.outputs)]
    structures = _FIXED + _TENSOR * len(tensors) + _OPERATOR * len(operators)
    ends = sum(_END * len(side) + _align(_POINTER * len(side)) for side in sides)
    return Arena(
        offsets={i: place for i, place in offsets.items() if i < len(main.tensors)},
        planned=end + unplanned,
        scratch=scratch,
        fast_scratch=fast_scratch,
        bookkeeping=structures + ends + sum(_kernel(model, op) for op in operators),
        planning=structures + _PLANNED_TENSOR * (len(tensors) + 2 * len(operators)),
    )


def _scratch(model: flatbuffer.Model) -> tuple[int, int]:
    """Bytes of the scratch tensor, and of the fast one where it is another."""
    graph, sizes = model.subgraphs[0], [(0, 0)]
    for op in graph.operators or ():
        if flatbuffer.operator_kind(model, op) == NPU:
            _, _, scratch, fast = op.inputs[:4]  # the TFLM kernel's contract
            apart = _size(graph.tensors[fast]) if fast != scratch else 0
            sizes.append((_size(graph.tensors[scratch]), apart))
    slow, fast = zip(*sizes, strict=True)
    return max(slow), max(fast)


def _kernel(model: flatbuffer.Model, op: Any) -> int:
    """What the kernel of an operator keeps."""
    if flatbuffer.operator_kind(model, op) == NPU:
        return _OPERAND * (len(op.inputs) + len(op.outputs))
    return _OTHER_KERNEL


def overlap(arena: Arena, one: int, other: int, size: int, other_size: int) -> bool:
    """Whether two tensors share bytes of the arena; unknown places count as sharing."""
    if one not in arena.offsets or other not in arena.offsets:
        return True
    start, other_start = arena.offsets[one], arena.offsets[other]
    return start < other_start + other_size and other_start < start + size


def _plan(model: flatbuffer.Model, tensors: int) -> Sequence[int]:
    """The offset of each tensor of all graphs, from the metadata that TFLM reads too; -1: none."""
    for metadata in model.metadata or []:
        if metadata.name == b"OfflineMemoryAllocation":
            words = np.frombuffer(bytes(model.buffers[metadata.buffer].data), "<i4")
            if len(words) != 3 + tensors:  # version, graphs, tensors, then their offsets
                raise UnspoolError(
                    f"the compiled file's memory plan has {len(words)} numbers, expected "
                    f"{3 + tensors}: not a file of Vela 5.x"
                )
            offsets: Sequence[int] = words[3:].tolist()
            return offsets
    return [-1] * tensors


def _size(tensor: Any) -> int:
    shape = () if tensor.shape is None else tensor.shape  # none for a single number
    return math.prod(int(n) for n in shape) * WIDTHS.get(tensor.type, 8)


def _is_constant(model: flatbuffer.Model, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _align(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
