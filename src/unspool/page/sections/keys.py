"""The figures to see first."""

from unspool.compilation.kinds import (
    ACCURACY,
    CYCLES,
    DRAM,
    FLASH,
    MILLISECONDS,
    RESIDENT_CYCLES,
    RESIDENT_SRAM,
    SRAM,
)
from unspool.page.sections.parts import Key
from unspool.report.losses import Loss, losses
from unspool.report.numbers import number
from unspool.report.report import Report

_KEYS = tuple(kind.id for kind in (MILLISECONDS, CYCLES, FLASH, SRAM, DRAM))

_RESIDENT = {CYCLES.id: RESIDENT_CYCLES.id, SRAM.id: RESIDENT_SRAM.id}


def keys(report: Report) -> tuple[Key, ...]:
    """The figures to see first, those of the report, none made anew."""
    figures = {figure.id: figure for figure in report.figures}
    pairs = [
        (figures[ACCURACY.of(lost.quantized.runtime, lost.quantized.output)], _beside(lost))
        for lost in losses(report)
    ]
    pairs += [(figures[name], "") for name in _KEYS if name in figures]
    result = []
    for figure, beside in pairs:
        if figure.unit == "KiB" and not figure.value:
            continue
        if figure.id == MILLISECONDS.id and RESIDENT_CYCLES.id in figures:
            beside = "before weights are resident"
        resident = figures.get(_RESIDENT.get(figure.id, ""))
        if resident:
            unit = " KiB" if resident.unit == "KiB" else ""
            beside = f"{number(resident, resident.value)}{unit} with resident weights"
        if figure.guide is not None:
            guide = f"Arm's guide: {number(figure, figure.guide)}"
            beside = f"{beside}; {guide}" if beside else guide
        value = number(figure, figure.value)
        result.append(Key(figure.label, value, figure.unit, figure.origin, beside))
    return tuple(result)


def _beside(lost: Loss) -> str:
    """An accuracy beside the trained model's, and of which output it is where there are several."""
    output = lost.quantized.output
    return f"output {output!r}: {lost}" if output else str(lost)
