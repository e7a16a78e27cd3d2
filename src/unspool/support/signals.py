"""Ctrl-C and SIGTERM, kept waiting."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM, and what repeats them, waiting until the end of the block.

    They are not masked: any thread may get them, such as TensorFlow's, and then Python's handlers
    run in the main one all the same.
    """
    if threading.current_thread() is not threading.main_thread():  # which handlers do not disturb
        yield
        return
    waiting: list[int] = []

    def keep(number: int, frame: FrameType | None) -> None:
        waiting.append(number)

    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        for each in _SIGNALS:
            signal.signal(each, keep)
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in dict.fromkeys(waiting):
            signal.raise_signal(number)
