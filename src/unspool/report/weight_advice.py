"""Advice where the NPU waits for weights: keep them in SRAM, or make them smaller."""

from shlex import quote

from unspool.compilation import targets
from unspool.compilation.kinds import CYCLES, CYCLES_WAITING, SRAM, WEIGHTS
from unspool.compilation.residency.keeping import repeating_kib
from unspool.compilation.waiting import Wait
from unspool.errors import UnspoolError
from unspool.report import commands
from unspool.report.commands import Request
from unspool.report.report import Advice, Report

_UNKNOWN = "if the device has that much (not known: no budget says it)"


def on_weights(report: Report, request: Request) -> list[Advice]:
    """Keep the weights in SRAM, or make them smaller; empty where the NPU waits for none."""
    waits, cycles = report.wait, report.compiled.cycles
    if waits is None or report.made_resident or not cycles:
        return []
    gain = waits.cycles / cycles
    says = _waiting(waits, cycles)
    because = (CYCLES.id, CYCLES_WAITING.id, SRAM.id, WEIGHTS.id)
    command, need, what = _in_sram(report, request)
    compress = "compress the weights further" if report.compression else "compress the weights"
    if not command:
        return [_compress(waits, request, f"{says} {compress.capitalize()}", gain)]
    granted, by = _granted(report)
    text = f"{says} {what} takes {need:,.1f} KiB of SRAM in all"
    if granted is None:
        text += f", {_UNKNOWN}:"
        otherwise = _compress(waits, request, f"Or, if it has not, {compress}", gain)
        return [Advice(text, command, because, gain), otherwise]
    if need <= granted:
        return [Advice(f"{text}, which fits {by}:", command, because, gain)]
    return [_compress(waits, request, f"{text}, more than {by}. {compress.capitalize()}", gain)]


def _waiting(waits: Wait, cycles: int) -> str:
    return (
        f"{100 * waits.cycles / cycles:.0f} % of the cycles are spent waiting for {waits.memory}: "
        f"without that, about {cycles - waits.cycles:,} cycles instead of {cycles:,}."
    )


def on_weights_in_parts(report: Report, request: Request) -> list[Advice]:
    """Keep what repeats in SRAM, where it fits; empty where the NPU waits for no weights."""
    waits, compiled = report.wait, report.compiled
    if waits is None or report.resident is not None or not request.again:
        return []
    repeating = max(repeating_kib(part.compiled) for part in report.parts)
    need = compiled.sram_kib + repeating  # the parts' copies lie in the arena that all share
    granted, by = _granted(report)
    if not repeating or (granted is not None and need > granted):
        return []
    gain = waits.cycles / compiled.cycles
    copying = (
        f"Copying those that repeat ({repeating:,.1f} KiB) once per call takes {need:,.1f} KiB"
    )
    text = f"{_waiting(waits, compiled.cycles)} {copying} of SRAM in all"
    fits = f"which fits {by}" if by else _UNKNOWN
    because = (CYCLES.id, CYCLES_WAITING.id, SRAM.id, WEIGHTS.id)
    return [Advice(f"{text}, {fits}:", f"{request.again} --resident-weights", because, gain)]


def _in_sram(report: Report, request: Request) -> tuple[str, float, str]:
    """The command that puts weights into SRAM, the KiB of SRAM in all, and what takes them."""
    compiled = report.compiled
    target = compiled.target
    compile_again = f"unspool compile {quote(request.quantized)}"
    tried = report.resident is not None
    repeating = 0.0 if tried else repeating_kib(compiled)
    if repeating:
        command = f"{compile_again} --resident-weights {commands.target_options(target)}"
        out = quote(f"{request.out}/resident")
        often = "inference" if compiled.calls == 1 else "call"
        what = f"Copying those that repeat ({repeating:,.1f} KiB) once per {often}"
        return f"{command} --out {out}", compiled.sram_kib + repeating, what
    try:
        there = targets.target(target.accelerator, target.system_config, "Sram_Only", target.config)
    except UnspoolError:  # a configuration file without that mode
        return "", 0.0, ""
    size = compiled.flash_kib
    out = quote(f"{request.out}/sram-only")
    what = f"Having the whole network there ({size:,.1f} KiB)"
    command = f"{compile_again} {commands.target_options(there)}"
    return f"{command} --out {out}", compiled.sram_kib + size, what


def _granted(report: Report) -> tuple[float | None, str]:
    """KiB of SRAM that the network may take, and what sets this limit; None without a limit."""
    if report.budget is not None and report.budget.max_sram_kib is not None:
        limit = report.budget.max_sram_kib
        return limit, f"the budget's {limit:g} KiB"
    target = report.compiled.target
    if target.sram_limit is None:
        return None, ""
    limit = target.sram_limit / 1024
    return limit, f"the {limit:g} KiB of {target.memory_mode} (its arena_cache_size)"


def _compress(waits: Wait, request: Request, says: str, gain: float) -> Advice:
    text = f"{says}, so that fewer bytes are read from {waits.memory}:"
    command = commands.compress(request, request.training.search)
    return Advice(text, command, (CYCLES_WAITING.id, WEIGHTS.id), gain)
