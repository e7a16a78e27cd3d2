"""Figures as people read them."""

from unspool.compilation.call_costs import CallCost
from unspool.compilation.in_parts import CompiledPart
from unspool.report.figure import Figure
from unspool.runtime.quality import ColumnError
from unspool.runtime.scores import Accuracy, Regression

COLUMNS = ("From", "To", "Mean error, %", "Largest, %", "SNR, dB", "Values")
"""Headings of what `column_numbers` gives."""


def column_numbers(column: ColumnError) -> tuple[str, ...]:
    """The error of an output's column as people read it."""
    return (
        f"{column.minimum:.4g}",
        f"{column.maximum:.4g}",
        f"{column.mean:.2f}",
        f"{column.largest:.1f}",
        "" if column.snr is None else f"{column.snr:.1f}",
        f"{column.values:,}",
    )


CALL_COLUMNS = ("Steps per call", "Calls", "Flash, KiB", "Commands", "SRAM, KiB", "Cycles", "ms")
"""Headings of what `call_numbers` gives."""


def call_numbers(cost: CallCost) -> tuple[str, ...]:
    """What an inference costs by its calls, as people read it."""
    return (
        f"{cost.steps_per_call:,}",
        f"{cost.calls:,}",
        kib(cost.flash_kib),
        kib(cost.command_stream_kib),
        kib(cost.sram_kib),
        f"{cost.cycles:,}",
        kib(cost.milliseconds),
    )


PART_COLUMNS = ("Part", "Takes", "Steps", *CALL_COLUMNS[1:])
"""Headings of what `part_numbers` gives."""


def part_numbers(place: int, part: CompiledPart) -> tuple[str, ...]:
    """What a part of a network takes and costs, as people read it.

    Args:
        place: of the part among the others, from 1 on.
        part: the part.
    """
    compiled, steps = part.compiled, part.steps_per_call
    return (
        str(place),
        ", ".join(takes(part)),
        "all" if steps is None else f"{steps:,}",
        f"{compiled.calls:,}",
        kib(compiled.flash_kib),
        kib(compiled.command_stream_kib),
        kib(compiled.sram_kib),
        f"{compiled.cycles:,}",
        kib(compiled.milliseconds),
    )


def takes(part: CompiledPart) -> list[str]:
    """What a part of a network takes, as people read it."""
    ways: dict[str, list[str]] = {}
    for port in part.inputs:
        ways.setdefault(port.value, []).append(" backwards" if port.backwards else "")
    return [f"{value}{' both ways' if len(each) > 1 else each[0]}" for value, each in ways.items()]


def number(figure: Figure, value: float | None) -> str:
    """A figure's value as people read it; empty where there is none."""
    if value is None:
        return ""
    if figure.unit == "%":
        return f"{value:.2f}"
    if isinstance(value, int) or figure.unit == "cycles":
        return f"{value:,.0f}"
    if figure.unit in ("KiB", "ms"):
        return kib(value)
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


def counted(score: Accuracy | Regression, what: str = "") -> str:
    """How many answers or samples a score is of, and how many padded time steps it leaves out.

    Args:
        score: of samples, or of each time step or column of them.
        what: the samples are, such as "test".
    """
    samples, padded = f"{what} samples".lstrip(), score.padded
    padding_note = f", {padded:,} padded time step{'s' * (padded != 1)} left out" if padded else ""
    each = score.each if isinstance(score, Accuracy) else "sample"
    of = samples if each == "sample" else f"{each}s of the {samples}"
    return f"{score.samples:,} {of}{padding_note}"


def kib(value: float) -> str:
    """KiB or milliseconds: one digit behind the point, two where the value is small."""
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def two_digits(value: float) -> str:
    """A number to two digits that count, written out: 0.083, 2.6, 100."""
    return f"{float(f'{value:.2g}'):g}"
