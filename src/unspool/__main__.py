"""The `unspool` command, and `python -m unspool`."""

import gc
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Run the command; Ctrl-C and SIGTERM before and after it end it quietly too."""
    _open_standard_streams()
    _on_signals(_end)
    from unspool.limited import exit_status

    status = exit_status(_run)
    _on_signals(signal.SIG_IGN)  # what is written is written; to end takes less than a second
    exec("")  # or Python ends by SIGINT where one came within an `exec` of a text, as imports have
    gc.freeze()  # or Python looks through all that TensorFlow is made of, for a second, to free it
    sys.exit(status)


def _run() -> int:
    from unspool.cli import run

    return run(sys.argv[1:])


def _on_signals(handler: Any) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) != signal.SIG_IGN:  # as shells have it for what is behind `&`
            signal.signal(each, handler)


def _end(signum: int, frame: object) -> None:
    """End at once: libraries that are being imported make other exceptions of one."""
    os.write(2, b"unspool: interrupted\n")
    os._exit(128 + signum)


def _open_standard_streams() -> None:
    """Give closed streams (`>&-`) a place, or the next file opened would become stdout."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115


if __name__ == "__main__":
    main()
