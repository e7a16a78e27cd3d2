"""Which weights to keep in SRAM, and where: decided before anything is changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.compilation.residency.tables import (
    Span,
    WeightTable,
    align,
    choose,
    repeated,
    spans,
    total,
)
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.npu.container import Program
from unspool.npu.decoder import Operation, decode

SCRATCH, _FAST = 1, 2  # memory regions


@dataclass(frozen=True)
class Plan:
    """What is kept.

    Attributes:
        tables: the weights and scale tables.
        copies: the DMAs that bring them to SRAM.
        region: the memory region that they are brought to.
    """

    tables: tuple[WeightTable, ...]
    copies: tuple[Span, ...]
    region: int


def plan(program: Program, target: Target, budget: float) -> Plan | str:
    """Choose what to keep of a program's weights, or say why there is nothing.

    Args:
        program: compiled for `target`.
        target: an Ethos-U55 or U65.
        budget: bytes of SRAM that the copies may take; infinity for all that repeats.

    Raises:
        UnspoolError: the budget is below the smallest table.
    """
    if in_sram(target):
        return f"{target.memory_mode} has the weights in SRAM already"
    operations = decode(program.stream)
    tables = repeated(operations)
    if not tables:
        return _nothing_repeats(operations, target.memory("const").name)
    region, used = _place(program, target)
    least = min(total(spans([table], 0)) for table in tables)
    if budget < least:
        raise UnspoolError(
            f"an SRAM budget of {budget / 1024:g} KiB for resident weights: the smallest table "
            f"that repeats takes {least / 1024:g} KiB"
        )
    start, limit = align(used), target.memory("cache").limit
    chosen = choose(tables, budget if limit is None else min(limit - start, budget))
    if not chosen:
        return f"{target.memory_mode} leaves no SRAM for a table of {least / 1024:g} KiB"
    return Plan(chosen, spans(chosen, start), region)


def in_sram(target: Target) -> bool:
    """Whether a target has its weights in SRAM already, behind one port with what it computes."""
    return target.memory("const").port == target.memory("cache").port


def _place(program: Program, target: Target) -> tuple[int, int]:
    """The memory region for the copies, and the bytes of it that are in use."""
    if target.memory("arena").port == target.memory("cache").port:
        return SCRATCH, program.scratch_size
    if program.fast_size is None:
        raise UnspoolError(
            f"{target}: the file has no tensor for the SRAM apart from the arena; "
            "was it compiled for another memory mode?"
        )
    return _FAST, program.fast_size


def _nothing_repeats(operations: Sequence[Operation], source: str) -> str:
    """The reason, told apart from streams in which Vela's own DMAs repeat."""
    sizes: dict[int, list[int]] = {}
    for operation in operations:
        registers = operation.registers
        if operation.kind == "DMA_START" and not registers["DMA0_DST_REGION"] & 0x100:
            size = registers.address("DMA0_LEN")
            sizes.setdefault(registers.address("DMA0_SRC"), []).append(size)
    repeats = [size for copies in sizes.values() if len(copies) > 1 for size in copies]
    if repeats:
        return (
            f"Vela copies the weights that repeat from {source} to SRAM itself, before each use "
            f"({len(repeats)} DMAs, {sum(repeats) / 1024:.1f} KiB an inference); these are "
            "left alone"
        )
    return f"no weights are read from {source} more than once"
