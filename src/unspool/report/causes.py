"""Why an output has a large error, as far as the ranges show, and what to change in the model."""

from dataclasses import dataclass

from unspool.report.report import Report
from unspool.runtime.quality import ColumnError
from unspool.tflite import ends, flatbuffer

_FAR = 4.0  # times a column's own range; a range this wide leaves it too few levels
_GROWS = 1.4  # times a state's range at half of the steps
_LEVELS = {"int8": 255, "int16": 65_534}


@dataclass(frozen=True)
class Cause:
    """Why, and what to do about it.

    Attributes:
        text: such as "its values lie from 95 to 105, far from 0".
        cure: such as "normalise the target"; empty where only the remedies help.
    """

    text: str
    cure: str = ""


def cause(report: Report, column: ColumnError) -> Cause:
    """Why a column of an output has a large error or few values."""
    return (
        _far_from_zero(report, column)
        or _beside_larger_ones(report, column)
        or _unlike_rows(report)
        or _growing_state(report)
        or _coarse_inputs(report)
        or Cause("the roundings of all steps add up in it")
    )


def _levels(report: Report) -> int:
    """Steps of an output's range."""
    inputs = report.quantized_tflite
    _, outputs = ends.inputs_and_outputs(flatbuffer.look(inputs))
    return _LEVELS[str(outputs[0].dtype)]


def _far_from_zero(report: Report, column: ColumnError) -> Cause | None:
    low, high = column.minimum, column.maximum
    width, reach = high - low, max(high, 0.0) - min(low, 0.0)
    if not width or reach < _FAR * width:
        return None
    levels = _levels(report) * width / reach
    return Cause(
        f"its values lie from {low:.4g} to {high:.4g}, far from 0, which every range holds: "
        f"{levels:.0f} levels are left for them",
        "train it on a normalised target, (value - mean) / deviation, and undo that in firmware",
    )


def _beside_larger_ones(report: Report, column: ColumnError) -> Cause | None:
    quality = report.measured.quality if report.measured else None
    beside = [c for c in quality.columns if c.output == column.output] if quality else []
    if not beside:
        return None
    low, high = min(0.0, *(c.minimum for c in beside)), max(0.0, *(c.maximum for c in beside))
    width = column.maximum - column.minimum
    if not width or high - low < _FAR * width:
        return None
    largest = max(beside, key=lambda c: max(abs(c.minimum), abs(c.maximum)))
    return Cause(
        f"column {largest.column} of the same output reaches from {largest.minimum:.4g} to "
        f"{largest.maximum:.4g}, and they share {_levels(report) + 1} levels: "
        f"{_levels(report) * width / (high - low):.0f} are left for this one",
        "train on normalised targets, or split the head: a Dense layer for each quantity",
    )


def _unlike_rows(report: Report) -> Cause | None:
    """Rows that a LayerNormalization makes alike, the smallest of which have no levels."""
    if report.calibration is None:
        return None
    observed = report.calibration.observed
    for op in flatbuffer.graph_operators(flatbuffer.look(report.quantized_tflite)):
        variance = observed.get(op.inputs[0]) if op.kind == "RSQRT" else None
        if variance and _levels(report) * variance.minimum < variance.maximum:
            low, high = (max(x, 0.0) ** 0.5 for x in (variance.minimum, variance.maximum))
            return Cause(
                f"what is normalised for {op.outputs[0]} deviates by {low:.3g} in one row and by "
                f"{high:.3g} in another: one scale leaves the smaller ones no levels",
                "bound what is normalised, by a tanh for instance",
            )
    return None


def _growing_state(report: Report) -> Cause | None:
    """A state whose range is wider at the last step than half way there."""
    if report.calibration is None:
        return None
    steps = report.steps
    widths: dict[str, dict[int, float]] = {}
    for name, range_ in report.calibration.observed.items():
        step = steps.find(name)
        if step and name.rpartition("/")[2] in ("h", "c"):
            widths.setdefault(steps.role(name).replace("/step/", "/"), {})[step[1]] = range_.width
    for state, by_step in widths.items():
        last = max(by_step)
        half = by_step.get(last // 2, 0.0)
        if last >= 8 and half and by_step[last] > _GROWS * half:
            return Cause(
                f"the state {state} grows over the steps, to a range of {by_step[last]:.3g} from "
                f"{half:.3g} half way: one level of it is as much as a late step adds"
            )
    return None


def _coarse_inputs(report: Report) -> Cause | None:
    coarse = [text for text in report.warnings if "levels" in text]
    if not coarse:
        return None
    return Cause(coarse[0].removeprefix("calibration data: ").partition(": ")[0])
