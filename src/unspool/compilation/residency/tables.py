"""What the operations of a stream read from flash more than once, and which of it to keep.

A table is what one operation reads for one purpose: its weights, or its scale records (with the
biases). An operation that two cores share has each table in two parts, one per core; the
registers allow no mixture, so both parts are kept or none.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unspool.npu.decoder import Operation, Registers
from unspool.npu.memory import READ_ONLY

ALIGNMENT = 16  # of weights, scales and of both ends of a DMA, in bytes
FAMILIES = ("WEIGHT", "SCALE")
_NEAR = 64  # bytes between two tables that are not worth a DMA of their own


@dataclass(frozen=True)
class WeightTable:
    """Bytes of region 0 that several operations read.

    Attributes:
        ranges: (offset, bytes) of each part.
        uses: how many operations read it.
    """

    ranges: tuple[tuple[int, int], ...]
    uses: int

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(size for _, size in self.ranges)


@dataclass(frozen=True)
class Span:
    """Bytes that one DMA copies.

    Attributes:
        source: where they are in flash.
        target: where they go in SRAM.
        size: how many.
    """

    source: int
    target: int
    size: int

    def holds(self, offset: int, size: int) -> bool:
        """Whether it has all of these bytes of the flash."""
        return self.source <= offset and offset + size <= self.source + self.size


def slots(registers: Registers) -> tuple[str, ...]:
    """The suffixes of the registers that the cores of an operation read."""
    return ("", "1") if registers.get("PARALLEL_MODE") else ("",)


def reads(operation: Operation, family: str) -> tuple[tuple[int, int], ...]:
    """(offset, bytes) of each part of an operation's weights or scales, in their region."""
    registers = operation.registers
    if operation.kind not in ("CONV", "DEPTHWISE"):
        return ()
    parts = (
        (registers.address(f"{family}{slot}_BASE"), registers[f"{family}{slot}_LENGTH"])
        for slot in slots(registers)
    )
    return tuple(part for part in parts if part[1])


def flash_reads(operation: Operation) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The tables that an operation reads from flash, as their parts."""
    return tuple(
        parts
        for family in FAMILIES
        if (parts := reads(operation, family))
        and operation.registers[f"{family}_REGION"] == READ_ONLY
    )


def repeated(operations: Iterable[Operation]) -> tuple[WeightTable, ...]:
    """The tables that more than one operation reads from flash."""
    counts = Counter(parts for operation in operations for parts in flash_reads(operation))
    return tuple(WeightTable(parts, uses) for parts, uses in counts.items() if uses > 1)


def choose(tables: Iterable[WeightTable], budget: float) -> tuple[WeightTable, ...]:
    """The tables to keep within `budget` bytes; infinity for all.

    Keeping a table of n bytes that is read u times saves (u - 1) * n bytes of flash traffic: u - 1
    per byte of SRAM. So those with the most uses go first, the larger ones before the smaller.
    """
    selection: list[WeightTable] = []
    for table in sorted(tables, key=lambda table: (-table.uses, -table.size, table.ranges)):
        if total(spans([*selection, table], 0)) <= budget:
            selection.append(table)
    return tuple(selection)


def spans(tables: Sequence[WeightTable], target: int) -> tuple[Span, ...]:
    """The DMAs that copy tables to `target` and behind it: as few as their places allow."""
    merged: list[tuple[int, int]] = []
    for offset, size in sorted(part for table in tables for part in table.ranges):
        start, end = offset // ALIGNMENT * ALIGNMENT, align(offset + size)
        if merged and start <= merged[-1][1] + _NEAR:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    result = []
    for start, end in merged:
        result.append(Span(start, target, end - start))
        target += end - start
    return tuple(result)


def total(copies: Iterable[Span]) -> int:
    """Bytes of all copies."""
    return sum(span.size for span in copies)


def align(size: int) -> int:
    """`size`, rounded up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT
