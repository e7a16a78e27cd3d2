"""Sequences, fed to a float .tflite call by call; states are carried, tensors observed."""

from collections.abc import Sequence

import numpy as np

from unspool.quantization.observing import Observer
from unspool.tflite import flatbuffer
from unspool.tflite.signature import Signature


class Stream:
    """Runs a float .tflite with states on sequences, one after the other.

    Attributes:
        observer: keeps what its tensors take.
        done: how many sequences were run.
    """

    def __init__(
        self,
        float_tflite: bytes,
        signature: Signature,
        sequences: Sequence[np.ndarray],
        carry_states: bool,
        moments: bool = False,
    ) -> None:
        self._signature, self._sequences = signature, sequences
        self._carry_states = carry_states
        self._count = len(sequences[0])
        self._states, self._calls = signature.initial_states(1), 0
        calls = self._count * len(signature.calls(sequences))
        self.observer = Observer(float_tflite, flatbuffer.read(float_tflite), calls, moments)
        self.done = 0

    @property
    def is_over(self) -> bool:
        """Whether no sequence is left; with carried states, one is always left."""
        return not self._carry_states and self.done >= self._count

    def run_round(self) -> None:
        """Run a quarter of the sequences, or as many as were run before."""
        target = 2 * self.done or max(1, self._count // 4)
        if not self._carry_states:
            target = min(target, self._count)
        while self.done < target:
            self._run(self.done % self._count)
            self.done += 1

    def _run(self, number: int) -> None:
        """Run one sequence, from initial states or from those that the one before left."""
        sequence = [array[number, None] for array in self._sequences]
        if not self._carry_states:
            self._states, self._calls = self._signature.initial_states(1, sequence), 0
        for call in self._signature.calls(sequence):
            fed = self._signature.fed(call)
            outputs = self.observer.feed(self._signature.merged(fed, self._states))
            after = [outputs[pair.output] for pair in self._signature.pairs]
            self._states = self._signature.carried(self._states, after, self._calls)
            self._calls += 1
