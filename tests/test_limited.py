"""Where `ulimit -v` is set: a command ends as ever, and where a library ends it, that is told."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from commands import COMMAND

MUCH = 64 * 2**20
"""KiB: more than anything here takes."""
LIMITED = ("sh", "-c", f'ulimit -v {MUCH}; exec "$@"', "sh")


def run_main(command: str, *, by: signal.Signals | None = None) -> tuple[int, str]:
    """The status and the stderr of what `main` makes of a command, to which a signal may come."""
    program = f"""
        import os, signal, sys, time
        from unspool import cli
        from unspool.__main__ import main
        cli.run = lambda arguments: {command}
        main()
    """
    running = subprocess.Popen(
        [*LIMITED, sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if by:
        assert running.stdout and running.stdout.readline() == "begun\n"
        running.send_signal(by)
    _, stderr = running.communicate(timeout=300)
    return running.returncode, stderr


@pytest.mark.parametrize("status", [0, 1, 2, 70])
def test_a_command_ends_as_it_does_without_a_limit(status: int) -> None:
    assert run_main(str(status)) == (status, "")


@pytest.mark.parametrize(
    ("end", "how"),
    [("os.abort()", "died of SIGABRT"), ("os._exit(1)", "ended with status 1")],
    ids=["TensorFlow's", "OpenBLAS's"],
)
def test_a_library_that_ends_it_is_no_broken_budget(end: str, how: str) -> None:
    status, stderr = run_main(end)
    assert status == 70
    assert stderr == (
        f"unspool: error: memory ran out (a library {how} in the 64.0 GiB that ulimit -v allows); "
        "allow more, or give less data\n"
    )


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_command_takes_them_ends_it(by: signal.Signals) -> None:
    ended = run_main("print('begun', flush=True) or time.sleep(300) or 0", by=by)
    assert ended == (128 + by, "unspool: interrupted\n")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_library_that_a_signal_makes_crash_is_interrupted(by: signal.Signals) -> None:
    crash = f"signal.signal({by.value}, lambda *_: os.abort())"
    ended = run_main(
        f"[{crash}, print('begun', flush=True), *map(time.sleep, [0.01] * 30_000)] and 0", by=by
    )
    assert ended == (128 + by, "unspool: interrupted\n")


def test_a_library_that_never_gives_python_its_turn_ends_with_a_kill(tmp_path: Path) -> None:
    """C's `pause`, called with the lock on Python held: no thread of ours runs."""
    library = "import ctypes; print('begun', flush=True); ctypes.PyDLL(None).pause()"
    (tmp_path / "forever.py").write_text(library)
    program = (
        "from unspool.limited import exit_status; exit_status(lambda: __import__('forever') and 0)"
    )
    running = subprocess.Popen(
        [*LIMITED, sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout and running.stdout.readline() == "begun\n"
    running.kill()
    left, _ = running.communicate(timeout=300)  # while the other lives, it has stdout
    assert left == ""


@pytest.mark.one_in(2)
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_work_leaves_nothing(by: signal.Signals, files: Path, tmp_path: Path) -> None:
    """To all processes of a terminal, as its Ctrl-C, or to the command alone."""
    (tmp_path / "temporary").mkdir()
    deploy = ("deploy", files / "model.keras", "--calibration", files / "good.npy", "--out", "out")
    running = subprocess.Popen(
        [*LIMITED, *COMMAND, *map(str, deploy)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr and running.stderr.readline().startswith("inspect: ")
    send = os.killpg if by == signal.SIGINT else os.kill
    send(running.pid, by)
    _, stderr = running.communicate(timeout=300)
    assert (running.returncode, stderr.splitlines()[-1]) == (128 + by, "unspool: interrupted")
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "out").exists()
