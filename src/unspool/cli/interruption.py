"""Ctrl-C and SIGTERM while a command runs."""

import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from unspool.cli.console import interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
_IMPORTING = "<frozen importlib"
# Its C++ takes what is raised in a function that it calls for an answer, and was seen not to end.
_LOST = "tensorflow/python/util/nest_util.py"
_AGAIN = 0.1  # seconds


@contextmanager
def interruptible(came: list[int]) -> Iterator[None]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt, and are remembered.

    Args:
        came: takes the signals.
    """
    raised, ended = threading.Event(), threading.Event()

    def remember(signum: int, frame: FrameType | None) -> None:
        if ended.is_set():
            return
        if signum != signal.SIGALRM:
            came.append(signum)
            interrupted.set()
            raised.clear()
        places = [where.f_code.co_filename for where, _ in traceback.walk_stack(frame)]
        is_kept = _is_kept("".join(places[:1]))
        if is_kept or any(place.startswith(_IMPORTING) for place in places):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)  # what is imported swallows it
        elif raised.is_set():
            return
        if not is_kept:
            raised.set()
            raise KeyboardInterrupt

    hook = sys.unraisablehook

    def raise_again(lost: "sys.UnraisableHookArgs") -> None:
        if not _is_of_a_signal(lost.exc_value):
            hook(lost)
            return
        raised.clear()  # what is done when an object goes lets nothing out
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)

    interrupted.clear()
    all_before = {each: signal.getsignal(each) for each in _SIGNALS}
    # What a shell lets be ignored stays so, as a script's Ctrl-C for what is behind `&`.
    before = {each: now for each, now in all_before.items() if now != signal.SIG_IGN}
    sys.unraisablehook = raise_again
    try:
        for each in before:
            signal.signal(each, remember)
        yield
    finally:
        ended.set()
        sys.unraisablehook = hook
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in before.items():
            signal.signal(each, handler)


def _is_kept(place: str) -> bool:
    """Whether nothing is raised in a file's code: locks would stay closed, or it would be lost."""
    return place.startswith(_IMPORTING) or place.endswith(_LOST)


def _is_of_a_signal(error: BaseException | None) -> bool:
    """Whether an exception is what a signal raised, or what C made of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None
