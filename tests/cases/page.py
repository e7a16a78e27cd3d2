"""docs/supported.md, from the cases and their exceptions."""

from pathlib import Path

from cases import CASES, Case
from cases.exceptions import Differs, Fault, OnCpu, exception

PAGE = Path(__file__).parents[2] / "docs" / "supported.md"

_HEAD = """\
# What is supported

Generated from `tests/cases`, which the test suite runs entry by entry, with 24 samples to calibrate
and 8 more. Each is deployed at the steps that its row names, in int8 and in int16, and `yes` says:

- the deploy model equals Keras to 1e-5,
- every operator runs on the NPU, on ethos-u55-128, ethos-u65-256 and ethos-u85-256,
- no operator of the quantized model is float; its error against Keras, as a share of what an
  output column ranges over, stays within the bounds of the last two columns, int8 and int16,
- the binary, simulated, gives TFLM's bytes on every sample (u55-128, u65-256).

What a letter stands for is below; a test asserts these too. Each layer and each function that Keras
exports, in a network of nothing else: [Keras's layers and functions, one by one](keras.md)."""


def page() -> str:
    """The whole page."""
    letters: dict[str, str] = {}
    parts = [_HEAD]
    for group in dict.fromkeys(case.group for case in CASES):
        rows = [_row(case, letters) for case in CASES if case.group == group]
        parts.append("\n".join([f"## {group}", "", *_TITLES, *rows]))
    notes = [f"- {letter}: {reason}" for reason, letter in letters.items()]
    parts.append("\n".join(["## What is not equal, or not on the NPU", "", *notes]))
    return "\n\n".join(parts) + "\n"


_TITLES = (
    "| case | steps | int8 | int16 | mean error | largest |",
    "| --- | --- | --- | --- | --- | --- |",
)


_WORDS = {Differs: "differs", OnCpu: "CPU", Fault: "fault"}


def _row(case: Case, letters: dict[str, str]) -> str:
    cells = [
        case.name,
        ", ".join(map(str, case.lengths)),
        _verdict(case, "int8", letters),
        _verdict(case, "int16", letters),
        _bound(case, "int8", 0, ".1%") + ", " + _bound(case, "int16", 0, ".1%"),
        _bound(case, "int8", 1, ".0%") + ", " + _bound(case, "int16", 1, ".0%"),
    ]
    return f"| {' | '.join(cells)} |"


def _bound(case: Case, activations: str, which: int, form: str) -> str:
    """Of the mean or the largest error; nothing where the case is not measured."""
    known = [exception(case, steps, activations) for steps in case.lengths]
    if any(isinstance(each, Fault) for each in known):
        return "-"
    return format(case.bounds(activations)[which], form)


def _verdict(case: Case, activations: str, letters: dict[str, str]) -> str:
    """`yes`, or a letter of the reason; one for each length where they differ."""
    verdicts = []
    for steps in case.lengths:
        exceptional = exception(case, steps, activations)
        if exceptional is None:
            verdicts.append("yes")
            continue
        letter = letters.setdefault(exceptional.reason, _letter(len(letters)))
        verdicts.append(f"{_WORDS[type(exceptional)]} ({letter})")
    return verdicts[0] if len(set(verdicts)) == 1 else ", ".join(verdicts)


def _letter(number: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[number]
