"""Errors that are for want of memory, whatever they are called."""

import resource
from concurrent.futures.process import BrokenProcessPool

from unspool.support.text import brief


def shortage(error: Exception) -> str:
    """What was too large for the memory, where an error says so; "" where it is another.

    Libraries that are loaded into too little of it fail in ways of their own.
    """
    if isinstance(error, MemoryError):
        return brief(error)
    if isinstance(error, BrokenProcessPool) and "SIGKILL" in str(error):
        return "a process that worked for the command was killed, as a system without memory does"
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    is_of_loading = isinstance(error, ImportError | SystemError)
    if (
        limit == resource.RLIM_INFINITY
        or not is_of_loading
        or isinstance(error, ModuleNotFoundError)
    ):
        return ""
    return f"libraries cannot be loaded into the {limit / 2**30:.1f} GiB that ulimit -v allows"
