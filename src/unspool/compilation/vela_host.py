"""A process that imports Vela once and compiles in forks of itself, for many compilations.

Importing Vela takes as long as compiling a network of some hundred operators. Each fork starts from
Vela as it was after the import, so a compilation cannot see what another one left behind.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from unspool.support import processes

_OUT, _ERR = "vela.out", "vela.err"


class Host:
    """A process for compilations, one after the other; use it in a `with` block."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            processes.command("unspool.compilation.vela_host"),
            cwd=processes.FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=processes.environment(OPENBLAS_NUM_THREADS="1"),  # threads do not survive a fork
            start_new_session=True,  # with its forks
        )

    def __enter__(self) -> "Host":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def run(self, arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run Vela with these arguments in a folder that is empty but for its input."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps([arguments, str(folder)]) + "\n")
            stdin.flush()
            answer = stdout.readline().strip()
        except OSError:  # it is dead
            answer = ""
        status = int(answer) if answer else self._process.wait() or 1
        written = [(folder / n).read_text() if answer else "" for n in (_OUT, _ERR)]
        return subprocess.CompletedProcess(arguments, status, *written)


def main() -> None:
    """Answer each line of stdin, Vela's arguments and a folder, with Vela's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the other process ends this one
    from ethosu.vela import vela

    own = os.getpid()
    for line in sys.stdin:
        arguments, folder = json.loads(line)
        child = os.fork()
        if not child:
            processes.die_with(own)  # Vela holds the lock on Python while it compiles
            os._exit(_compile(vela, arguments, Path(folder)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _compile(vela: Any, arguments: list[str], folder: Path) -> int:
    os.chdir(folder)
    for name, descriptor in ((_OUT, 1), (_ERR, 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), descriptor)
    try:
        status = vela.main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


if __name__ == "__main__":
    main()
