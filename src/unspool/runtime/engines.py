"""What executes a .tflite file: LiteRT, TFLM, or the simulator of the NPU.

An engine is called with stored values, one array (samples, ...) per input in the file's order, and
returns one such array per output. Samples do not depend on each other.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool.errors import UnspoolError
from unspool.support.quiet import quiet
from unspool.tflite import flatbuffer, tflm_limits

Engine: TypeAlias = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def litert(content: bytes) -> Engine:
    """LiteRT's interpreter with its default kernels, on one thread."""
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

    return _one_by_one(invoke)


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
    with quiet():  # in an arena that is large enough even where all tensors are kept
        interpreter = runtime.Interpreter.from_bytes(
            content, arena_size=2**24 + 10 * len(content) + 4 * values
        )

    def invoke(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        for position, value in enumerate(values):
            interpreter.set_input(value, position)
        interpreter.invoke()
        return [interpreter.get_output(position) for position in range(len(graph.outputs))]

    return _one_by_one(invoke)


def npu(content: bytes) -> Engine:
    """The simulator, for a file that Vela compiled; runs all samples at once."""
    from unspool import npu

    program = npu.load(content)
    return lambda values: npu.run(program, values)


ENGINES: dict[str, Callable[[bytes], Engine]] = {"litert": litert, "tflm": tflm, "npu": npu}
"""The runtimes by name."""


def _one_by_one(invoke: Callable[[Sequence[np.ndarray]], list[np.ndarray]]) -> Engine:
    """An engine of an interpreter that takes one sample, with its batch dimension of 1."""

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        results = [
            invoke([array[number : number + 1] for array in arrays])
            for number in range(len(arrays[0]))
        ]
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    return run
