"""TensorFlow's kernels of variables that are no longer there, freed."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kernels_freed() -> Iterator[None]:
    """Work with TensorFlow, then free the kernels that it keeps; also a decorator.

    It keeps one for each variable that a process ever made, as the name of each is its own: a
    quarter of a MiB for a model of one GRU. Those that are needed again are made again. Keras's
    `clear_session` frees them in the same way, but forgets the user's models, too.
    """
    try:
        yield
    finally:
        from tensorflow.python.eager import context

        context.context().clear_kernel_cache()
