"""Sessions: run a .tflite file, whichever runtime executes it, and carry its states."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime.engines import Engine, check_runtime, engine
from unspool.support import files, samples
from unspool.support.files import AnyPath
from unspool.support.progress import Progress
from unspool.support.samples import Samples
from unspool.tflite.signature import Signature

CHUNK = 500
"""Samples between two reports of progress, and per task of a process."""


class Session(Signature):
    """Runs a .tflite file: quantizes inputs, dequantizes outputs, feeds states back as bytes.

    The numbers are those that the device returns, with runtime "tflm" or "npu" to the last bit.

    Attributes:
        runtime: "litert" (LiteRT's default kernels), "tflm" (the runtime of firmware) or "npu"
            (a simulator of the NPU, for a file that Vela compiled).

    Example:
        >>> session = unspool.Session(int8_tflite, "tflm")
        >>> (output,) = session.predict(data)
        >>> output.shape
        (40, 4)
    """

    def __init__(self, tflite: bytes | AnyPath, runtime: str = "litert") -> None:
        """Open a .tflite file, given as bytes or by its path.

        Raises:
            UnspoolError: not a .tflite file, an unknown runtime, a file that it cannot run, or a
                state whose input and output differ in scale.
        """
        check_runtime(runtime)
        self.runtime = runtime
        content = tflite if isinstance(tflite, bytes) else files.read(tflite)
        super().__init__(content)
        self._engine = engine(runtime, content)
        # Its variables are those of `step` and `run`, whatever `predict` does between.
        self._carrying = engine(runtime, content) if self.keeps_states else self._engine
        self._states: list[np.ndarray] = self.initial_states(1)
        self._number = 0  # calls since the states were reset

    def predict(
        self,
        data: Samples,
        progress: Progress | None = None,
        *,
        lengths: Sequence[int] | np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Run every sample by itself; where there are states, from initial ones.

        Masks are computed from the samples, as the trained model computes them.

        Args:
            data: the samples, one array (samples, ...) per input. Of a stream, a sample may be
                any multiple of the file's time steps; of a file that is called several times for a
                sequence, it is the whole sequence.
            progress: called now and then with the number of samples finished since.
            lengths: how many time steps of each sample are valid, (samples,); the others are taken
                as padded, whatever they hold. None where the samples say so themselves.

        Returns:
            one float32 array (samples, ...) per output, in the outputs' order: of an output in
            time all calls' parts, one after the other, but for those of the first `warm_up` calls;
            of others, the last call's.

        Raises:
            UnspoolError: the samples do not fit the inputs, or lengths were given and the network
                has no mask.
        """
        if lengths is not None:
            data = self.padded(data, lengths)
        return self._in_chunks(data, progress, self.joined)

    def predict_calls(self, data: Samples, progress: Progress | None = None) -> list[np.ndarray]:
        """As `predict`, but with the outputs of every call.

        Args:
            data: as `predict` takes it.
            progress: as `predict` takes it.

        Returns:
            one float32 array (samples, calls, ...) per output, in the outputs' order.

        Raises:
            UnspoolError: the samples do not fit the inputs.
        """
        return self._in_chunks(data, progress, _of_every_call)

    def _in_chunks(
        self,
        data: Samples,
        progress: Progress | None,
        collect: Callable[[Iterator[list[np.ndarray]]], list[np.ndarray]],
    ) -> list[np.ndarray]:
        """Run `CHUNK` samples at a time, and give what `collect` takes of the calls' outputs."""
        arrays = self.check_whole(data)
        results = []
        size = 1 if self.keeps_states and not self._engine.states_of_each else CHUNK
        for start in range(0, len(arrays[0]), size):
            part = [array[start : start + size] for array in arrays]
            results.append(collect(self._calls_of(part)))
            if progress:
                progress(len(part[0]))
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    def _calls_of(self, part: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Outputs of one call after the other, for samples that start together."""
        states: Sequence[np.ndarray] = self.initial_states(len(part[0]), part)
        self._engine.reset()
        for number, call in enumerate(self.calls(part)):
            outputs, after = self._call(self._engine, call, states)
            states = self.carried(states, after, number)
            yield outputs

    def step(self, *values: np.ndarray) -> list[np.ndarray]:
        """One call on the carried states.

        Args:
            values: one array per input, of its shape without the batch dimension.

        Returns:
            one float32 array per output, of its shape without the batch dimension.

        Raises:
            UnspoolError: the values do not fit the inputs.
        """
        arrays = samples.check([np.asarray(v)[None] for v in values], self.of_a_call(), "step")
        return [output[0] for output in self._continued(arrays)]

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
        results = [self._continued(call) for call in self.calls(arrays)]
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    def reset(self) -> None:
        """Set every state to what it is before the first call, mostly zero."""
        self._states, self._number = self.initial_states(1), 0
        self._carrying.reset()

    @property
    def states(self) -> dict[str, bytes]:
        """The carried states as the device holds them: name -> raw bytes.

        Raises:
            UnspoolError: the file keeps them itself, in variables.
        """
        self._check_states_are_ours()
        return {
            name: values.tobytes()
            for name, values in zip(self.state_names, self._states, strict=True)
        }

    @states.setter
    def states(self, states: Mapping[str, bytes]) -> None:
        self._check_states_are_ours()
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
        # They were warm where they come from, and no first call is to begin with others.
        self._states, self._number = restored, max(1, self.warm_up)

    def real_states(self) -> list[np.ndarray]:
        """The carried states as real values, each (1, width)."""
        return [
            tensor.dequantize(values)
            for tensor, values in zip(self._state_tensors, self._states, strict=True)
        ]

    def save_states(self, path: AnyPath) -> None:
        """Write the raw bytes of all states to a file, one after the other in `state_names`."""
        files.write(path, b"".join(self.states.values()))

    def restore_states(self, path: AnyPath) -> None:
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
        ends = np.cumsum(sizes).tolist()
        self.states = {
            name: content[end - size : end]
            for name, size, end in zip(self.state_names, sizes, ends, strict=True)
        }

    def _check_states_are_ours(self) -> None:
        if self.keeps_states:
            raise UnspoolError(
                "states: this file keeps them in variables, which stay inside the runtime; "
                "to go back, call reset() and run the sequence again"
            )

    def _continued(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs of a call on the carried states, each (1, ...)."""
        before = self._states if self._number else self.initial_states(1, arrays)
        outputs, after = self._call(self._carrying, arrays, before)
        self._states, self._number = self.carried(before, after, self._number), self._number + 1
        return outputs

    def _call(
        self, run: Engine, arrays: Sequence[np.ndarray], states: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Run real values and stored states; returns real outputs and stored states."""
        stored = run(self.merged(self.quantized(arrays), states))
        if not all(map(len, stored)):
            raise UnspoolError("this .tflite file gives outputs of no values: it is damaged")
        return self.dequantized(stored), [stored[pair.output] for pair in self.pairs]


def _of_every_call(calls: Iterator[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.stack(values, axis=1) for values in zip(*calls, strict=True)]
