"""Call a function in a process of its own, which may die of the files that it is given.

LiteRT and TFLM are native code: a file that is damaged in a way that no check knows ends the
process that reads it. `python -m unspool.support.apart` takes a call from stdin and answers it.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from unspool.errors import UnspoolError
from unspool.support import processes

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def apart(
    function: Callable[_Given, _Result], *arguments: _Given.args, **more: _Given.kwargs
) -> _Result:
    """What a function of a module returns, or raises.

    Args:
        function: of a module; it, what it is given and what it returns can be pickled.
        arguments: to it.
        more: to it.

    Raises:
        UnspoolError: the function does, or its process died.

    Example:
        >>> import math
        >>> apart(math.sqrt, 2.25)
        1.5
    """
    run = subprocess.run(
        processes.command(__name__),
        cwd=processes.FOLDER,
        env=processes.environment(),
        input=pickle.dumps((function, arguments, more)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if run.returncode or not run.stdout:
        killer = processes.killer(run.returncode) or f"status {run.returncode}"
        raise UnspoolError(f"{function.__name__}: its process died of {killer}", reason=killer)
    result, error = pickle.loads(run.stdout)
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def main() -> None:
    """Answer one call; what libraries print goes nowhere."""
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        answer.write(_answered(*pickle.load(sys.stdin.buffer)))


def _answered(function: Callable[..., Any], arguments: Any, more: Any) -> bytes:
    try:
        return pickle.dumps((function(*arguments, **more), None))
    except Exception as error:
        return pickle.dumps((None, error))


if __name__ == "__main__":
    main()
