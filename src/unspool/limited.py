"""A command where `ulimit -v` is set: in a process of its own, whose death is told.

Libraries that get no memory end their process: TensorFlow aborts where it cannot start a thread,
and OpenBLAS exits with 1, which is the status of a broken budget.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from unspool.support.processes import die_with, killer

_FORWARDED = {signal.SIGINT, signal.SIGTERM}


def exit_status(command: Callable[[], int]) -> int:
    """The exit status of a command; where memory is limited, of one that a library ended, too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return command()
    reader, writer = os.pipe()
    came: list[int] = []
    with _held_back():
        own, child = os.getpid(), os.fork()
        if child:
            _forward_to(child, came)
    if not child:
        os.setpgid(0, 0)  # or it gets a terminal's Ctrl-C twice
        die_with(own)  # SciPy's OpenBLAS was seen to ask for more memory without end
        status = command()
        os.write(writer, bytes([status]))
        return status
    os.close(writer)
    answer = os.read(reader, 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if answer or status - 128 in came:  # which end it at once, too, before and after the command
        return answer[0] if answer else status
    if came:  # C++ that calls Python's functions may abort where one of them is interrupted
        print("unspool: interrupted", file=sys.stderr)
        return 128 + came[-1]
    return _died(status, limit)


@contextmanager
def _held_back() -> Iterator[None]:
    """Signals come when the block is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forward_to(child: int, came: list[int]) -> None:
    def forward(signum: int, frame: FrameType | None) -> None:
        came.append(signum)
        os.kill(child, signum)

    for each in _FORWARDED:
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, forward)


def _died(status: int, limit: int) -> int:
    from unspool.cli.console import DEFECT

    how = f"died of {killer(status)}" if killer(status) else f"ended with status {status}"
    print(
        f"unspool: error: memory ran out (a library {how} in the {limit / 2**30:.1f} GiB that "
        "ulimit -v allows); allow more, or give less data",
        file=sys.stderr,
    )
    return DEFECT
