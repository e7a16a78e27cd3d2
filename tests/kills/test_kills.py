"""What counts as a fault after a kill; thousands of real ones by hand: `make kills`."""

import json
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from kills import given, results, verdict
from kills.killing import Ended, Moment, killed, prepare

INTERRUPTED = "deploy: 1.0 s\nunspool: interrupted\n"
TRACEBACK = "Traceback (most recent call last):\nKeyboardInterrupt\n"


@pytest.fixture(autouse=True)
def small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of before and of now, without a network."""
    monkeypatch.setattr(given, "folder", lambda: tmp_path / "given")
    for network in (given.OLDER, given.NETWORK):
        _write(given.results(network, "deploy") / "out", network)
        _write(given.results(network, "compress") / "out", network)
        swept = given.results(network, "sweep") / "out"
        swept.mkdir(parents=True)
        (swept / "sweep.json").write_text(f'{network} "2026-11-30T12:30:45+00:00"')


def _write(out: Path, text: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "model_vela.tflite").write_text(text)
    hashed = sha256(text.encode()).hexdigest()
    (out / "report.json").write_text(json.dumps({"files": {"model_vela.tflite": hashed}}))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def _ended(status: int, stderr: str = INTERRUPTED, began: bool = True) -> Ended:
    return Ended(status, stderr, began, killed=True, took=0.1, outlived=0.1, left=())


def _moment(command: str = "deploy", over: bool = True) -> Moment:
    return Moment(command, signal.SIGTERM, 1.0, over)


ENDS: dict[str, tuple[Ended, bool]] = {
    "as it should": (_ended(143), True),
    "by the signal itself": (_ended(-15, ""), False),
    "with a traceback": (_ended(143, TRACEBACK + INTERRUPTED), False),
    "with another status": (_ended(70), False),
    "without a word": (_ended(143, ""), False),
    "before Unspool began": (_ended(-15, "", began=False), True),
}


@pytest.mark.parametrize("name", ENDS)
def test_how_a_command_ends(name: str, place: Path) -> None:
    ended, is_right = ENDS[name]
    prepare(place, _moment())
    assert (verdict.wrong(_moment(), ended, place) == []) == is_right


def test_processes_that_live_on_are_a_fault(place: Path) -> None:
    prepare(place, _moment())
    ended = Ended(143, INTERRUPTED, True, True, 0.1, 60.0, ("vela",))
    assert verdict.wrong(_moment(), ended, place) == ["processes never ended: ('vela',)"]


def _mixed(place: Path) -> None:
    (place / "out" / "model_vela.tflite").write_text("network")


def _trained(place: Path) -> None:
    for name in ("model_vela.tflite", "report.json"):
        (place / "out" / name).unlink()
    (place / "out" / "model.keras").write_text("trained")


LEFT: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "new": (lambda place: _write(place / "out", "network"), "deploy", ""),
    "mixed": (_mixed, "deploy", "results: mixed"),
    "of compress, the model": (_trained, "compress", ""),
    "of deploy, a model": (_trained, "deploy", "results: trained"),
    "staged": (
        lambda place: (place / "out" / ".unspool-1-x").mkdir(),
        "deploy",
        "in out: .unspool",
    ),
    "temporary": (lambda place: (place / "temporary" / "x").mkdir(), "deploy", "TMPDIR: x"),
    "beside": (lambda place: (place / "x").touch(), "deploy", "left beside the results: ['x']"),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_a_command_leaves(name: str, place: Path) -> None:
    leave, command, expected = LEFT[name]
    prepare(place, _moment(command))
    leave(place)
    faults = "; ".join(verdict.wrong(_moment(command), _ended(143), place))
    assert faults.startswith(expected) and bool(faults) == bool(expected)


def test_a_new_folder_is_gone_or_whole(place: Path) -> None:
    prepare(place, _moment(over=False))
    assert verdict.wrong(_moment(over=False), _ended(143), place) == []
    (place / "out").mkdir()
    assert verdict.wrong(_moment(over=False), _ended(143), place) == ["an empty folder"]
    assert verdict.wrong(_moment(over=False), _ended(0, ""), place)[0] == "results: nothing"


def test_what_is_written_at_another_time_is_the_same(place: Path) -> None:
    (place / "out").mkdir(parents=True)
    (place / "out" / "sweep.json").write_text('network "2027-01-01T00:00:00+00:00"')
    assert results.state("sweep", place / "out") == "whole"
    (place / "out" / "sweep.json").write_text('network, older "2027-01-01T00:00:00+00:00"')
    assert results.state("sweep", place / "out").startswith("mixed")


def test_a_command_is_waited_for_with_all_that_it_started(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended long before its moment; what it started has not."""
    started = "import subprocess, sys; subprocess.Popen(['sleep', '0.3']); sys.exit('told')"
    monkeypatch.setattr(given, "arguments", lambda command: [sys.executable, "-c", started])
    moment = Moment("deploy", signal.SIGKILL, 1e6, over=False)
    prepare(place, moment)
    ended = killed(moment, place)
    assert (ended.status, ended.stderr, ended.killed, ended.left) == (1, "told\n", False, ())


def test_a_command_is_killed_at_its_moment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "arguments", lambda command: ["sleep", "1000"])
    moment = Moment("deploy", signal.SIGKILL, 0.0, over=False)
    prepare(place, moment)
    assert (killed(moment, place).status, killed(moment, place).killed) == (-9, True)
