"""Differences of reports: signs, percent, units, what only one has; and what is no report."""

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from rich.console import Console

from unspool.errors import UnspoolError
from unspool.report.comparison import Difference, compare, to_dictionary
from unspool.report.document import load, read
from unspool.report.terminal.comparison import as_comparison_table

Write: TypeAlias = Callable[[str, dict[str, Any] | str], Path]
"""Name of a folder, and the text or the content of its report.json -> the folder."""

Between: TypeAlias = Callable[[dict[str, Any]], Difference]
"""From `BEFORE` to another report."""


def figure(
    label: str, value: float, unit: str, origin: str = "estimated", how: str = "ethos-u55-128"
) -> dict[str, Any]:
    return {"label": label, "value": value, "unit": unit, "origin": origin, "how": how}


BEFORE: dict[str, Any] = {
    "schema_version": 4,
    "created": "2026-01-01T00:00:00+00:00",
    "model": {"name": "m"},
    "target": {
        "accelerator": "ethos-u55-128",
        "system_config": "Ethos_U55_High_End_Embedded",
        "memory_mode": "Shared_Sram",
    },
    "figures": {
        "cycles": figure("Cycles of an inference", 4_000, "cycles"),
        "sram": figure("SRAM", 23.0, "KiB"),
        "flash": figure("Flash", 0.0, "KiB"),
        "accuracy_tflm": figure("Accuracy", 98.5, "%", "measured", "10,000 test samples"),
        "cpu_operators": figure("Operators on the CPU", 1, "", "measured", "Vela 5.2.0"),
        "npu_equal": figure("Samples equal to TFLM", 30, "", "simulated", "of 30 samples"),
    },
    "placement": {"npu_operators": 9, "cpu_operators": [{"kind": "GatherV2", "name": "e"}]},
    "versions": {"python": "3.11.2", "keras": "3.12.0"},
}


def changed(**parts: Any) -> dict[str, Any]:
    after = copy.deepcopy(BEFORE)
    for path, value in parts.items():
        *keys, last = path.split("__")
        place = after
        for key in keys:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return after


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(name: str, content: dict[str, Any] | str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(
            content if isinstance(content, str) else json.dumps(content)
        )
        return folder

    return write


@pytest.fixture
def between(written: Write) -> Between:
    def difference(after: dict[str, Any]) -> Difference:
        return compare(read(written("a", BEFORE)), read(written("b", after)))

    return difference


def text(difference: Difference) -> str:
    stream = io.StringIO()
    Console(file=stream, width=160).print(as_comparison_table(difference))
    return stream.getvalue()


def rows(difference: Difference) -> dict[str, list[str]]:
    return {line.split("  ")[0].strip(): line.split() for line in text(difference).splitlines()}


def test_a_report_and_itself_differ_in_nothing(between: Between) -> None:
    difference = between(BEFORE)
    assert difference.changes == () and difference.facts == {} and difference.unchanged == 6
    assert "6 figures are unchanged." in text(difference)


# what changes -> the change, in percent, and how the row ends
CHANGES = {
    "fewer cycles": ("figures__cycles__value", 3_000, -1_000, -25.0, "-1,000 -25.0 cycles better"),
    "more SRAM": ("figures__sram__value", 46.0, 23.0, 100.0, "+23.0 +100.0 KiB worse"),
    "from 0": ("figures__flash__value", 12.5, 12.5, None, "+12.5 KiB worse"),
    "points": ("figures__accuracy_tflm__value", 97.25, -1.25, None, "-1.25 points % worse"),
    "a count": ("figures__cpu_operators__value", 3, 2, 200.0, "+2 +200.0 worse"),
    "very little": ("figures__sram__value", 23.001, 0.001, 0.1 / 23, "+0.001 +0.0 KiB worse"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_has_its_sign_and_percent(case: str, between: Between) -> None:
    path, value, by, percent, ends = CHANGES[case]
    difference = between(changed(**{path: value}))
    (change,) = difference.changes
    assert change.by == pytest.approx(by)
    assert change.percent == (None if percent is None else pytest.approx(percent))
    assert difference.unchanged == 5
    (line,) = (line for line in text(difference).splitlines() if change.after.label in line)
    assert " ".join(line.split()).endswith(ends)


def test_figures_of_one_report_alone_are_said(between: Between) -> None:
    after = changed(
        figures__sram=None, figures__resident_sram=figure("SRAM with them", 99.5, "KiB")
    )
    shown = text(between(after))
    assert "Only before: SRAM: 23.0 KiB" in shown
    assert "Only after: SRAM with them: 99.5 KiB" in shown


def test_what_is_not_alike_is_said(between: Between) -> None:
    """100 samples are not 10,000; cycles of another unit are no difference."""
    after = changed(
        figures__accuracy_tflm__how="100 test samples", figures__cycles__unit="kilocycles"
    )
    difference = between(after)
    shown = text(difference)
    assert "10,000 test samples -> 100 test samples" in shown
    assert "unit cycles -> kilocycles" in shown
    assert to_dictionary(difference)["figures"]["cycles"]["by"] is None


def test_target_versions_and_placement_are_compared(between: Between) -> None:
    after = changed(
        target__memory_mode="Sram_Only",
        versions__keras=None,
        versions__vela="5.2.0",
        placement__cpu_operators=[{"kind": "Cast", "name": "c"}],
    )
    difference = between(after)
    assert difference.facts == {
        "memory_mode": ("Shared_Sram", "Sram_Only"),
        "keras": ("3.12.0", ""),
        "vela": ("", "5.2.0"),
    }
    shown = text(difference)
    assert "No longer on the CPU: GatherV2 e" in shown and "Now on the CPU: Cast c" in shown
    assert json.loads(json.dumps(to_dictionary(difference)))["cpu_operators_new"] == [["Cast", "c"]]


NOT_REPORTS = {
    "not JSON": ("{", "not JSON"),
    "not UTF-8": (b"\xff\xfe\x00", "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "a list": ("[]", "no schema_version"),
    "a sweep": ('{"schema_version": 4, "targets": []}', "no target"),
    "a target without its mode": (changed(target__memory_mode=None), "no target of accelerator, "),
    "a target that is a number": (changed(target__accelerator=1), "no target of accelerator, "),
    "later": (changed(schema_version=5), "schema_version 5, expected 4"),
    "no figures": (changed(figures=None), "no 'figures'"),
    "figures as a list": (changed(figures=[]), "not a report"),
    "no value": (changed(figures__sram__value=None), "no 'value'"),
    "a word": (changed(figures__sram__value="much"), "figure sram is 'much', expected a finite"),
    "NaN": (changed(figures__sram__value=float("nan")), "float values are not JSON"),
    "infinite": (changed(figures__sram__value=float("inf")), "float values are not JSON"),
    "true": (changed(figures__sram__value=True), "figure sram is True"),
    "no placement": (changed(placement=None), "no 'placement'"),
}


@pytest.mark.parametrize("case", NOT_REPORTS)
def test_what_is_no_report_is_refused_by_name(case: str, tmp_path: Path) -> None:
    content, message = NOT_REPORTS[case]
    path = tmp_path / "x.json"
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    path.write_bytes(content)
    with pytest.raises(UnspoolError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: not a report of unspool (")
    assert message in str(error.value)


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UnspoolError, match=r"\.json: No such file"):
            load(path)
