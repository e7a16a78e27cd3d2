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
        importing = any(place.startswith(_IMPORTING) for place in places)
        if importing:  # modules that are imported swallow it: again, until they are left
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        elif raised.is_set():
            return
        if not "".join(places[:1]).startswith(_IMPORTING):  # whose locks would not be given back
            raised.set()
            raise KeyboardInterrupt

    hook = sys.unraisablehook

    def again(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:
            hook(lost)
            return
        raised.clear()  # what is done when an object goes lets nothing out
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)

    interrupted.clear()
    all_before = {each: signal.getsignal(each) for each in _SIGNALS}
    # What a shell lets be ignored stays so, as a script's Ctrl-C for what is behind `&`.
    before = {each: now for each, now in all_before.items() if now != signal.SIG_IGN}
    sys.unraisablehook = again
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
