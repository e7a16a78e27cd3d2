"""Processes that end with the one that started them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from unspool.support import processes


def test_a_module_ends_when_what_started_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time\nwhile True:\n    time.sleep(0.01)\n")
    program = """
        import subprocess, sys, time
        from unspool.support import processes
        child = subprocess.Popen(processes.command("endless"), env=processes.environment())
        print(child.pid, flush=True)
        time.sleep(1000)
    """
    started = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=_finding(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout
    child = Path("/proc") / started.stdout.readline().strip()
    assert (child / "cmdline").exists()
    started.kill()
    started.communicate()
    while child.exists():  # the test's own time limit ends it
        time.sleep(0.05)


def test_a_module_runs_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text("import sys\nprint(__name__, sys.argv[1:])\nsys.exit(3)\n")
    run = subprocess.run(
        [*processes.command("shown"), "--a", "b"],
        env=_finding(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (3, "__main__ ['--a', 'b']\n"), run.stderr


def test_ctrl_c_does_not_reach_joblibs_processes() -> None:
    """Not from their first moment on: they have inherited that it is kept away."""
    program = """
        import signal, joblib
        from unspool.support.processes import without_interrupts
        masked = joblib.delayed(signal.pthread_sigmask)(signal.SIG_BLOCK, [])
        with without_interrupts():
            found = joblib.Parallel(2, "loky", "generator")([masked] * 4)
        print(all(signal.SIGINT in each for each in found))
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(run, capture_output=True, check=True).stdout == b"True\nset()\n"


def test_ctrl_c_that_waited_comes() -> None:
    with pytest.raises(KeyboardInterrupt), processes.without_interrupts():
        signal.raise_signal(signal.SIGINT)


def _finding(folder: Path) -> dict[str, str]:
    """An environment in which modules of a folder are found, and Unspool."""
    environment = processes.environment()
    return {**environment, "PYTHONPATH": os.pathsep.join([str(folder), environment["PYTHONPATH"]])}
