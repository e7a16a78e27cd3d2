"""Sessions: run a .tflite file, whichever runtime executes it, and carry its states."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np

from unspool import files, flatbuffer, names, samples
from unspool.engines import ENGINES
from unspool.errors import UnspoolError
from unspool.flatbuffer import Tensor
from unspool.progress import Progress
from unspool.samples import OpenInput, Samples

_CHUNK = 500  # samples between two reports of progress, and per task of a process


@dataclass(frozen=True)
class Outside:
    """Samples that lie outside of what an input can hold: they are cut to its range.

    Attributes:
        input: the input's name.
        samples: how many have such a value.
        of: how many there are.
        farthest: the value that is farthest outside.
        minimum: the smallest value that the input can hold.
        maximum: the largest.
    """

    input: str
    samples: int
    of: int
    farthest: float
    minimum: float
    maximum: float


class Session:
    """Runs a .tflite file: quantizes inputs, dequantizes outputs, feeds states back as bytes.

    The numbers are those that the device returns, with runtime "tflm" or "npu" to the last bit.

    Attributes:
        runtime: "litert" (LiteRT's default kernels), "tflm" (the runtime of firmware) or "npu"
            (a simulator of the NPU, for a file that Vela compiled).
        inputs: the file's inputs without the states, in order.
        outputs: the file's outputs without the states, in order.
        pairs: which input takes what which output gave; empty for a file without states.
        state_names: of the pairs, such as ("gru/h",).
        heads: how the outputs are read; empty for a file that Unspool did not make.
    """

    def __init__(self, tflite: bytes | Path, runtime: str = "litert") -> None:
        """Open a .tflite file, given as bytes or by its path.

        Raises:
            UnspoolError: not a .tflite file, an unknown runtime, a file that it cannot run, or a
                state whose input and output differ in scale.
        """
        if runtime not in ENGINES:
            raise UnspoolError(f"runtime {runtime!r}: expected one of {', '.join(ENGINES)}")
        self.runtime = runtime
        content = tflite if isinstance(tflite, bytes) else files.read(tflite)
        model = flatbuffer.read(content)
        inputs, outputs = flatbuffer.inputs_and_outputs(model)
        marks = names.read(model)
        self.heads = marks.heads
        self.pairs = names.state_pairs(marks, inputs, outputs)
        self._state_tensors = [inputs[pair.input] for pair in self.pairs]
        self._own_inputs = [i for i in range(len(inputs)) if i not in {p.input for p in self.pairs}]
        self._own_outputs = [
            i for i in range(len(outputs)) if i not in {p.output for p in self.pairs}
        ]
        self.inputs: tuple[Tensor, ...] = tuple(inputs[i] for i in self._own_inputs)
        self.outputs: tuple[Tensor, ...] = tuple(outputs[i] for i in self._own_outputs)
        self.state_names = tuple(pair.name for pair in self.pairs)
        try:
            self._engine = ENGINES[runtime](content)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UnspoolError(f"{runtime} cannot run this .tflite file: {reason}") from None
        self._states: list[np.ndarray] = self.zero_states(1)

    @property
    def time_steps(self) -> int:
        """How many time steps one call takes: those of the first input that has a time."""
        return next((t.shape[1] for t in self.inputs if len(t.shape) > 2), 1)

    def predict(self, data: Samples, progress: Progress | None = None) -> list[np.ndarray]:
        """Run every sample on its own; where there are states, from zero states.

        Args:
            data: the samples, one array (samples, ...) per input. With states, a sample may be
                a whole sequence: any multiple of the file's time steps.
            progress: called now and then with the number of samples finished since.

        Returns:
            one float32 array (samples, ...) per output, in the outputs' order; for sequences,
            what the last call gave.

        Raises:
            UnspoolError: the samples do not fit the inputs.
        """
        arrays = self.check(data)
        results = []
        for start in range(0, len(arrays[0]), _CHUNK):
            part = [array[start : start + _CHUNK] for array in arrays]
            states = self.zero_states(len(part[0]))
            for call in self.calls(part):
                outputs, states = self._call(call, states)
            results.append(outputs)
            if progress:
                progress(len(part[0]))
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    def step(self, *values: np.ndarray) -> list[np.ndarray]:
        """One call on the carried states.

        Args:
            values: one array per input, of its shape without the batch dimension.

        Returns:
            one float32 array per output, of its shape without the batch dimension.

        Raises:
            UnspoolError: the values do not fit the inputs.
        """
        arrays = samples.check([np.asarray(v)[None] for v in values], self.inputs, "step")
        outputs, self._states = self._call(arrays, self._states)
        return [output[0] for output in outputs]

    def run(self, *sequences: np.ndarray) -> list[np.ndarray]:
        """Feed a sequence, call by call, on the carried states.

        Args:
            sequences: one array (time, ...) per input; time is a multiple of the file's.

        Returns:
            one float32 array (calls, ...) per output.

        Raises:
            UnspoolError: the sequences do not fit, or are shorter than one call takes.
        """
        arrays = self.check([np.asarray(sequence)[None] for sequence in sequences])
        results = []
        for call in self.calls(arrays):
            outputs, self._states = self._call(call, self._states)
            results.append(outputs)
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    def reset(self) -> None:
        """Set every state to zero."""
        self._states = self.zero_states(1)

    @property
    def states(self) -> dict[str, bytes]:
        """The carried states as the device holds them: name -> raw bytes."""
        return {
            name: values.tobytes()
            for name, values in zip(self.state_names, self._states, strict=True)
        }

    @states.setter
    def states(self, states: Mapping[str, bytes]) -> None:
        if set(states) != set(self.state_names):
            raise UnspoolError(
                f"states: got {', '.join(sorted(states)) or 'none'}, "
                f"expected {', '.join(self.state_names) or 'none: the file has no states'}"
            )
        restored = []
        for name, tensor in zip(self.state_names, self._state_tensors, strict=True):
            size = int(np.prod(tensor.shape)) * tensor.dtype.itemsize
            if len(states[name]) != size:
                raise UnspoolError(
                    f"state {name!r}: got {len(states[name])} bytes, expected {size} "
                    f"({tensor.dtype}{tensor.shape})"
                )
            restored.append(np.frombuffer(states[name], tensor.dtype).reshape(tensor.shape))
        self._states = restored

    def real_states(self) -> list[np.ndarray]:
        """The carried states as real values, each (1, width)."""
        return [
            tensor.dequantize(values)
            for tensor, values in zip(self._state_tensors, self._states, strict=True)
        ]

    def save_states(self, path: Path) -> None:
        """Write the raw bytes of all states to a file, one after the other in `state_names`."""
        files.write(path, b"".join(self.states.values()))

    def restore_states(self, path: Path) -> None:
        """Read back what `save_states` wrote.

        Raises:
            UnspoolError: the file is missing, or has not the size of the states.
        """
        content = files.read(path)
        sizes = [len(raw) for raw in self.states.values()]
        if len(content) != sum(sizes):
            raise UnspoolError(
                f"{path}: {len(content)} bytes, but the states {', '.join(self.state_names)} "
                f"take {sum(sizes)}"
            )
        ends = np.cumsum(sizes)
        self.states = {
            name: content[end - size : end]
            for name, size, end in zip(self.state_names, sizes, ends, strict=True)
        }

    def zero_states(self, count: int) -> list[np.ndarray]:
        """Stored zero states for so many sequences, each (count, width)."""
        return [
            np.full((count, *tensor.shape[1:]), tensor.zero_point, tensor.dtype)
            for tensor in self._state_tensors
        ]

    def check(self, data: Samples, what: str = "samples") -> list[np.ndarray]:
        """Check samples, or whole sequences where there are states; see `predict`."""
        if not self.pairs:
            return samples.check(data, self.inputs, what)
        arrays = samples.check(data, [_open_time(tensor) for tensor in self.inputs], what)
        for array, tensor in zip(arrays, self.inputs, strict=True):
            if len(tensor.shape) > 2 and (array.shape[1] % tensor.shape[1] or not array.shape[1]):
                raise UnspoolError(
                    f"{what}: {array.shape[1]} time steps for input {tensor.name!r}, expected a "
                    f"multiple of {tensor.shape[1]}, which one call takes"
                )
        return arrays

    def outside(self, arrays: Sequence[np.ndarray]) -> tuple[Outside, ...]:
        """Inputs for which samples, as `check` returns them, are outside of its range."""
        found = (_outside(tensor, a) for tensor, a in zip(self.inputs, arrays, strict=True))
        return tuple(each for each in found if each is not None)

    def calls(self, arrays: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Cut sequences into what one call takes; an input without time goes into every call."""
        timed = [array for array, t in zip(arrays, self.inputs, strict=True) if len(t.shape) > 2]
        count = timed[0].shape[1] // self.time_steps if timed and self.pairs else 1
        return [
            [
                array[:, k * t.shape[1] : (k + 1) * t.shape[1]] if len(t.shape) > 2 else array
                for array, t in zip(arrays, self.inputs, strict=True)
            ]
            for k in range(count)
        ]

    def merged(
        self, inputs: Sequence[np.ndarray], states: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Inputs and states in the order of the file's inputs."""
        fed = dict(zip(self._own_inputs, inputs, strict=True))
        fed |= {pair.input: state for pair, state in zip(self.pairs, states, strict=True)}
        return [fed[position] for position in sorted(fed)]

    def _call(
        self, arrays: Sequence[np.ndarray], states: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Run real values and stored states; returns real outputs and stored states."""
        stored = [t.quantize(array) for t, array in zip(self.inputs, arrays, strict=True)]
        given = self._engine(self.merged(stored, states))
        outputs = [
            tensor.dequantize(given[index])
            for index, tensor in zip(self._own_outputs, self.outputs, strict=True)
        ]
        return outputs, [given[pair.output] for pair in self.pairs]


def _outside(tensor: Tensor, values: np.ndarray) -> Outside | None:
    if not tensor.scale:
        return None
    limits = np.iinfo(tensor.dtype)
    low, high = tensor.dequantize(np.array([limits.min, limits.max], tensor.dtype)).tolist()
    beyond = np.maximum(low - values, values - high)
    rows = beyond.reshape(len(values), -1).max(axis=1) > tensor.scale / 2  # else it is rounded
    if not rows.any():
        return None
    farthest = float(values.ravel()[int(np.argmax(beyond))])
    return Outside(tensor.name, int(rows.sum()), len(values), farthest, low, high)


def _open_time(tensor: Tensor) -> OpenInput:
    """The tensor as an input whose length in time is open."""
    batch, *shape = tensor.shape
    opened = (None, *shape[1:]) if len(shape) > 1 else tuple(shape)
    return OpenInput(tensor.name, (batch, *opened), tensor.dtype)


def predict(
    tflite: bytes, data: Samples, runtime: str, progress: Progress | None = None
) -> list[np.ndarray]:
    """`Session.predict` on all cores: the same results, sooner for slow runtimes.

    Samples are independent, so they are dealt in chunks to one process per core.
    """
    session = Session(tflite, runtime)
    arrays = session.check(data)
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
