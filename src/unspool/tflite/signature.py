"""A .tflite file's inputs, outputs and states, and the real values that pass through them."""

import math
from collections.abc import Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.support import samples
from unspool.support.calls import check_calls
from unspool.support.samples import OpenInput, Samples
from unspool.tflite import ends, flatbuffer, input_scaling, marks, masks
from unspool.tflite.calling import Calling
from unspool.tflite.ends import Tensor
from unspool.tflite.outside import Outside, outside
from unspool.tflite.state_pairs import state_pairs
from unspool.tflite.variables import variables


class Signature(Calling):
    """What a .tflite file takes and gives, whatever runs it.

    Attributes:
        inputs: what samples hold: the file's inputs without computed masks, in order, and without
            states but for those whose first value is given.
        outputs: the file's outputs without the states, in order.
        of_sequence: of a file that is called several times for a sequence; None for others.
        pairs: the states: which input takes which output's value; empty for a file without states.
        keeps_states: whether the file has states in variables, which whatever runs it keeps.
        state_names: of the pairs, such as ("gru/h",).
        heads: how the outputs are read; empty for a file that Unspool did not make.
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
        self.masks, self._padding = file_marks.masks, file_marks.padding
        self._rows = {ids.input: ids.rows for ids in file_marks.ids}
        self.pairs = state_pairs(file_marks.states, inputs, outputs)
        self.keeps_states = bool(variables(model))
        self.state_names = tuple(pair.name for pair in self.pairs)
        self._state_tensors = [inputs[pair.input] for pair in self.pairs]
        carried = {pair.input for pair in self.pairs}
        self._fed = [i for i in range(len(inputs)) if i not in carried]
        self._fed_tensors = [inputs[i] for i in self._fed]
        state_outputs = {pair.output for pair in self.pairs}
        self._own_outputs = [i for i in range(len(outputs)) if i not in state_outputs]
        computed = masks.computed(self.masks)
        begin = {pair.input for pair in self.pairs if pair.given}
        super().__init__(
            tuple(
                tensor
                for i, tensor in enumerate(inputs)
                if i in begin or (i not in carried and tensor.name not in computed)
            ),
            tuple(outputs[i] for i in self._own_outputs),
            file_marks,
            bool(self.pairs) or self.keeps_states,
        )

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs that are not states."""
        return tuple(tensor.name for tensor in self.outputs)

    @property
    def state_bytes(self) -> int:
        """Bytes of all states, which firmware copies after each call."""
        return sum(math.prod(t.shape) * t.dtype.itemsize for t in self._state_tensors)

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

    def initial_states(self, count: int, arrays: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
        """Stored states before the first call, for `count` sequences, each (count, ...).

        Args:
            count: of sequences.
            arrays: samples, as `check` returns them, where they begin with what is given; zeros
                stand for that without them.
        """
        values = self._values(arrays) if arrays else {}
        return [
            tensor.quantize(values[tensor.name])
            if pair.given and values
            else np.repeat(tensor.quantize(_initial(tensor, pair.initial)), count, axis=0)
            for tensor, pair in zip(self._state_tensors, self.pairs, strict=True)
        ]

    def carried(
        self, before: Sequence[np.ndarray], after: Sequence[np.ndarray], number: int
    ) -> list[np.ndarray]:
        """Stored states for the next call.

        Args:
            before: those that a call took, in the order of `pairs`, each (count, ...).
            after: those that it gave.
            number: of the call, from 0 on.
        """
        return [
            first if number < pair.held else state
            for pair, first, state in zip(self.pairs, before, after, strict=True)
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
        return tuple(excess for excess in per_input if excess is not None)

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
        input_arrays = dict(zip((tensor.name for tensor in self.inputs), arrays, strict=True))
        padding = self._padding or ((),) * len(self.outputs)
        return [masks.valid(each, input_arrays) for each in padding]

    def fed(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples, as `check` returns them, as the network takes them: still real values.

        Returns:
            an array for each of the file's inputs but the states: scaled, and the masks.
        """
        values = self._values(arrays)
        return [values[tensor.name] for tensor in self._fed_tensors]

    def _values(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """What the file's inputs take of samples: scaled, and the masks; by name."""
        names = [tensor.name for tensor in self.inputs]
        scaled = input_scaling.scaled(self.scalings, names, self.cleared(arrays))
        input_arrays, values = (
            dict(zip(names, arrays, strict=True)),
            dict(zip(names, scaled, strict=True)),
        )
        for name, mask in masks.computed(self.masks).items():
            values[name] = mask.of(input_arrays[mask.source])
        return values

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
