"""How sequences go through a .tflite file: all at once, or call by call."""

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from unspool.tflite.ends import Tensor
from unspool.tflite.marks import Marks


class Calling:
    """What each call of a file takes of a sequence, and gives.

    Attributes:
        inputs: what samples hold, in order.
        outputs: the file's outputs without the states, in order.
        of_sequence: of a file that is called several times for a sequence; None for others.
    """

    def __init__(
        self,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        marks: Marks,
        goes_on: bool,
    ) -> None:
        """Take what a file has.

        Args:
            inputs: what samples hold, in order.
            outputs: without states.
            marks: of the file.
            goes_on: whether it has states, so that one call goes on where another one ended.
        """
        self.inputs, self.outputs, self.of_sequence = inputs, outputs, marks.calls
        self._in_time, self._goes_on = marks.in_time, goes_on

    @property
    def is_stream(self) -> bool:
        """Whether one call goes on where another one ended, however long that is done."""
        return self._goes_on and not self.is_cut

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
    def is_late(self) -> bool:
        """Whether a stream has given less of a sequence at its end than a network for all of it."""
        late = self.of_sequence.late if self.of_sequence else 0
        return max((*self._waits.values(), late)) > 0

    def has_time(self, tensor: Tensor) -> bool:
        """Whether an input is a sequence, (1, time steps, ...); else it has one value."""
        if self._in_time is None:  # files of others
            return len(tensor.shape) > 2
        return tensor.name in self._in_time and len(tensor.shape) > 1

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
