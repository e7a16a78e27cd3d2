"""However a command ends, it is one line and a status that says why."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
from command_files import Deployed
from commands import COMMAND, unspool

from unspool.cli import run
from unspool.report import document


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nobody() -> Iterator[int]:
    """The end of a pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


ERRORS = {
    MemoryError("Unable to allocate 9 GiB"): "memory ran out (Unable to allocate 9 GiB); free",
    OSError(5, "Input/output error"): "a file or stream cannot be read or written: [Errno 5]",
    RuntimeError("one\ntwo"): "a defect of Unspool, RuntimeError: one two; please report it, with",
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_nobody_foresaw_is_one_line_and_status_70(
    error: Exception, in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> None:
        raise error

    monkeypatch.setattr(document, "read", read)
    ended = unspool("check", "out", "--no-cpu")
    assert ended.returncode == 70
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"unspool: error: {ERRORS[error]}")
    kept = [path.read_text() for path in in_a_folder.iterdir()]
    assert ["two" in text for text in kept] == [True] * isinstance(error, RuntimeError)


def test_a_process_that_is_killed_for_its_memory_is_no_defect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the kernel, as the largest one: a candidate of a search, a simulation."""

    def read(path: Path) -> None:
        joblib.Parallel(2)(joblib.delayed(signal.raise_signal)(signal.SIGKILL) for _ in range(2))

    monkeypatch.setattr(document, "read", read)
    ended = unspool("check", "out", "--no-cpu")
    assert ended.returncode == 70
    (line,) = ended.stderr.splitlines()
    assert line.startswith("unspool: error: memory ran out (a process that worked for the command")


def test_libraries_that_do_not_fit_into_the_memory_are_one_line(
    files: Path, tmp_path: Path
) -> None:
    """Each says so in its own way: no segment can be mapped, an error without an exception."""
    limited = ["sh", "-c", 'ulimit -v 614400; exec "$@"', "sh", *COMMAND]
    ended = subprocess.run(
        [*limited, "inspect", str(files / "model.keras")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 70
    (line,) = ended.stderr.splitlines()
    assert "memory ran out (libraries cannot be loaded into the 0.6 GiB that ulimit -v" in line
    assert not list(tmp_path.iterdir())


def test_a_traceback_replaces_no_file_that_a_link_leads_to(
    in_a_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_a_folder / "mine").write_text("mine")
    (in_a_folder / "unspool-traceback.txt").symlink_to("mine")
    monkeypatch.setattr(document, "read", None)
    assert unspool("check", "out", "--no-cpu").returncode == 70
    assert (in_a_folder / "mine").read_text() == "mine"
    assert "not callable" in (in_a_folder / "unspool-traceback.txt").read_text()


@pytest.mark.parametrize("command", ["--version", "check REPORT --no-cpu", "diff REPORT REPORT"])
def test_a_full_disk_behind_stdout(
    command: str,
    over_budget: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run(command.replace("REPORT", str(over_budget[0])).split()) == 70
    assert "stream cannot be read or written: [Errno 28]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["--version", "check REPORT --no-cpu", "diff REPORT REPORT"])
def test_a_reader_that_is_gone(
    command: str,
    nobody: int,
    over_budget: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As shells have it of SIGPIPE; not 1, which is a broken budget."""
    with os.fdopen(os.dup(nobody), "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert run(command.replace("REPORT", str(over_budget[0])).split()) == 141
    assert capsys.readouterr().err == ""


def test_a_name_that_no_file_can_have() -> None:
    name = "x" * 300
    for command in (f"check {name} --no-cpu", f"diff {name} a", f"drift {name} --data a"):
        ended = unspool(*command.split())
        assert ended.returncode == 2
        assert ended.stderr.endswith(": File name too long\n")


@pytest.mark.slow  # two processes import LiteRT
def test_processes_that_simulate_end_with_what_started_them(files: Path, tmp_path: Path) -> None:
    """A kill -9 leaves no one to end them."""
    marked = {**os.environ, "UNSPOOL_TEST_MARK": str(tmp_path)}
    np.save(tmp_path / "many.npy", np.zeros((4_000, 6, 5), np.float32))
    deploy = ("deploy", files / "model.keras", "--calibration", tmp_path / "many.npy")
    command = [*COMMAND, *map(str, deploy), "--remedy-seconds", "0", "--out", str(tmp_path / "out")]
    run = subprocess.Popen(
        command, env=marked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not any("LokyProcess" in line for line in _of_mark(str(tmp_path))):
        assert run.poll() is None, "it ended before it was killed"
        time.sleep(0.02)
    run.kill()
    run.wait()
    while _of_mark(str(tmp_path)):  # the test's own time limit ends it
        time.sleep(0.1)


def _of_mark(mark: str) -> list[str]:
    """Command lines of the processes that run in an environment with the mark."""
    command_lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"UNSPOOL_TEST_MARK={mark}".encode() in (process / "environ").read_bytes():
                command_lines.append((process / "cmdline").read_text())
        except OSError:  # it is another user's, or gone
            continue
    return command_lines
