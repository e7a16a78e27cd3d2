"""Resident weights: what repeats in a compiled network is read from flash once per inference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from unspool import npu
from unspool.compilation import targets, vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.in_parts import CompiledParts
from unspool.compilation.residency.checking import check_bytes
from unspool.compilation.residency.cycles import Estimate, estimate
from unspool.compilation.residency.packing import repack
from unspool.compilation.residency.planning import Plan, in_sram, plan
from unspool.compilation.residency.rewrite import rewrite
from unspool.compilation.residency.tables import Span, repeated, spans, total
from unspool.errors import UnspoolError
from unspool.npu.container import Program
from unspool.npu.decoder import Operation, decode


@dataclass(frozen=True)
class ResidentPart:
    """Bytes of the flash that operations read from their copy in SRAM.

    Attributes:
        offset: from the start of the read-only tensor, memory region 0.
        bytes: how many.
        uses: operations that read them, once each.
    """

    offset: int
    bytes: int
    uses: int


@dataclass(frozen=True)
class Resident:
    """A compiled network whose repeated weights lie in SRAM during the inference.

    Attributes:
        tflite: bytes of the .tflite file; Vela's own where nothing was changed.
        reason: why nothing was changed; empty where something was.
        kept: the weights and scale tables that are copied, in the order of their offsets.
        kept_kib: SRAM for the copies, in KiB of 1024 bytes, with the padding between them.
        sram_kib: SRAM that an inference needs: Vela's figure and the copies.
        dma_bytes: that the copies read from flash, once per call.
        saved_bytes: that an inference reads from flash less than before.
        cycles: of one inference, an estimate; None where there is none.
        cycles_how: where that estimate comes from, or why there is none.
    """

    tflite: bytes
    reason: str
    kept: tuple[ResidentPart, ...]
    kept_kib: float
    sram_kib: float
    dma_bytes: int
    saved_bytes: int
    cycles: int | None
    cycles_how: str


def keep_resident(
    compiled: Compiled, quantized: bytes | None = None, sram_kib: float = math.inf
) -> Resident:
    """Copy what an inference reads from flash more than once to SRAM, at its start.

    The command stream gets DMA operations in front and other weight addresses, the scratch
    tensor grows by the copies. The result is checked twice. Every register of every operation is
    compared with the original, which holds for all inputs; and both run in the simulator on
    random samples, whose bytes must be equal. What they cannot show is in
    docs/resident-weights.md.

    Args:
        compiled: what `compile` returned, for an Ethos-U55 or U65.
        quantized: the file that was compiled, for the estimate of the cycles: it is compiled once
            more, with all weights in SRAM. Without it there is no estimate.
        sram_kib: SRAM that the copies may take, in KiB; infinity for all that repeats.

    Returns:
        the rewritten network; or the one of `compiled` with the reason, where its weights lie in
        SRAM already, none repeat, or keeping them gains nothing.

    Raises:
        UnspoolError: `sram_kib` is not a positive number or below the smallest table; the file is
            not from Vela or has operators on the CPU; the simulator cannot check its stream.

    Example:
        >>> resident = unspool.keep_resident(compiled)
        >>> resident.kept_kib > 0
        True
    """
    budget = _bytes(sram_kib)
    program = _program(compiled)
    planned = plan(program, compiled.target, budget)
    if isinstance(planned, str):
        return _unchanged(compiled, planned)
    cycles = _estimate(compiled, quantized, decode(program.stream), planned.copies)
    if cycles.cycles is not None and cycles.cycles >= compiled.cycles:
        return _unchanged(
            compiled,
            f"it would not be faster: about {cycles.cycles:,} cycles, {compiled.cycles:,} without",
        )
    return _rewritten(compiled, program, planned, cycles)


def in_all(each: Sequence[Resident], compiled: CompiledParts) -> Resident:
    """What the binaries of a network in parts keep; the arena that they share holds the copies.

    Args:
        each: of each binary.
        compiled: the network, of these binaries.
    """
    residents = [resident for resident in each if not resident.reason]
    if not residents:
        return replace(each[0], tflite=b"", sram_kib=compiled.sram_kib, cycles=compiled.cycles)
    cycles = [resident.cycles for resident in each if resident.cycles is not None]
    return Resident(
        tflite=b"",
        reason="",
        kept=tuple(part for resident in residents for part in resident.kept),
        kept_kib=max(resident.kept_kib for resident in residents),
        sram_kib=compiled.sram_kib,
        dma_bytes=sum(resident.dma_bytes for resident in residents),
        saved_bytes=sum(resident.saved_bytes for resident in residents),
        cycles=sum(cycles) if len(cycles) == len(each) else None,
        cycles_how=_how(each),
    )


def _how(each: Sequence[Resident]) -> str:
    """Where the estimate for all binaries comes from, or why there is none."""
    missing = [resident.cycles_how for resident in each if resident.cycles is None]
    return next(
        iter(missing),
        "estimate: Vela's cycles of all binaries, operators that read copies at their cost in "
        "Sram_Only, plus the cycles to copy",
    )


def repeating_kib(compiled: Compiled) -> float:
    """SRAM that `keep_resident` would take for all that repeats, in KiB.

    0 where nothing repeats, or where it cannot be used: on an Ethos-U85, with operators on the
    CPU, with the weights in SRAM already.
    """
    target = compiled.target
    if target.family == "ethos-u85" or compiled.cpu_operators or in_sram(target):
        return 0.0
    tables = repeated(decode(npu.load(compiled.tflite).stream))
    return total(spans(tables, 0)) / 1024


def _program(compiled: Compiled) -> Program:
    """What the NPU runs, where it is one that the simulator can check."""
    target = compiled.target
    if target.family == "ethos-u85":
        raise UnspoolError(
            f"resident weights: the simulator cannot check the streams of {target.accelerator}; "
            "expected an Ethos-U55 or Ethos-U65"
        )
    return npu.load(compiled.tflite)


def _rewritten(compiled: Compiled, program: Program, planned: Plan, cycles: Estimate) -> Resident:
    copies, region = planned.copies, planned.region
    size = copies[-1].target + copies[-1].size
    stream = rewrite(program.stream, copies, region)
    tflite = repack(compiled.tflite, program.stream_position, stream, region, size)
    check_bytes(program, npu.load(tflite))
    weights = [ResidentPart(*part, table.uses) for table in planned.tables for part in table.ranges]
    read = sum(table.size * table.uses for table in planned.tables)
    return Resident(
        tflite=tflite,
        reason="",
        kept=tuple(sorted(weights, key=lambda entry: entry.offset)),
        kept_kib=total(copies) / 1024,
        sram_kib=replace(compiled, tflite=tflite).sram_kib,
        dma_bytes=total(copies) * compiled.calls,
        saved_bytes=(read - total(copies)) * compiled.calls,
        cycles=cycles.cycles,
        cycles_how=cycles.how,
    )


def _unchanged(compiled: Compiled, reason: str) -> Resident:
    how = f"Vela {compiled.vela_version}, nothing was changed"
    return Resident(compiled.tflite, reason, (), 0.0, compiled.sram_kib, 0, 0, compiled.cycles, how)


def _bytes(sram_kib: float) -> float:
    number = isinstance(sram_kib, int | float) and not isinstance(sram_kib, bool)
    if not number or not sram_kib > 0:
        raise UnspoolError(
            f"an SRAM budget of {sram_kib!r} for resident weights: expected a positive number, KiB"
        )
    return sram_kib * 1024


def _estimate(
    compiled: Compiled,
    quantized: bytes | None,
    operations: Sequence[Operation],
    copies: Sequence[Span],
) -> Estimate:
    if quantized is None:
        return Estimate(None, "not estimated: the quantized file was not given")
    target = compiled.target
    try:
        in_sram = targets.target(
            target.accelerator, target.system_config, "Sram_Only", target.config
        )
        reference = vela.compile(quantized, in_sram)
    except UnspoolError as error:
        return Estimate(None, f"not estimated: {error}")
    return estimate(compiled, reference, operations, copies)
