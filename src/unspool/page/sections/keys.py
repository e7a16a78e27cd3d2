"""The figures to see first."""

from unspool.page.sections.parts import Key
from unspool.report.numbers import number
from unspool.report.report import Report
from unspool.report.verdict import loss, points

_KEYS = ("milliseconds", "cycles", "flash", "sram", "dram")


def keys(report: Report) -> tuple[Key, ...]:
    """The figures to see first, those of the report, none made anew."""
    figures = {figure.id: figure for figure in report.figures}
    found = []
    for name in ("accuracy_tflm", "accuracy_npu", "accuracy_litert"):
        if name in figures:
            lost = loss(report)
            beside = "" if lost is None else points(lost[0])
            found.append((figures[name], beside))
            break
    found += [(figures[name], "") for name in _KEYS if name in figures]
    result = []
    for figure, beside in found:
        if figure.unit == "KiB" and not figure.value:
            continue
        if figure.id == "milliseconds" and "resident_cycles" in figures:
            beside = "before weights are resident"
        if figure.id == "cycles" and "resident_cycles" in figures:
            beside = f"{number(figures['resident_cycles'], figures['resident_cycles'].value)} "
            beside += "with resident weights"
        if figure.id == "sram" and "resident_sram" in figures:
            beside = f"{number(figures['resident_sram'], figures['resident_sram'].value)} KiB "
            beside += "with resident weights"
        if figure.guide is not None:
            guide = f"Arm's guide: {number(figure, figure.guide)}"
            beside = f"{beside}; {guide}" if beside else guide
        value = number(figure, figure.value)
        result.append(Key(figure.label, value, figure.unit, figure.origin, beside))
    return tuple(result)
