"""What executes a .tflite file: LiteRT, TFLM, or the simulator of the NPU.

An engine is called with stored values, one array (samples, ...) per input in the file's order, and
returns one such array per output. Samples do not depend on each other, but where a file keeps
states in variables: there each call goes on where the last one ended, until `reset`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool.errors import UnspoolError
from unspool.support.quiet import quiet
from unspool.support.text import last_line
from unspool.tflite import flatbuffer, tflm_limits
from unspool.tflite.variables import resources, variables

Run: TypeAlias = "Callable[[Sequence[np.ndarray]], list[np.ndarray]]"
"""Stored values, one array (samples, ...) per input, to one such array per output."""


@dataclass(frozen=True)
class Engine:
    """Executes one .tflite file; call it.

    Attributes:
        run: what it does when it is called.
        reset: sets variables to what they are before the first call.
        states_of_each: whether each sample of a call has variables of its own; else one
            sample at a time is to be run where a file has some.
    """

    run: Run
    reset: Callable[[], object]
    states_of_each: bool = False

    def __call__(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run it."""
        return self.run(values)


def litert(content: bytes) -> Engine:
    """LiteRT's interpreter with its default kernels, on one thread."""
    held = [_litert_run(content)]
    keeps_states = bool(variables(flatbuffer.look(content)))

    def reset() -> None:
        if keeps_states:  # a new one: LiteRT resets variable tensors only, not resource variables
            held[0] = _litert_run(content)

    return Engine(_one_by_one(lambda values: held[0](values)), reset)


def _litert_run(content: bytes) -> Run:
    """One sample in a new interpreter of its own."""
    with quiet():
        try:
            interpreter = _litert_interpreter(content, OpResolverType.AUTO)
        except RuntimeError:  # XNNPACK's kernels refuse some scales that LiteRT's own take
            builtin = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            interpreter = _litert_interpreter(content, builtin)
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def invoke(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, value in zip(inputs, values, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    return invoke


def _litert_interpreter(content: bytes, kernels: OpResolverType) -> Interpreter:
    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    return interpreter


def tflm(content: bytes) -> Engine:
    """TensorFlow Lite for Microcontrollers' interpreter, the runtime of firmware.

    Raises:
        UnspoolError: it has an operator that TFLM refuses, computes wrongly, or stops at.
    """
    from tflite_micro.python.tflite_micro import runtime

    model = flatbuffer.look(content)
    problem = tflm_limits.problem(model)
    if problem:
        raise UnspoolError(problem)
    graph = model.subgraphs[0]
    values = sum(math.prod(map(int, tensor.shape)) for tensor in graph.tensors)
    # In an arena that is large enough even where all tensors are kept.
    with quiet(), _counted(runtime, len(resources(model))):
        interpreter = runtime.Interpreter.from_bytes(
            content, arena_size=2**24 + 10 * len(content) + 4 * values
        )

    def invoke(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        for position, value in enumerate(values):
            interpreter.set_input(value, position)
        interpreter.invoke()
        return [interpreter.get_output(position) for position in range(len(graph.outputs))]

    return Engine(_one_by_one(invoke), interpreter.reset)


@contextmanager
def _counted(runtime: Any, resource_variables: int) -> Iterator[None]:
    """TFLM's wrapper knows how many there are, without parsing the file in Python to count them."""
    count = runtime.count_resource_variables
    runtime.count_resource_variables = lambda _: resource_variables
    try:
        yield
    finally:
        runtime.count_resource_variables = count


def npu(content: bytes) -> Engine:
    """The simulator, for a file that Vela compiled; runs all samples at once."""
    from unspool import npu

    program = npu.load(content)
    states: list[np.ndarray] = []

    def run(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        before = states or npu.initial(program, len(values[0]))
        outputs, states[:] = npu.infer(program, values, before)
        return outputs

    return Engine(run, states.clear, states_of_each=True)


ENGINES: dict[str, Callable[[bytes], Engine]] = {"litert": litert, "tflm": tflm, "npu": npu}
"""The runtimes by name."""


def check_runtime(runtime: str) -> None:
    """Check the name of a runtime.

    Raises:
        UnspoolError: there is none of this name.
    """
    if runtime not in ENGINES:
        raise UnspoolError(f"runtime {runtime!r}: expected one of {', '.join(ENGINES)}")


def engine(runtime: str, content: bytes) -> Engine:
    """An engine for a .tflite file.

    Raises:
        UnspoolError: the runtime cannot run it.
    """
    try:
        return ENGINES[runtime](content)
    except (RuntimeError, ValueError) as error:
        raise UnspoolError(f"{runtime} cannot run this .tflite file: {last_line(error)}") from None


def _one_by_one(invoke: Run) -> Run:
    """Samples one after the other, for an interpreter that takes one, with its batch of 1."""

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        try:
            results = [
                invoke([array[number : number + 1] for array in arrays])
                for number in range(len(arrays[0]))
            ]
            return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]
        except (RuntimeError, ValueError) as error:
            raise UnspoolError(f"this .tflite file does not run: {last_line(error)}") from None

    return run
