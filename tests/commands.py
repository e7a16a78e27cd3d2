"""The command `unspool`: in this process, or as a user runs it, which waits for TensorFlow."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from unspool.cli import run
from unspool.page.charts import canvas

NOISE = ("oneDNN", "absl", "WARNING", "Traceback", "UserWarning", "XNNPACK", "it/s", "\x1b")
"""What libraries write that is not for users."""

COMMAND = (sys.executable, "-m", "unspool")


def unspool(*arguments: object) -> "CompletedProcess[str]":
    """A command in this process: what it writes, from C++ too, and its exit status.

    The pictures of its pages are empty: to draw them takes as long as a small network's deployment,
    and tests/page draws every one.
    """
    given = _arguments(arguments)
    # Processes that joblib keeps for the next test would keep a folder that is gone by then.
    here_too = mock.patch("unspool.cli.own_folder", nullcontext)
    with mock.patch.object(canvas, "_painted", return_value=""), here_too:
        return here("unspool", lambda: run(given), *given)


def here(name: str, call: Callable[[], int | None], *arguments: object) -> "CompletedProcess[str]":
    """What a program does in this process that finds its arguments in `sys.argv`."""
    given = [name, *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(sys, "argv", given):
        paths = [Path(folder, name) for name in ("stdout", "stderr")]
        with _written(*paths):
            status = call()
        return CompletedProcess(given, status or 0, *(path.read_text() for path in paths))


def process(*arguments: object, **environment: str) -> "CompletedProcess[str]":
    """The same as a process of its own."""
    return subprocess.run(
        [*COMMAND, *_arguments(arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def _arguments(arguments: tuple[object, ...]) -> list[str]:
    """`deploy` tries no remedies, which takes a minute, unless it is asked to."""
    if arguments[:1] == ("deploy",) and "--remedy-seconds" not in arguments:
        arguments += ("--remedy-seconds", "0")
    return [str(argument) for argument in arguments]


@contextmanager
def _written(out: Path, err: Path) -> Iterator[None]:
    """Keep what is written to the descriptors 1 and 2 in files."""
    with ExitStack() as stack:
        for number, path, redirect in ((1, out, redirect_stdout), (2, err, redirect_stderr)):
            file = stack.enter_context(path.open("w", buffering=1))
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(file.fileno(), number)
            stack.enter_context(redirect(file))
        yield


def stopped(
    hook: str, *arguments: object, by: signal.Signals = signal.SIGINT
) -> "CompletedProcess[str]":
    """A process of its own that gets a signal where its hook, lines of Python, calls `here()`."""
    code = f"""
import sys

def here():
    print("here", flush=True)
    sys.stdin.readline()

{hook}
from unspool.__main__ import main
main()
"""
    command = [sys.executable, "-c", code, *_arguments(arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        written = []
        while (line := running.stdout.readline()) != "here\n":
            assert line, f"it ended before: {running.communicate()[1]}"
            written.append(line)
        running.send_signal(by)
        out, err = running.communicate("\n")
    return CompletedProcess(command, running.returncode, "".join([*written, out]), err)
