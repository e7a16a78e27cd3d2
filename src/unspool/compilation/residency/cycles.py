"""What resident weights cost and gain in cycles, from Vela's own figures."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unspool.compilation.compiled import Compiled, Operator
from unspool.compilation.residency.tables import Span, flash_reads
from unspool.npu import fields
from unspool.npu.decoder import Operation

_KINDS = ("FullyConnected", "Conv2D", "DepthwiseConv2D")  # of Vela's operators with weights


@dataclass(frozen=True)
class Estimate:
    """An estimate of the time that an inference takes.

    Attributes:
        cycles: of an inference; None where there is no estimate.
        how: where the number comes from, or why there is none.
    """

    cycles: int | None
    how: str


def estimate(
    compiled: Compiled,
    reference: Compiled,
    operations: Sequence[Operation],
    copies: Sequence[Span],
) -> Estimate:
    """Estimate the cycles of a network whose tables in `copies` lie in SRAM.

    An operator that reads a copy costs what Vela says in `reference`, or the time to read the
    rest of its tables from flash where that is longer (Vela takes the maximum, too). The others
    cost what Vela says in `compiled`. A copy takes Vela's `measure_mem2mem_cycles`: bytes divided
    by the bandwidth of the flash, and its latency. Nothing is assumed to run beside the copies.

    Args:
        compiled: the network as it was compiled.
        reference: the same network compiled with all weights in SRAM.
        operations: the stream of `compiled`.
        copies: what is copied.
    """
    flash = compiled.target.memory("const")
    here, there = (_weighted(network) for network in (compiled, reference))
    if [(op.name, op.macs) for op in here] != [(op.name, op.macs) for op in there]:
        return Estimate(None, f"not estimated: {reference.target} has other operators")
    calls = compiled.calls
    groups = _grouped(here, operations, calls)
    if groups is None:
        return Estimate(None, "not estimated: Vela interleaves its operators' parts")
    cycles, resident_operators = compiled.cycles, 0
    for before, after, parts in zip(here, there, groups, strict=True):
        ranges = [part for op in parts for table in flash_reads(op) for part in table]
        flash_ranges = [
            (o, size) for o, size in ranges if not any(c.holds(o, size) for c in copies)
        ]
        if len(flash_ranges) < len(ranges):
            from_flash = calls * math.ceil(
                sum(size for _, size in flash_ranges) / flash.bytes_per_cycle
            )
            cycles += max(after.cycles, from_flash) - before.cycles
            resident_operators += 1
    once = sum(math.ceil(c.size / flash.bytes_per_cycle) + flash.read_latency for c in copies)
    copying = calls * once
    return Estimate(
        cycles + copying,
        f"estimate: Vela's cycles, {resident_operators} operators at their cost in "
        f"{reference.target.memory_mode}, plus {copying:,} cycles to copy from {flash.name}",
    )


def _weighted(network: Compiled) -> list[Operator]:
    return [op for op in network.operators if op.on_npu and op.kind in _KINDS]


def _grouped(
    operators: Sequence[Operator], operations: Sequence[Operation], calls: int
) -> list[list[Operation]] | None:
    """The stream's operations of each operator, None where they are not in its order.

    Vela may split an operator into several operations. Their multiply-accumulates add up, to those
    of one call.
    """
    stream = _convolutions(operations)
    groups = []
    for operator in operators:
        group, macs = [], 0
        while macs < operator.macs // calls:
            operation, more = next(stream, (None, 0))
            if operation is None:
                return None
            group.append(operation)
            macs += more
        if macs != operator.macs // calls:
            return None
        groups.append(group)
    return groups if next(stream, None) is None else None


def _convolutions(operations: Sequence[Operation]) -> Iterator[tuple[Operation, int]]:
    """The convolutions of a stream with their multiply-accumulates."""
    for operation in operations:
        if operation.kind in ("CONV", "DEPTHWISE"):
            registers = operation.registers
            kernel = fields.kernel(registers).size
            deep = 1 if operation.kind == "DEPTHWISE" else registers["IFM_DEPTH_M1"] + 1
            yield operation, math.prod((*fields.ofm(registers).shape, *kernel, deep))
