"""The figures of a binary, or of several: operators, cycles, memory."""

from collections.abc import Iterator

from unspool.compilation import kinds
from unspool.compilation.compiled import Compiled
from unspool.compilation.in_parts import CompiledParts
from unspool.compilation.residency.keeping import Resident
from unspool.compilation.waiting import Wait
from unspool.report.figure import Figure, figure
from unspool.tflite import names
from unspool.tflite.signature import Signature


def of_binary(compiled: Compiled, waits: Wait | None) -> Iterator[Figure]:
    """The figures of one binary; `waits` for weights."""
    yield from _placed(compiled)
    yield from _called(compiled)
    yield from _costs(compiled, waits)


def of_parts(compiled: CompiledParts, waits: Wait | None) -> Iterator[Figure]:
    """The figures of several binaries that run one after the other; `waits` for weights."""
    yield from _placed(compiled)
    loops = sum(part.steps_per_call is not None for part in compiled.parts)
    how = f"run one after the other, {loops} of them in a loop"
    yield figure(kinds.PARTS, len(compiled.parts), "measured", how)
    yield figure(kinds.CALLS, compiled.calls, "measured", "of all binaries")
    how = "sequences and values, in SRAM beside the arena"
    yield figure(kinds.HANDED_ON, compiled.handed_on_kib, "measured", how)
    yield from _costs(compiled, waits)


def _placed(compiled: Compiled) -> Iterator[Figure]:
    vela = f"Vela {compiled.vela_version}"
    yield figure(kinds.NPU_OPERATORS, compiled.npu_operators, "measured", vela)
    yield figure(kinds.CPU_OPERATORS, len(compiled.cpu_operators), "measured", vela)


def _called(compiled: Compiled) -> Iterator[Figure]:
    """How a binary is called, and what goes from call to call."""
    signature = Signature(compiled.tflite)
    if compiled.calls > 1:
        steps = signature.time_steps
        how = f"of {steps} time step{'s' * (steps != 1)} each"
        yield figure(kinds.CALLS, compiled.calls, "measured", how)
    yield from _stream(signature)
    yield from _moving(compiled, signature)


def _costs(compiled: Compiled, waits: Wait | None) -> Iterator[Figure]:
    on = str(compiled.target)
    yield figure(kinds.CYCLES, compiled.cycles, "estimated", on)
    yield figure(kinds.MILLISECONDS, compiled.milliseconds, "estimated", f"{on}{_calls(compiled)}")
    yield figure(kinds.SRAM, compiled.sram_kib, "estimated", _reserved(compiled))
    yield figure(kinds.SRAM_TENSORS, compiled.tensors_sram_kib, "estimated", f"of it, {on}")
    yield figure(kinds.DRAM, compiled.dram_kib, "estimated", on)
    yield figure(kinds.FLASH, compiled.flash_kib, "measured", _flashed(compiled))
    how = "of it, what the NPU is told to do"
    yield figure(kinds.COMMAND_STREAM, compiled.command_stream_kib, "measured", how)
    yield figure(kinds.CONSTANTS, compiled.constants_kib, "estimated", on)
    yield figure(kinds.WEIGHTS, compiled.weights_kib, "estimated", on)
    if compiled.sram_with_weights_kib > compiled.sram_kib:
        yield figure(kinds.SRAM_WITH_WEIGHTS, compiled.sram_with_weights_kib, "estimated", on)
    if waits is not None:
        memory = f" {waits.memory}"
        yield figure(kinds.CYCLES_WAITING, waits.cycles, "estimated", on, what=memory)


def _reserved(compiled: Compiled) -> str:
    """What takes SRAM."""
    handed_on = compiled.handed_on_kib if isinstance(compiled, CompiledParts) else 0.0
    holds_arena = compiled.sram_kib - handed_on > compiled.tensors_sram_kib
    what = "the arena that TFLM needs" if holds_arena else str(compiled.target)
    return f"{what}, and what is handed on" if handed_on else what


def _flashed(compiled: Compiled) -> str:
    in_parts = isinstance(compiled, CompiledParts)
    return "all of the compiled files" if in_parts else "the compiled file, all of it"


def _moving(compiled: Compiled, signature: Signature) -> Iterator[Figure]:
    """What the NPU does for windows that reach into calls before, as for no whole sequence."""
    moving = [
        op
        for op in compiled.operators
        if any(names.moves_rows(op.name, pair.name) for pair in signature.pairs)
    ]
    if moving:
        cycles = sum(op.cycles for op in moving)
        how = f"{len(moving)} operations, {compiled.target}"
        yield figure(kinds.MOVING_CYCLES, cycles, "estimated", how)


def _stream(signature: Signature) -> Iterator[Figure]:
    """What goes from call to call, and of a stream whose windows are not full at once, when."""
    if signature.pairs:
        how = f"in {len(signature.pairs)} states, copied by the CPU after each call"
        yield figure(kinds.STATE_BYTES, signature.state_bytes, "measured", how)
    if signature.of_sequence and (signature.warm_up or signature.is_late):
        steps = signature.time_steps
        how = f"of {steps} time step{'s' * (steps != 1)} each, after a reset"
        yield figure(kinds.WARM_UP, signature.warm_up, "measured", how)
        how = "than a network for the whole sequence would give them"
        yield figure(kinds.LATE, signature.of_sequence.late, "measured", how)


def _calls(compiled: Compiled) -> str:
    """What the calls take of an inference's time, at the end of a sentence; or nothing."""
    if compiled.calls == 1:
        return ""
    each = f"{compiled.target.call_microseconds:g}"
    return f"; {compiled.call_milliseconds:.3g} ms of it calls, assumed at {each} microseconds each"


def of_resident(compiled: Compiled, resident: Resident | None) -> Iterator[Figure]:
    """The figures of weights that are kept in SRAM; none where none are."""
    if resident is None or resident.reason:
        return
    yield figure(kinds.RESIDENT_KEPT, resident.kept_kib, "measured", "weights resident")
    yield figure(kinds.RESIDENT_SRAM, resident.sram_kib, "estimated", "weights resident")
    if resident.cycles is not None:
        cycles, how = resident.cycles, resident.cycles_how
        ms = compiled.milliseconds_of(cycles)
        yield figure(kinds.RESIDENT_CYCLES, cycles, "estimated", how)
        yield figure(kinds.RESIDENT_MILLISECONDS, ms, "estimated", how)
