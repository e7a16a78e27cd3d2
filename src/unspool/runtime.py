"""Sessions: run a .tflite file, whichever runtime executes it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import joblib
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from unspool import files, flatbuffer, samples
from unspool.errors import UnspoolError
from unspool.progress import Progress
from unspool.quiet import quiet
from unspool.samples import Samples


class Engine(Protocol):
    """What executes a .tflite file: stored values in, stored values out."""

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run one inference on one array of the tensor's shape per input."""


class _LiteRT:
    """LiteRT's interpreter with its default kernels, on one thread."""

    def __init__(self, content: bytes) -> None:
        with quiet():
            self._interpreter = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.AUTO,
            )
            self._interpreter.allocate_tensors()
        self._inputs = [d["index"] for d in self._interpreter.get_input_details()]
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, values in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class _TFLM:
    """TensorFlow Lite for Microcontrollers' interpreter, the runtime of firmware."""

    def __init__(self, content: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        arena = 2**24 + 10 * len(content)
        with quiet():
            self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
        self._outputs = len(flatbuffer.read(content).subgraphs[0].outputs)

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for position, values in enumerate(inputs):
            self._interpreter.set_input(values, position)
        self._interpreter.invoke()
        return [self._interpreter.get_output(position) for position in range(self._outputs)]


_ENGINES: dict[str, Callable[[bytes], Engine]] = {"litert": _LiteRT, "tflm": _TFLM}

RUNTIMES = tuple(_ENGINES)
"""Names of the runtimes that a session can use."""


class Session:
    """Runs a .tflite file: quantizes inputs, dequantizes outputs.

    Attributes:
        inputs: the file's inputs, in order.
        outputs: the file's outputs, in order.
        runtime: "litert" (LiteRT's default kernels) or "tflm" (the runtime of firmware).
    """

    def __init__(self, tflite: bytes | Path, runtime: str = "litert") -> None:
        """Open a .tflite file, given as bytes or by its path.

        Raises:
            UnspoolError: not a .tflite file, an unknown runtime, or a file that it cannot run.
        """
        if runtime not in _ENGINES:
            raise UnspoolError(f"runtime {runtime!r}: expected {' or '.join(_ENGINES)}")
        self.runtime = runtime
        self._content = tflite if isinstance(tflite, bytes) else files.read(tflite)
        self.inputs, self.outputs = flatbuffer.inputs_and_outputs(flatbuffer.read(self._content))
        try:
            self._engine = _ENGINES[runtime](self._content)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UnspoolError(f"{runtime} cannot run this .tflite file: {reason}") from None

    def predict(self, data: Samples, progress: Progress | None = None) -> list[np.ndarray]:
        """Run every sample on its own.

        Args:
            data: the samples, one array (samples, ...) per input.
            progress: called now and then with the number of samples finished since.

        Returns:
            one float32 array (samples, ...) per output, in the outputs' order.

        Raises:
            UnspoolError: the samples do not fit the inputs.
        """
        stored = [
            tensor.quantize(array)
            for tensor, array in zip(
                self.inputs, samples.check(data, self.inputs, "samples"), strict=True
            )
        ]
        results = [[] for _ in self.outputs]  # type: list[list[np.ndarray]]
        reported = 0
        for number in range(len(stored[0])):
            outputs = self._engine([array[number : number + 1] for array in stored])
            for kept, values in zip(results, outputs, strict=True):
                kept.append(values)
            if progress and (number + 1 - reported == 100 or number + 1 == len(stored[0])):
                progress(number + 1 - reported)
                reported = number + 1
        return [
            tensor.dequantize(np.concatenate(values))
            for tensor, values in zip(self.outputs, results, strict=True)
        ]


_CHUNK = 500


def predict(
    tflite: bytes, data: Samples, runtime: str, progress: Progress | None = None
) -> list[np.ndarray]:
    """`Session.predict` on all cores: the same results, sooner for slow runtimes.

    Samples are independent, so they are dealt in chunks to one process per core.
    """
    session = Session(tflite, runtime)
    arrays = samples.check(data, session.inputs, "samples")
    count = len(arrays[0])
    cores = len(os.sched_getaffinity(0))
    if runtime == "litert" or count <= _CHUNK or cores == 1:  # a process costs more than it saves
        return session.predict(arrays, progress)
    tasks = (
        joblib.delayed(_predict_chunk)(tflite, runtime, [a[i : i + _CHUNK] for a in arrays])
        for i in range(0, count, _CHUNK)
    )
    chunks = []
    for chunk in joblib.Parallel(n_jobs=cores, return_as="generator")(tasks):
        chunks.append(chunk)
        if progress:
            progress(len(chunk[0]))
    return [np.concatenate(outputs) for outputs in zip(*chunks, strict=True)]


def _predict_chunk(tflite: bytes, runtime: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    return Session(tflite, runtime).predict(arrays)
