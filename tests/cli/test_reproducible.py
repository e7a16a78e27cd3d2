"""The same inputs give the same bytes, whatever process makes them."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from commands import COMMAND, unspool

TIMES = ("created", "seconds", "files", "advice")
"""Of a report: when it was made, and what names the folder or holds the page."""


def written(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("more", [(), ("--states", "--time-steps", "2")], ids=["whole", "stream"])
def test_a_process_writes_the_same_twice(
    more: tuple[str, ...], files: Path, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        assert unspool(*command(files, tmp_path / name, more)).returncode == 0
    check(tmp_path / "one", tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--states", "--time-steps", "2")], ids=["whole", "stream"])
def test_two_processes_write_the_same(more: tuple[str, ...], files: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        given = map(str, (*COMMAND, *command(files, tmp_path / seed, more)))
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([*given], env=environment, check=True, capture_output=True)
    check(tmp_path / "1", tmp_path / "2")


def command(files: Path, folder: Path, more: tuple[str, ...]) -> tuple[object, ...]:
    data = ("--calibration", files / "good.npy", "--remedy-seconds", "0")
    return ("deploy", files / "model.keras", *data, *more, "--out", folder)


def check(one: Path, other: Path) -> None:
    first, second = written(one), written(other)
    assert first.keys() == second.keys()
    pages = {"report.json", "report.html"}
    assert [n for n in first.keys() - pages if first[n] != second[n]] == []
    reports = [json.loads(each["report.json"]) for each in (first, second)]
    for report in reports:
        for key in TIMES:
            report.pop(key)
    assert reports[0] == reports[1]
