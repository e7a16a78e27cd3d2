"""The verdict: what is good, bad or unknown; what matters most comes first."""

from collections.abc import Iterator

from unspool.compilation.kinds import RMSE
from unspool.report.causes import cause
from unspool.report.losses import BEFORE, losses
from unspool.report.numbers import counted, kib, two_digits
from unspool.report.report import Check, Report
from unspool.runtime.measuring import PLACES
from unspool.runtime.quality import FEWEST_VALUES, MOST_ERROR, ColumnError, Quality
from unspool.tflite import flatbuffer
from unspool.tflite.marks import Cut
from unspool.tflite.outside import Outside
from unspool.tflite.signature import Signature
from unspool.tflite.variables import variables

LARGEST_LOSS = 1.0
"""Points of accuracy that the quantized model may lose before the verdict calls it bad."""

_NAMED = 3  # columns


def verdict(report: Report) -> tuple[Check, ...]:
    """Part by part: errors, placement, accuracy, the binary, memory."""
    parts = (
        *(_errors, _placement, _variables, _accuracy, _binary),
        *(_not_measured, _cut, _windows, _outside, _drift, _fits),
    )
    return tuple(check for part in parts for check in part(report))


def _errors(report: Report) -> Iterator[Check]:
    """Outputs of the quantized model beside those of the trained one."""
    quality = report.measured.quality if report.measured else None
    if quality is None:
        return
    for column in quality.poor[:_NAMED]:
        why = cause(report, column)
        yield Check("bad", f"{_column(quality, column)}: {why.text}.{_sentence(why.cure)}")
    if len(quality.poor) > _NAMED:
        yield Check("bad", f"{len(quality.poor) - _NAMED} more columns have such errors.")
    for agreement in quality.unlike:
        yield Check(
            "bad",
            f"Output {agreement.output!r} of the quantized model answers otherwise than the "
            f"trained model in {100 - agreement.percent:.1f} % of {agreement.answers:,} "
            "calibration answers.",
        )
    if not quality.is_poor:
        yield Check("good", _small_errors(quality))


def _column(quality: Quality, column: ColumnError) -> str:
    several = sum(c.output == column.output for c in quality.columns) > 1
    where = f"column {column.column} of output" if several else "output"
    if column.mean > MOST_ERROR:
        return (
            f"{where.capitalize()} {column.output!r} errs by {column.mean:.1f} % of its range on "
            "average"
        )
    return (
        f"{where.capitalize()} {column.output!r} takes {column.values} distinct values, fewer than "
        f"{FEWEST_VALUES}"
    )


def _sentence(cure: str) -> str:
    return f" {cure[:1].upper()}{cure[1:]}." if cure else ""


def _small_errors(quality: Quality) -> str:
    parts = []
    if quality.values:
        worst = max(column.mean for column in quality.values)
        parts.append(f"errs by at most {two_digits(worst)} % of a column's range on average")
    if quality.agreements:
        least = min(agreement.percent for agreement in quality.agreements)
        parts.append(f"answers as the trained model in {least:.1f} % of the calibration samples")
    return f"The quantized model {' and '.join(parts)}." if parts else "No output was compared."


def _placement(report: Report) -> Iterator[Check]:
    compiled = report.compiled
    on_cpu = len(compiled.cpu_operators)
    every = compiled.npu_operators + on_cpu
    if not on_cpu:
        yield Check("good", f"All {every} operators run on the NPU.")
    else:
        stay = "stays" if on_cpu == 1 else "stay"
        yield Check("bad", f"{on_cpu} of {every} operators {stay} on the CPU.")


def _variables(report: Report) -> Iterator[Check]:
    """States that a file of someone else's keeps: nothing resets them by itself."""
    tflite = report.quantized_tflite
    names = variables(flatbuffer.look(tflite)) if tflite else []
    if names:
        several = len(names) > 1
        yield Check(
            "open",
            f"{len(names)} variable{'s keep' if several else ' keeps'} a state from one "
            "inference to the next: call Reset() of TFLM's interpreter before a new sequence.",
        )


def _accuracy(report: Report) -> Iterator[Check]:
    measured = report.measured
    if measured is None or not (measured.accuracies or measured.regressions):
        yield Check("open", "Accuracy is not measured: there were no test samples.")
        return
    for lost in losses(report):
        accuracy = lost.quantized
        of = f" of output {accuracy.output!r}" if accuracy.output else ""
        yield Check(
            "good" if lost.in_all <= LARGEST_LOSS else "bad",
            f"Accuracy{of} {accuracy.percent:.2f} % in {PLACES[accuracy.runtime]}, {lost} "
            f"({counted(accuracy)}).",
        )
    trained = {r.output: r for r in measured.regressions if r.runtime == "keras"}
    for regression in measured.regressions:
        if regression.runtime == "tflm" and regression.output in trained:
            of = f" of output {regression.output!r}" if regression.output else ""
            rmse, model = trained[regression.output].rmse, "the trained model"
            if report.compression:
                key = RMSE.of("keras", regression.output)
                rmse, model = report.compression.before.get(key, rmse), BEFORE
            yield Check(
                "open",
                f"RMSE{of} {regression.rmse:.4g} in TFLM, {rmse:.4g} in {model} "
                f"({regression.samples:,} samples).",
            )


def _binary(report: Report) -> Iterator[Check]:
    simulation = report.measured.simulation if report.measured else None
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


def _cut(report: Report) -> Iterator[Check]:
    """What of the model's file the network is, where it is not all."""
    part = report.model.get("cut")
    if part:
        text = Cut(part["from"], part["to"], tuple(part["given"].items()))
        yield Check("open", f"The network is a part of the model's file: {text}.")


def _not_measured(report: Report) -> Iterator[Check]:
    for failure in report.measured.not_measured if report.measured else ():
        if "simulator" not in failure.what:  # which `_binary` reports
            yield Check("open", f"Not measured: {failure.what}: {failure.reason}.")


def _outside(report: Report) -> Iterator[Check]:
    for outside in report.measured.outside if report.measured else ():
        yield Check("bad", f"{outside_text(outside)}.")


def outside_text(outside: Outside, what: str = "samples") -> str:
    """Samples outside of the calibrated range, in words."""
    return (
        f"{outside.samples:,} of {outside.of:,} {what} reach outside of what input "
        f"{outside.input!r} was calibrated for, {outside.minimum:.4g} to {outside.maximum:.4g}, "
        f"and are cut there (the farthest value is {outside.farthest:.4g})"
    )


def _windows(report: Report) -> Iterator[Check]:
    """When a stream gives what."""
    if report.parts:  # which a sequence runs to its end
        return
    signature = Signature(report.compiled.tflite)
    late = signature.of_sequence.late if signature.of_sequence else 0
    if signature.warm_up:
        calls = f"{signature.warm_up:,} call{'s' * (signature.warm_up != 1)}"
        yield Check("open", f"The first {calls} after a reset give nothing: windows are not full.")
    if late:
        yield Check("open", f"Outputs come {late:,} time step{'s' * (late != 1)} late.")


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
    limit = compiled.target.sram_limit
    text = f"Needs {', '.join(needs)}"
    if limit is None:
        yield Check("open", f"{text}; {compiled.target.memory_mode} sets no limit.")
    else:
        fits = sram * 1024 <= limit
        grants = f"{compiled.target.memory_mode} grants {limit / 1024:,.0f} KiB of SRAM"
        yield Check("good" if fits else "bad", f"{text}; {grants}.")
