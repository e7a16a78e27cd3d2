"""Advice: what to do next, from the figures of a report."""

from shlex import quote

from unspool.compilation.kinds import (
    ACCURACY,
    COMMAND_STREAM,
    CPU_OPERATORS,
    CYCLES,
    FLASH,
    OUTPUT_ERROR,
)
from unspool.remedies.remedy import Remedy
from unspool.report import commands
from unspool.report.budget_advice import over_budget
from unspool.report.commands import Request
from unspool.report.losses import losses
from unspool.report.numbers import two_digits
from unspool.report.report import Advice, Report
from unspool.report.weight_advice import on_weights, on_weights_in_parts
from unspool.runtime.quality import Quality

LEAST_GAIN = 0.1
"""Share of the cycles, or of an error, that advice must save to be given."""

LOSS_POINTS = 0.5
"""Points of accuracy that quantization may lose before advice is given."""

MOST_COMMANDS = 0.5
MANY_KIB = 16
"""Share of the flash that the command stream may take, and KiB of it, before advice is given."""

_MANY = 3  # operators on the CPU that are named


def advise(report: Report, request: Request) -> tuple[Advice, ...]:
    """What to do next; empty where the figures call for nothing.

    First comes what a budget or an error calls for, then what saves most. Advice that saves less
    than a tenth is not given.

    No command takes a network in parts, but `deploy`: its advice is how to do that otherwise.

    Args:
        report: with its budget and its breaches.
        request: files and commands by their names.
    """
    if report.parts:
        weights = on_weights_in_parts(report, request)
        worth = [advice for advice in weights if advice.gain >= LEAST_GAIN]
        return (*_errors(report, request), *worth, *_accuracy(report, request))
    broken = {breach.limit for breach in report.breaches}
    calls = _calls(report, request)  # that make the flash smaller, which no other target does
    smaller = calls if "max_flash_kib" in broken else []
    urgent = (
        *_errors(report, request),
        *_operators_on_cpu(report, request),
        *smaller,
        *over_budget(report, request),
    )
    savings = (
        *on_weights(report, request),
        *_accuracy(report, request),
        *_stream(report, request),
        *([] if smaller else calls),
    )
    worth = [advice for advice in savings if advice.gain >= LEAST_GAIN]
    return (*urgent, *sorted(worth, key=lambda advice: -advice.gain))


def _errors(report: Report, request: Request) -> list[Advice]:
    """The remedies that were tried against too large an error and help, the best first."""
    quality = report.measured.quality if report.measured else None
    if quality is None:
        return []
    helpful = []
    for remedy in report.remedies:
        if remedy.quality is None:
            continue
        before, after, unit = _compared(quality, remedy.quality)
        gain = 1 - after / before if before else 0.0
        if gain < LEAST_GAIN:
            continue
        change = f"{unit} {two_digits(after)} % instead of {two_digits(before)} %"
        text = (
            f"{remedy.name[:1].upper()}{remedy.name[1:]}: {change} (tried, TFLM on the calibration "
            f"samples){_cost(report, remedy)}:"
        )
        command = commands.for_remedy(remedy, request)
        helpful.append(Advice(text, command, (OUTPUT_ERROR.id,), gain))
    return sorted(helpful, key=lambda advice: -advice.gain)


def _compared(before: Quality, after: Quality) -> tuple[float, float, str]:
    """The error that matters, before and after, and what it is."""
    if before.poor or not before.unlike:
        was, now = before.worst, after.worst
        return (was.mean if was else 0.0), (now.mean if now else 0.0), "a mean error of"
    rates = [100 - min(agreement.percent for agreement in q.agreements) for q in (before, after)]
    return rates[0], rates[1], "other answers in"


def _cost(report: Report, remedy: Remedy) -> str:
    if remedy.cycles is None or remedy.sram_kib is None:
        return ""
    compiled = report.compiled
    return (
        f", {remedy.cycles:,} cycles instead of {compiled.cycles:,} and {remedy.sram_kib:.1f} KiB "
        f"of SRAM instead of {compiled.sram_kib:.1f}{_on_cpu(remedy)}"
    )


def _on_cpu(remedy: Remedy) -> str:
    """What a remedy leaves on the CPU, at the end of a sentence; or nothing."""
    if not remedy.on_cpu:
        return ""
    kinds = ", ".join(sorted(set(remedy.on_cpu)))
    count = "1 operator" if len(remedy.on_cpu) == 1 else f"{len(remedy.on_cpu)} operators"
    return f", and {count} on the CPU ({kinds}), whose time these cycles leave out"


def _operators_on_cpu(report: Report, request: Request) -> list[Advice]:
    operators = report.compiled.cpu_operators
    if not operators:
        return []
    named = ", ".join(f"{op.kind} {op.name.rstrip(';')}" for op in operators[:_MANY])
    more = f" and {len(operators) - _MANY} more" if len(operators) > _MANY else ""
    count = "1 operator runs" if len(operators) == 1 else f"{len(operators)} operators run"
    text = (
        f"{count} on the CPU: {named}{more}. Vela's reason for the first: "
        f"{operators[0].reason or '(none given)'}. Change the layers that they come from; all "
        "operators and reasons:"
    )
    target = commands.target_options(report.compiled.target)
    command = f"unspool inspect {quote(request.quantized)} {target}"
    return [Advice(text, command, (CPU_OPERATORS.id,))]


def _accuracy(report: Report, request: Request) -> list[Advice]:
    """Fine-tune a network that loses accuracy, but for one in parts, or give it more bits."""
    lost = next(iter(losses(report)), None)
    if lost is None or report.remedies or lost.points <= LOSS_POINTS:
        return []
    because = tuple(ACCURACY.of(ran.runtime, ran.output) for ran in (lost.trained, lost.quantized))
    of = f" of output {lost.trained.output!r}" if lost.trained.output else ""
    fell, advice = f"Quantization loses {lost.points:.2f} points of accuracy{of}.", []
    if not report.parts:
        command = commands.compress(request, commands.AWARE)
        advice.append(Advice(f"{fell} Fine-tune the model for it:", command, because))
    if request.activations == "int8" and request.again:
        use = "Or use" if advice else f"{fell} Use"
        text = f"{use} int16 activations, for twice the SRAM:"
        advice.append(Advice(text, f"{request.again} --activations int16", because))
    return advice


def _calls(report: Report, request: Request) -> list[Advice]:
    """Call the network several times for a sequence, where its flash is mostly commands."""
    steps, commands_kib = request.time_steps, report.compiled.command_stream_kib
    share = commands_kib / report.compiled.flash_kib
    chunk = request.chunk or 1
    cut = steps > chunk and steps % chunk == 0
    if not request.again or not cut or share < MOST_COMMANDS or commands_kib < MANY_KIB:
        return []
    text = (
        f"{100 * share:.0f} % of the flash are commands for the NPU, for each of {steps} time "
        "steps. Called several times for a sequence, it holds those of one call:"
    )
    command = f"{request.again} --steps-per-call auto"
    return [Advice(text, command, (COMMAND_STREAM.id, FLASH.id), share)]


def _stream(report: Report, request: Request) -> list[Advice]:
    steps = request.time_steps
    if not request.again or request.chunk is None or steps <= request.chunk:
        return []
    computed = f"{request.chunk} step{'s' * (request.chunk > 1)}"
    text = (
        f"If you run this on sliding windows of a stream: with states in and out a call computes "
        f"{computed}, not {steps}:"
    )
    command = f"{request.again} --states --time-steps {request.chunk}"
    return [Advice(text, command, (CYCLES.id,), 1 - request.chunk / steps)]
