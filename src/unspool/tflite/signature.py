"""A .tflite file's inputs, outputs and states, and the real values that pass through them."""

import math
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.support import samples
from unspool.support.calls import check_calls
from unspool.support.samples import OpenInput, Samples
from unspool.tflite import ends, flatbuffer, input_scaling, marks, masks
from unspool.tflite.ends import Tensor
from unspool.tflite.outside import Outside, outside
from unspool.tflite.state_pairs import state_pairs
from unspool.tflite.variables import variables


class Signature:
    """What a .tflite file takes and gives, whatever runs it.

    Attributes:
        inputs: the file's inputs without states and computed masks, in order.
        outputs: the file's outputs without the states, in order.
        pairs: the states: which input takes which output's value; empty for a file without states.
        keeps_states: whether the file has states in variables, which whatever runs it keeps.
        state_names: of the pairs, such as ("gru/h",).
        heads: how the outputs are read; empty for a file that Unspool did not make.
        of_sequence: of a file that is called several times for a sequence; None for others.
        scalings: of inputs' real values, before they are quantized.
        masks: inputs that say which time steps are padded.
    """

    def __init__(self, content: bytes) -> None:
        """Read the bytes of a .tflite file.

        Raises:
            UnspoolError: not a .tflite file, or a state whose input and output differ in scale.
        """
        model = flatbuffer.look(content)
        inputs, outputs = ends.inputs_and_outputs(model)
        file_marks = marks.read(model)
        self.heads, self.scalings = file_marks.heads, file_marks.scalings
        self.of_sequence = file_marks.calls
        self.masks, self._padding = file_marks.masks, file_marks.padding
        self._in_time = file_marks.in_time
        self._rows = {ids.input: ids.rows for ids in file_marks.ids}
        self.pairs = state_pairs(file_marks.states, inputs, outputs)
        self.keeps_states = bool(variables(model))
        self._state_tensors = [inputs[pair.input] for pair in self.pairs]
        self._fed = [i for i in range(len(inputs)) if i not in {p.input for p in self.pairs}]
        self._fed_tensors = [inputs[i] for i in self._fed]
        self._own_outputs = [
            i for i in range(len(outputs)) if i not in {p.output for p in self.pairs}
        ]
        masked = masks.computed(self.masks)
        self.inputs: tuple[Tensor, ...] = tuple(
            tensor for tensor in self._fed_tensors if tensor.name not in masked
        )
        self.outputs: tuple[Tensor, ...] = tuple(outputs[i] for i in self._own_outputs)
        self.state_names = tuple(pair.name for pair in self.pairs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs that are not states."""
        return tuple(tensor.name for tensor in self.outputs)

    @property
    def is_stream(self) -> bool:
        """Whether one call goes on where another one ended, however long that is done."""
        return (bool(self.pairs) or self.keeps_states) and not self.is_cut

    @property
    def time_steps(self) -> int:
        """How many time steps one call takes: those of the first input in time."""
        return next((t.shape[1] for t in self.inputs if self.has_time(t)), 1)

    @property
    def is_cut(self) -> bool:
        """Whether a sequence takes a fixed number of calls."""
        return self.of_sequence is not None and self.of_sequence.count > 0

    @property
    def calls_of_sequence(self) -> int:
        """How many calls a whole sequence takes; 1 for a file that takes it at once."""
        return self.of_sequence.count if self.of_sequence and self.is_cut else 1

    @property
    def warm_up(self) -> int:
        """How many calls of a stream give nothing yet, as windows that it reads are not full."""
        return self.of_sequence.warm_up if self.of_sequence else 0

    @property
    def _waits(self) -> dict[str, int]:
        """Output in time -> how many first calls' parts are none of the sequence's."""
        calls = self.of_sequence
        return (
            {}
            if calls is None
            else dict.fromkeys(calls.parts, 0) | dict(zip(calls.parts, calls.waits, strict=False))
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of all states, which firmware copies after each call."""
        return sum(math.prod(t.shape) * t.dtype.itemsize for t in self._state_tensors)

    @property
    def is_late(self) -> bool:
        """Whether a stream has given less of a sequence at its end than a network for all of it."""
        late = self.of_sequence.late if self.of_sequence else 0
        return max((*self._waits.values(), late)) > 0

    def has_time(self, tensor: Tensor) -> bool:
        """Whether an input is a sequence, (1, time steps, ...); else it has one value."""
        if self._in_time is None:  # files of others
            return len(tensor.shape) > 2
        return tensor.name in self._in_time and len(tensor.shape) > 1

    def of_a_call(self) -> list[OpenInput]:
        """The inputs as one call takes them."""
        return [self._described(tensor, tensor.shape) for tensor in self.inputs]

    def of_samples(self) -> list[OpenInput]:
        """The inputs as samples hold them: whole sequences, of a stream as long as one likes."""
        described = []
        for tensor in self.inputs:
            shape: tuple[int | None, ...] = tensor.shape
            if self.has_time(tensor):
                steps = None if self.is_stream else tensor.shape[1] * self.calls_of_sequence
                shape = (1, steps, *tensor.shape[2:])
            described.append(self._described(tensor, shape))
        return described

    def _described(self, tensor: Tensor, shape: tuple[int | None, ...]) -> OpenInput:
        rows = self._rows.get(tensor.name, 0)
        return OpenInput(tensor.name, shape, tensor.dtype, rows=rows)

    def initial_states(self, count: int) -> list[np.ndarray]:
        """Stored states before the first call, for `count` sequences, each (count, ...)."""
        return [
            np.repeat(tensor.quantize(_initial(tensor, pair.initial)), count, axis=0)
            for tensor, pair in zip(self._state_tensors, self.pairs, strict=True)
        ]

    def carried(self, states: Sequence[np.ndarray], number: int) -> list[np.ndarray]:
        """Stored states for the next call, of those after a call.

        Args:
            states: in the order of `pairs`, each (count, ...).
            number: of the call, from 0 on.
        """
        if not any(number < pair.held for pair in self.pairs):
            return list(states)
        initial = self.initial_states(len(states[0]))
        return [
            first if number < pair.held else state
            for pair, first, state in zip(self.pairs, initial, states, strict=True)
        ]

    def check(self, data: Samples, what: str = "samples") -> list[np.ndarray]:
        """Check samples, or whole sequences where there are states, as `Session.predict` does.

        Raises:
            UnspoolError: they do not fit the inputs.
        """
        arrays = samples.check(data, self.of_samples(), what)
        if not self.is_stream:
            return arrays
        steps = {tensor.name: tensor.shape[1] for tensor in self.inputs if self.has_time(tensor)}
        check_calls(arrays, [tensor.name for tensor in self.inputs], steps, what)
        return arrays

    def check_whole(self, data: Samples, what: str = "samples") -> list[np.ndarray]:
        """Check samples as `check` does, which begin with initial states.

        Raises:
            UnspoolError: they do not fit the inputs, or are over before windows are full.
        """
        arrays = self.check(data, what)
        calls = len(self.calls(arrays))
        if calls <= self.warm_up:
            raise UnspoolError(
                f"{what}: sequences of {calls * self.time_steps} time steps; the first "
                f"{self.warm_up * self.time_steps} fill the windows that the model reads, expected "
                "more"
            )
        return arrays

    def outside(self, arrays: Sequence[np.ndarray]) -> tuple[Outside, ...]:
        """Inputs whose range some of the samples, as `check` returns them, exceed."""
        by_name = {scaling.input: scaling for scaling in self.scalings}
        per_input = (
            outside(tensor, array, by_name.get(tensor.name))
            for tensor, array in zip(self.inputs, self.cleared(arrays), strict=True)
        )
        return tuple(found for found in per_input if found is not None)

    def padded(self, data: Samples, lengths: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Samples whose steps from `lengths` on are marked as padded, (samples,) of them.

        Raises:
            UnspoolError: the file has no mask, or samples or lengths do not fit.
        """
        names = [tensor.name for tensor in self.inputs]
        return masks.padded(self.masks, names, self.check(data), lengths)

    def cleared(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples, as `check` returns them, without what only says that a step is padded."""
        return masks.cleared(self.masks, [t.name for t in self.inputs], arrays)

    def valid(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """For each output (samples, time), False where a step is padded; None where none can be.

        Args:
            arrays: samples, as `check` returns them.
        """
        given = dict(zip((tensor.name for tensor in self.inputs), arrays, strict=True))
        padding = self._padding or ((),) * len(self.outputs)
        return [masks.valid(each, given) for each in padding]

    def fed(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples, as `check` returns them, as the network takes them: still real values.

        Returns:
            an array for each of the file's inputs but the states: scaled, and the masks.
        """
        names = [tensor.name for tensor in self.inputs]
        scaled = input_scaling.scaled(self.scalings, names, self.cleared(arrays))
        given, values = dict(zip(names, arrays, strict=True)), dict(zip(names, scaled, strict=True))
        for name, mask in masks.computed(self.masks).items():
            values[name] = mask.of(given[mask.source])
        return [values[tensor.name] for tensor in self._fed_tensors]

    def quantized(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples, as `check` returns them, as the file's inputs store them; states left out."""
        values = zip(self._fed_tensors, self.fed(arrays), strict=True)
        return [tensor.quantize(array) for tensor, array in values]

    def dequantized(self, stored: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Real values of the outputs; `stored` has one array per output, states included."""
        return [
            tensor.dequantize(stored[index])
            for index, tensor in zip(self._own_outputs, self.outputs, strict=True)
        ]

    def calls(self, arrays: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Cut sequences into what one call takes; an input without time goes into every call."""
        timed = [array for array, t in zip(arrays, self.inputs, strict=True) if self.has_time(t)]
        count = self.calls_of_sequence
        if timed and self.is_stream:
            count = timed[0].shape[1] // self.time_steps
        return [
            [
                array[:, k * t.shape[1] : (k + 1) * t.shape[1]] if self.has_time(t) else array
                for array, t in zip(arrays, self.inputs, strict=True)
            ]
            for k in range(count)
        ]

    def joined(self, calls: Iterable[Sequence[np.ndarray]]) -> list[np.ndarray]:
        """Outputs of a whole sequence, of the outputs of its calls, one (samples, ...) each.

        Parts of an output in time are put together, those of calls that warm up left out; of
        others, the last call's count.
        """
        waits = self._waits
        if not waits:
            (outputs,) = deque(calls, maxlen=1)
            return list(outputs)
        return [
            np.concatenate(values[waits[tensor.name] :], axis=1)
            if tensor.name in waits
            else values[-1]
            for tensor, values in zip(self.outputs, zip(*calls, strict=True), strict=True)
        ]

    def so_far(self, whole: Sequence[np.ndarray], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of outputs of whole sequences, what the calls of a stream have given at their end.

        Args:
            whole: one (samples, ...) per output.
            arrays: the sequences, as `check` returns them.
        """
        calls, waits = len(self.calls(arrays)), self._waits
        return [
            values[:, : (calls - waits[tensor.name]) * tensor.shape[1]]
            if tensor.name in waits
            else values
            for tensor, values in zip(self.outputs, whole, strict=True)
        ]

    def merged(
        self, inputs: Sequence[np.ndarray], states: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Inputs and states in the order of the file's inputs."""
        fed = dict(zip(self._fed, inputs, strict=True))
        fed |= {pair.input: state for pair, state in zip(self.pairs, states, strict=True)}
        return [fed[position] for position in sorted(fed)]


def _initial(tensor: Tensor, values: Sequence[float]) -> np.ndarray:
    """Real values of a state before the first call, (1, ...)."""
    shape = (1, *tensor.shape[1:])
    return np.asarray(values, np.float32).reshape(shape) if values else np.zeros(shape, np.float32)
