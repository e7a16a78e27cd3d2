"""The first lines of the HTML report: what is good, what is not, and the figures that matter."""

from collections.abc import Iterator

from unspool.errors import UnspoolError
from unspool.memories import memory
from unspool.report.numbers import kib, number
from unspool.report.page.parts import Check, Key
from unspool.report.report import Report

LARGEST_LOSS = 1.0
"""Points of accuracy that the quantized model may lose before the page marks it."""

_KEYS = ("milliseconds", "cycles", "flash", "sram", "dram")


def checks(report: Report) -> tuple[Check, ...]:
    """The verdict, part by part: placement, accuracy, the binary, memory."""
    parts = (_placement, _accuracy, _binary, _drift, _fits)
    return tuple(check for part in parts for check in part(report))


def loss(report: Report) -> tuple[float, str] | None:
    """Points of accuracy lost on the way to the device, and in which runtime; None if unknown.

    The runtime is TFLM, which firmware runs, or the one that is there.
    """
    found = {accuracy.runtime: accuracy for accuracy in report.accuracies}
    for runtime, name in (("tflm", "TFLM"), ("npu", "the simulator"), ("litert", "LiteRT")):
        if "keras" in found and runtime in found:
            return found["keras"].percent - found[runtime].percent, name
    return None


def keys(report: Report) -> tuple[Key, ...]:
    """The figures to see first, those of the report, none made anew."""
    figures = {figure.id: figure for figure in report.figures}
    found = []
    for name in ("accuracy_tflm", "accuracy_npu", "accuracy_litert"):
        if name in figures:
            lost = loss(report)
            beside = "" if lost is None else _points(lost[0])
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


def _placement(report: Report) -> Iterator[Check]:
    compiled = report.compiled
    on_cpu = len(compiled.cpu_operators)
    every = compiled.npu_operators + on_cpu
    if not on_cpu:
        yield Check("good", f"All {every} operators run on the NPU.")
    else:
        stay = "stays" if on_cpu == 1 else "stay"
        yield Check("bad", f"{on_cpu} of {every} operators {stay} on the CPU.")


def _accuracy(report: Report) -> Iterator[Check]:
    lost = loss(report)
    if lost is None:
        if not report.accuracies:
            yield Check("open", "Accuracy is not measured: there were no test samples.")
        return
    points, runtime = lost
    trained = next(a.percent for a in report.accuracies if a.runtime == "keras")
    yield Check(
        "good" if points <= LARGEST_LOSS else "bad",
        f"Accuracy {trained - points:.2f} % in {runtime}, {_points(points)} "
        f"({report.accuracies[0].samples:,} samples).",
    )


def _points(lost: float) -> str:
    if abs(lost) < 0.005:
        return "as the trained model"
    side = "below" if lost > 0 else "above"
    return f"{abs(lost):.2f} points {side} the trained model"


def _binary(report: Report) -> Iterator[Check]:
    simulation = report.simulation
    if simulation is None:
        yield Check("open", "The binary was compiled, not run.")
    elif not simulation.samples:
        yield Check("open", f"The binary was not simulated: {simulation.reason}.")
    elif simulation.equal == simulation.samples:
        yield Check(
            "good",
            f"The binary, simulated, gives TFLM's bytes on all {simulation.samples:,} samples.",
        )
    else:
        differ = simulation.samples - simulation.equal
        yield Check(
            "bad",
            f"The binary, simulated, differs from TFLM on {differ:,} of {simulation.samples:,} "
            f"samples, first at {simulation.first_difference}.",
        )


def _drift(report: Report) -> Iterator[Check]:
    if report.drift is None:
        return
    growing = [curve.name for curve in report.drift.curves if curve.grows]
    if growing:
        yield Check("bad", f"The error of {', '.join(growing)} grows over the stream.")
    else:
        yield Check("good", "No state's error grows over the stream.")


def _fits(report: Report) -> Iterator[Check]:
    compiled = report.compiled
    resident = report.made_resident
    sram = resident.sram_kib if resident else compiled.sram_kib
    parts = {"SRAM": sram, "DRAM": compiled.dram_kib, "flash": compiled.flash_kib}
    needs = [f"{kib(size)} KiB of {name}" for name, size in parts.items() if size]
    try:
        limit = memory(compiled.target, "cache").limit
    except UnspoolError:  # a configuration that does not say
        limit = None
    text = f"Needs {', '.join(needs)}"
    if limit is None:
        yield Check("open", f"{text}; {compiled.target.memory_mode} sets no limit.")
    else:
        fits = sram * 1024 <= limit
        grants = f"{compiled.target.memory_mode} grants {limit / 1024:,.0f} KiB of SRAM"
        yield Check("good" if fits else "bad", f"{text}; {grants}.")
