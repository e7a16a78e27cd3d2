"""Run models in TFLM, each in a process of its own, which TFLM may stop.

As a program: reads pickled [(model, inputs), ...] from its input and writes an outcome for each:
("ok", outputs), ("refused", the error) or ("stopped", the signal). A process that has
loaded TFLM forks for each model: that takes milliseconds.
"""

import os
import pickle
import resource
import subprocess
import sys
from typing import TypeAlias

import numpy as np

Case: TypeAlias = tuple[bytes, list[np.ndarray]]
Outcome: TypeAlias = tuple[str, object]


def run(cases: list[Case]) -> list[Outcome]:
    """The outcome of each case."""
    command = [sys.executable, __file__]
    done = subprocess.run(command, input=pickle.dumps(cases), capture_output=True, check=True)
    outcomes: list[Outcome] = pickle.loads(done.stdout)
    return outcomes


def _outputs(content: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    from tflite_micro.python.tflite_micro import runtime

    size = sum(value.nbytes for value in inputs)
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=2**22 + 2 * size)
    for number, value in enumerate(inputs):
        interpreter.set_input(value, number)
    interpreter.invoke()
    return [interpreter.get_output(0)]


def _forked(case: Case) -> Outcome:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            outcome: Outcome = ("ok", _outputs(*case))
        except RuntimeError as error:
            outcome = ("refused", str(error))
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "stopped", os.WTERMSIG(status)
    child_outcome: Outcome = pickle.loads(result)
    return child_outcome


if __name__ == "__main__":
    from tflite_micro.python.tflite_micro import runtime  # noqa: F401  (loaded once, before forks)

    outcomes = [_forked(case) for case in pickle.load(sys.stdin.buffer)]
    sys.stdout.buffer.write(pickle.dumps(outcomes))
