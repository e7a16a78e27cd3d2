"""A .tflite file's inputs, outputs and states, and what passes through them in real units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError
from unspool.support import samples
from unspool.support.samples import OpenInput, Samples
from unspool.tflite import flatbuffer, input_scaling, marks
from unspool.tflite.flatbuffer import Tensor
from unspool.tflite.input_scaling import InputScaling


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


class Signature:
    """What a .tflite file takes and gives, whatever runs it.

    Attributes:
        inputs: the file's inputs without the states, in order.
        outputs: the file's outputs without the states, in order.
        pairs: which input takes what which output gave; empty for a file without states.
        state_names: of the pairs, such as ("gru/h",).
        heads: how the outputs are read; empty for a file that Unspool did not make.
        scalings: what is done to real values of inputs before they are quantized.
    """

    def __init__(self, content: bytes) -> None:
        """Read the bytes of a .tflite file.

        Raises:
            UnspoolError: not a .tflite file, or a state whose input and output differ in scale.
        """
        model = flatbuffer.read(content)
        inputs, outputs = flatbuffer.inputs_and_outputs(model)
        made = marks.read(model)
        self.heads, self.scalings = made.heads, made.scalings
        self.pairs = marks.state_pairs(made, inputs, outputs)
        self._state_tensors = [inputs[pair.input] for pair in self.pairs]
        self._own_inputs = [i for i in range(len(inputs)) if i not in {p.input for p in self.pairs}]
        self._own_outputs = [
            i for i in range(len(outputs)) if i not in {p.output for p in self.pairs}
        ]
        self.inputs: tuple[Tensor, ...] = tuple(inputs[i] for i in self._own_inputs)
        self.outputs: tuple[Tensor, ...] = tuple(outputs[i] for i in self._own_outputs)
        self.state_names = tuple(pair.name for pair in self.pairs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs that are not states."""
        return tuple(tensor.name for tensor in self.outputs)

    @property
    def time_steps(self) -> int:
        """How many time steps one call takes: those of the first input that has a time."""
        return next((t.shape[1] for t in self.inputs if len(t.shape) > 2), 1)

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
        arrays = samples.check(data, [open_time(tensor) for tensor in self.inputs], what)
        for array, tensor in zip(arrays, self.inputs, strict=True):
            if len(tensor.shape) > 2 and (array.shape[1] % tensor.shape[1] or not array.shape[1]):
                raise UnspoolError(
                    f"{what}: {array.shape[1]} time steps for input {tensor.name!r}, expected a "
                    f"multiple of {tensor.shape[1]}, which one call takes"
                )
        return arrays

    def outside(self, arrays: Sequence[np.ndarray]) -> tuple[Outside, ...]:
        """Inputs for which samples, as `check` returns them, are outside of its range."""
        by_name = {scaling.input: scaling for scaling in self.scalings}
        found = (
            _outside(tensor, array, by_name.get(tensor.name))
            for tensor, array in zip(self.inputs, arrays, strict=True)
        )
        return tuple(each for each in found if each is not None)

    def scaled(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples, as `check` returns them, as the network takes them, still real values."""
        return input_scaling.scaled(self.scalings, [t.name for t in self.inputs], arrays)

    def quantized(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples, as `check` returns them, as the file's inputs store them."""
        values = zip(self.inputs, self.scaled(arrays), strict=True)
        return [tensor.quantize(array) for tensor, array in values]

    def dequantized(self, given: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Real values of the outputs, of what the file's outputs store, states included."""
        return [
            tensor.dequantize(given[index])
            for index, tensor in zip(self._own_outputs, self.outputs, strict=True)
        ]

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


def _outside(tensor: Tensor, given: np.ndarray, scaling: InputScaling | None) -> Outside | None:
    if not tensor.scale:
        return None
    values = scaling.apply(given) if scaling else given
    limits = np.iinfo(tensor.dtype)
    ends = tensor.dequantize(np.array([limits.min, limits.max], tensor.dtype))
    beyond = np.maximum(ends[0] - values, values - ends[1])
    rows = beyond.reshape(len(values), -1).max(axis=1) > tensor.scale / 2  # else it is rounded
    if not rows.any():
        return None
    farthest = int(np.argmax(beyond))
    features = given.shape[-1]
    if scaling:  # the ends of the feature that is farthest outside
        whole = [scaling.undo(np.full(features, end)) for end in ends]
        ends = np.stack(whole)[:, farthest % features]
    low, high = sorted(map(float, ends))
    worst = float(given.ravel()[farthest])
    return Outside(tensor.name, int(rows.sum()), len(values), worst, low, high)


def open_time(tensor: Tensor) -> OpenInput:
    """The tensor as an input whose length in time is open."""
    batch, *shape = tensor.shape
    opened = (None, *shape[1:]) if len(shape) > 1 else tuple(shape)
    return OpenInput(tensor.name, (batch, *opened), tensor.dtype)
