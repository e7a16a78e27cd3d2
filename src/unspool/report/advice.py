"""Advice: what to do next, from the figures of a report."""

import math
import shlex
from dataclasses import dataclass

from unspool.compilation import targets, vela_config
from unspool.compilation.kinds import (
    ACCURACY,
    CPU_OPERATORS,
    CYCLES,
    CYCLES_WAITING,
    OUTPUT_ERROR,
    RESIDENT_KEPT,
    RESIDENT_SRAM,
    SRAM,
    WEIGHTS,
)
from unspool.compilation.residency.keeping import repeating_kib
from unspool.compilation.targets import Target
from unspool.compilation.waiting import Wait
from unspool.errors import UnspoolError
from unspool.remedies.trying import Remedy
from unspool.report.report import Advice, Report
from unspool.runtime.quality import Quality

LEAST_GAIN = 0.1
"""Share of the cycles, or of an error, that advice must save to be given."""

LOSS_POINTS = 0.5
"""Points of accuracy that quantization may lose without a word."""

_DATA = "--data X.npy --labels Y.npy"
_SWEPT = ("max_ms", "max_sram_kib", "max_flash_kib", "no_cpu")  # what a sweep can be held to
_MANY = 3  # operators on the CPU that are named


@dataclass(frozen=True)
class Request:
    """What the commands of the advice are about.

    Attributes:
        quantized: path of the quantized .tflite file.
        out: folder of the report; commands write beside what is there.
        model: path of the trained model; empty where only the .tflite is known.
        again: the command that made the report, to be run again with other options.
        activations: "int8" or "int16"; empty where it is not known.
        streamable: the model can be fed a stream, with its states in and out, and is not.
    """

    quantized: str
    out: str
    model: str = ""
    again: str = ""
    activations: str = ""
    streamable: bool = False


def advise(report: Report, request: Request) -> tuple[Advice, ...]:
    """Say what to do next; nothing where the figures ask for nothing.

    First what a budget or an error asks for, then what saves most; what saves less than a tenth is
    not said.

    Args:
        report: with its budget and its breaches.
        request: files and commands by their names.
    """
    urgent = (
        *_errors(report, request),
        *_operators_on_cpu(report, request),
        *_over_budget(report, request),
    )
    savings = (
        *_weights(report, request),
        *_accuracy(report, request),
        *_stream(report, request),
    )
    worth = [advice for advice in savings if advice.gain >= LEAST_GAIN]
    return (*urgent, *sorted(worth, key=lambda advice: -advice.gain))


def _errors(report: Report, request: Request) -> list[Advice]:
    """What was tried against too large an error, and helps, the best first."""
    quality = report.measured.quality if report.measured else None
    if quality is None:
        return []
    found = []
    for remedy in report.remedies:
        if remedy.quality is None:
            continue
        before, after, unit = _compared(quality, remedy.quality)
        gain = 1 - after / before if before else 0.0
        if gain < LEAST_GAIN:
            continue
        text = (
            f"{remedy.name[:1].upper()}{remedy.name[1:]}: {unit} {after:.2g} % instead of "
            f"{before:.2g} % (tried, TFLM on the calibration samples){_cost(report, remedy)}:"
        )
        command = _remedy_command(remedy, request)
        found.append(Advice(text, command, (OUTPUT_ERROR.id,), gain))
    return sorted(found, key=lambda advice: -advice.gain)


def _compared(before: Quality, after: Quality) -> tuple[float, float, str]:
    """The error that is worth a word, before and after, and what it is."""
    if before.poor or not before.unlike:
        was, now = before.worst, after.worst
        return (was.mean if was else 0.0), (now.mean if now else 0.0), "a mean error of"
    rates = [100 - min(entry.percent for entry in q.agreements) for q in (before, after)]
    return rates[0], rates[1], "other answers in"


def _cost(report: Report, remedy: Remedy) -> str:
    if remedy.cycles is None or remedy.sram_kib is None:
        return ""
    compiled = report.compiled
    return (
        f", {remedy.cycles:,} cycles instead of {compiled.cycles:,} and {remedy.sram_kib:.1f} KiB "
        f"of SRAM instead of {compiled.sram_kib:.1f}"
    )


def _remedy_command(remedy: Remedy, request: Request) -> str:
    option, value = remedy.choice
    if option == "quantization_aware":
        return f"unspool compress {_model(request)} {_DATA} --quantization-aware"
    if not request.again:
        return ""
    return f"{request.again} --{option.replace('_', '-')} {value}".rstrip()


def _operators_on_cpu(report: Report, request: Request) -> list[Advice]:
    found = report.compiled.cpu_operators
    if not found:
        return []
    named = ", ".join(f"{op.kind} {op.name.rstrip(';')}" for op in found[:_MANY])
    more = f" and {len(found) - _MANY} more" if len(found) > _MANY else ""
    count = "1 operator runs" if len(found) == 1 else f"{len(found)} operators run"
    text = (
        f"{count} on the CPU: {named}{more}. Vela's reason for the first: "
        f"{found[0].reason or '(none given)'}. Change the layers that they come from; all "
        "operators and reasons:"
    )
    command = f"unspool inspect {_quoted(request.quantized)} {_target(report.compiled.target)}"
    return [Advice(text, command, (CPU_OPERATORS.id,))]


def _over_budget(report: Report, request: Request) -> list[Advice]:
    broken = {breach.limit: breach for breach in report.breaches}
    costs = [broken[name] for name in _SWEPT if name in broken and name != "no_cpu"]
    if not costs or report.budget is None:
        return []
    over = ", ".join(breach.label for breach in costs)
    text = f"Over the budget: {over}. Which targets and memory modes keep it:"
    limits = report.budget.limits.items()
    kept = [_flag(name, limit) for name, limit in limits if name in _SWEPT]
    out = _quoted(f"{request.out}/sweep")
    command = f"unspool sweep {_quoted(request.quantized)} {' '.join(kept)} --out {out}"
    because = tuple(key for breach in costs for key in breach.figures)
    return [*_keep_less(report, request), Advice(text, command, because)]


def _keep_less(report: Report, request: Request) -> list[Advice]:
    """Where resident weights break the budget for SRAM, but fewer of them would not."""
    resident, budget = report.made_resident, report.budget
    if resident is None or budget is None or budget.max_sram_kib is None:
        return []
    room = math.floor(budget.max_sram_kib - (resident.sram_kib - resident.kept_kib))
    if resident.sram_kib <= budget.max_sram_kib:
        return []
    if 1024 * room < min(kept.bytes for kept in resident.kept):
        return []
    text = f"Of the weights that repeat, keep {room} KiB at most in SRAM:"
    again = f"unspool compile {_quoted(request.quantized)} --resident-weights {room}"
    out = _quoted(f"{request.out}/resident-{room}")
    command = f"{again} {_target(report.compiled.target)} --out {out}"
    return [Advice(text, command, (RESIDENT_SRAM.id, RESIDENT_KEPT.id))]


def _weights(report: Report, request: Request) -> list[Advice]:
    """Where the NPU waits for weights: keep them in SRAM, or make them smaller."""
    waits, cycles = report.wait, report.compiled.cycles
    if waits is None or report.made_resident or not cycles:
        return []
    gain = waits.cycles / cycles
    says = (
        f"{100 * gain:.0f} % of the cycles are spent waiting for {waits.memory}: without that, "
        f"about {cycles - waits.cycles:,} cycles instead of {cycles:,}."
    )
    because = (CYCLES.id, CYCLES_WAITING.id, SRAM.id, WEIGHTS.id)
    command, need, what = _in_sram(report, request)
    compress = "compress further" if report.compression else "compress"
    if not command:
        return [_compress(waits, request, f"{says} {compress.capitalize()}", gain)]
    granted, by = _granted(report)
    text = f"{says} {what} takes {need:,.1f} KiB of SRAM in all"
    if granted is None:
        text += ", if the device has that much (not known: no budget says it):"
        otherwise = _compress(waits, request, f"Or, if it has not, {compress}", gain)
        return [Advice(text, command, because, gain), otherwise]
    if need <= granted:
        return [Advice(f"{text}, which fits {by}:", command, because, gain)]
    return [_compress(waits, request, f"{text}, more than {by}. {compress.capitalize()}", gain)]


def _in_sram(report: Report, request: Request) -> tuple[str, float, str]:
    """The command that has weights in SRAM, the KiB that this takes, and what it is."""
    compiled = report.compiled
    target = compiled.target
    compile_again = f"unspool compile {_quoted(request.quantized)}"
    tried = report.resident is not None
    repeating = 0.0 if tried else repeating_kib(compiled)
    if repeating:
        command = f"{compile_again} --resident-weights {_target(target)}"
        out = _quoted(f"{request.out}/resident")
        what = f"Copying those that repeat ({repeating:,.1f} KiB) once per inference"
        return f"{command} --out {out}", compiled.sram_kib + repeating, what
    try:
        there = targets.target(target.accelerator, target.system_config, "Sram_Only", target.config)
    except UnspoolError:  # a configuration file without that mode
        return "", 0.0, ""
    size = compiled.constants_kib or compiled.weights_kib
    out = _quoted(f"{request.out}/sram-only")
    what = f"Having all weights there ({size:,.1f} KiB)"
    return f"{compile_again} {_target(there)} --out {out}", compiled.sram_kib + size, what


def _granted(report: Report) -> tuple[float | None, str]:
    """KiB of SRAM that the network may take, and who says so; None where nobody does."""
    if report.budget is not None and report.budget.max_sram_kib is not None:
        limit = report.budget.max_sram_kib
        return limit, f"the budget's {limit:g} KiB"
    target = report.compiled.target
    if target.sram_limit is None:
        return None, ""
    limit = target.sram_limit / 1024
    return limit, f"the {limit:g} KiB of {target.memory_mode} (its arena_cache_size)"


def _compress(waits: Wait, request: Request, says: str, gain: float) -> Advice:
    text = f"{says} the weights, so that fewer bytes are read from {waits.memory}:"
    command = f"unspool compress {_model(request)} {_DATA} --max-accuracy-drop 0.2"
    return Advice(text, command, (CYCLES_WAITING.id, WEIGHTS.id), gain)


def _accuracy(report: Report, request: Request) -> list[Advice]:
    values, because = report.values, (ACCURACY.of("keras"), ACCURACY.of("tflm"))
    if not set(because) <= set(values) or report.remedies:
        return []
    lost = values[because[0]] - values[because[1]]
    if lost <= LOSS_POINTS:
        return []
    text = f"Quantization loses {lost:.2f} points of accuracy. Fine-tune the model for it:"
    command = f"unspool compress {_model(request)} {_DATA} --quantization-aware"
    found = [Advice(text, command, because)]
    if request.activations == "int8" and request.again:
        text = "Or use int16 activations, for twice the SRAM:"
        found.append(Advice(text, f"{request.again} --activations int16", because))
    return found


def _stream(report: Report, request: Request) -> list[Advice]:
    shapes = [entry["shape"] for entry in report.model.get("inputs", ())]
    steps = max((shape[1] for shape in shapes if len(shape) > 2), default=1)
    if not request.streamable or not request.again or steps < 2:
        return []
    text = (
        f"If you run this on sliding windows of a stream: with states in and out a call computes "
        f"1 step, not {steps}:"
    )
    command = f"{request.again} --states --time-steps 1"
    return [Advice(text, command, (CYCLES.id,), 1 - 1 / steps)]


def _flag(name: str, limit: float) -> str:
    flag = f"--{name.replace('_', '-')}"
    return flag if name == "no_cpu" else f"{flag} {limit:g}"


def _model(request: Request) -> str:
    return _quoted(request.model) if request.model else "MODEL.keras"


def _target(target: Target) -> str:
    given = (
        *("--target", target.accelerator, "--system-config", target.system_config),
        *("--memory-mode", target.memory_mode),
    )
    config = (
        () if target.config == vela_config.arm_config() else ("--vela-config", str(target.config))
    )
    return shlex.join([*given, *config])


def _quoted(path: str) -> str:
    return shlex.quote(path)
