"""Python's garbage collector, held back."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Make many objects that stay, without Python's looking through all that there are for cycles.

    A network of a thousand steps has a hundred thousand objects beside TensorFlow's million, and
    half of the time would go into that. Also a decorator.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
