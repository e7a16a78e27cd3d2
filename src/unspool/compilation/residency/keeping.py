"""Resident weights: what repeats in a compiled network is read from flash once per inference."""

import math
from dataclasses import dataclass

import numpy as np

from unspool import npu
from unspool.compilation import targets, vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.residency.cycles import Estimate, estimate
from unspool.compilation.residency.packing import repack
from unspool.compilation.residency.rewrite import rewrite
from unspool.compilation.residency.tables import Span, WeightTable, align, choose, repeated, spans
from unspool.errors import UnspoolError
from unspool.npu.container import Program
from unspool.npu.decoder import Operation, decode
from unspool.npu.machine import sample_shape

_CHECK_SAMPLES = 2
_SCRATCH, _FAST = 1, 2  # memory regions


@dataclass(frozen=True)
class Kept:
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
        dma_bytes: that the copies read from flash, once per inference.
        saved_bytes: that an inference reads from flash less than before.
        cycles: of one inference, an estimate; None where there is none.
        cycles_how: where that estimate comes from, or why there is none.
    """

    tflite: bytes
    reason: str
    kept: tuple[Kept, ...]
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
    target = compiled.target
    if target.family == "ethos-u85":
        raise UnspoolError(
            f"resident weights: the simulator cannot check the streams of {target.accelerator}; "
            "expected an Ethos-U55 or Ethos-U65"
        )
    program = npu.load(compiled.tflite)
    flash, sram = target.memory("const"), target.memory("cache")
    if flash.port == sram.port:
        return _unchanged(compiled, f"{target.memory_mode} has the weights in SRAM already")
    operations = decode(program.stream)
    tables = repeated(operations)
    if not tables:
        return _unchanged(compiled, _nothing_repeats(operations, flash.name))
    region, used = _place(program, target)
    smallest = min(tables, key=lambda table: _total(spans([table], 0)))
    least = _total(spans([smallest], 0))
    if budget < least:
        raise UnspoolError(
            f"an SRAM budget of {sram_kib:g} KiB for resident weights: the smallest table that "
            f"repeats takes {least / 1024:g} KiB"
        )
    start = align(used)
    if sram.limit is not None:
        budget = min(sram.limit - start, budget)
    chosen = choose(tables, budget)
    if not chosen:
        return _unchanged(
            compiled, f"{target.memory_mode} leaves no SRAM for a table of {least / 1024:g} KiB"
        )
    copies = spans(chosen, start)
    cycles = _estimate(compiled, quantized, operations, copies)
    if cycles.cycles is not None and cycles.cycles >= compiled.cycles:
        return _unchanged(
            compiled,
            f"it would not be faster: about {cycles.cycles:,} cycles, {compiled.cycles:,} without",
        )
    return _rewritten(compiled, program, chosen, copies, region, cycles)


def repeating_kib(compiled: Compiled) -> float:
    """SRAM that `keep_resident` would take for all that repeats, in KiB.

    0 where nothing repeats, or where it cannot be used: on an Ethos-U85, with operators on the
    CPU, with the weights in SRAM already.
    """
    if compiled.target.family == "ethos-u85" or compiled.cpu_operators:
        return 0.0
    if compiled.target.memory("const").port == compiled.target.memory("cache").port:
        return 0.0
    tables = repeated(decode(npu.load(compiled.tflite).stream))
    return _total(spans(tables, 0)) / 1024


def _rewritten(
    compiled: Compiled,
    program: Program,
    chosen: tuple[WeightTable, ...],
    copies: tuple[Span, ...],
    region: int,
    cycles: Estimate,
) -> Resident:
    old = program.scratch_size if region == _SCRATCH else program.fast_size or 0
    size = copies[-1].target + copies[-1].size
    stream = rewrite(program.stream, copies, region)
    tflite = repack(compiled.tflite, program.stream_position, stream, region, size)
    _check(program, npu.load(tflite))
    read = sum(table.size * table.uses for table in chosen)
    return Resident(
        tflite=tflite,
        reason="",
        kept=tuple(
            sorted(
                (Kept(*part, table.uses) for table in chosen for part in table.ranges),
                key=lambda kept: kept.offset,
            )
        ),
        kept_kib=_total(copies) / 1024,
        sram_kib=compiled.sram_kib + (size - old) / 1024,
        dma_bytes=_total(copies),
        saved_bytes=read - _total(copies),
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


def _total(copies: tuple[Span, ...]) -> int:
    return sum(span.size for span in copies)


def _place(program: Program, target: targets.Target) -> tuple[int, int]:
    """The memory region for the copies, and the bytes of it that are in use."""
    if target.memory("arena").port == target.memory("cache").port:
        return _SCRATCH, program.scratch_size
    if program.fast_size is None:
        raise UnspoolError(
            f"{target}: the file has no tensor for the SRAM apart from the arena; "
            "was it compiled for another memory mode?"
        )
    return _FAST, program.fast_size


def _nothing_repeats(operations: tuple[Operation, ...], source: str) -> str:
    """The reason, told apart from streams in which Vela's own DMAs repeat."""
    sizes: dict[int, list[int]] = {}
    for operation in operations:
        registers = operation.registers
        if operation.kind == "DMA_START" and not registers["DMA0_DST_REGION"] & 0x100:
            size = registers.address("DMA0_LEN")
            sizes.setdefault(registers.address("DMA0_SRC"), []).append(size)
    again = [size for copies in sizes.values() if len(copies) > 1 for size in copies]
    if again:
        return (
            f"Vela copies the weights that repeat from {source} to SRAM itself, before each use "
            f"({len(again)} DMAs, {sum(again) / 1024:.1f} KiB an inference); these are left alone"
        )
    return f"no weights are read from {source} more than once"


def _estimate(
    compiled: Compiled,
    quantized: bytes | None,
    operations: tuple[Operation, ...],
    copies: tuple[Span, ...],
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


def _check(before: Program, after: Program) -> None:
    """Both programs must give the same bytes; UnspoolError where they do not or cannot run.

    The addresses in a stream do not depend on the input. So one run in the memory of Vela's size
    shows that none of its operations reaches the copies behind that memory.
    """
    rng = np.random.default_rng(0)
    inputs = []
    for tensor in before.inputs:
        limits = np.iinfo(tensor.dtype)
        shape = (_CHECK_SAMPLES, *sample_shape(tensor))
        inputs.append(rng.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True))
    expected, found = npu.run(before, inputs), npu.run(after, inputs)
    if not all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True)):
        raise UnspoolError(
            "the network with resident weights gives other bytes in the simulator: please report "
            "this model as a defect of Unspool"
        )
