"""The time loop that all cells share, unrolled."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from unspool._tensorflow import keras, tf
from unspool.recurrent.cell import Array, Cell, States


class Unrolled(keras.layers.Layer):  # type: ignore[misc]
    """A recurrent layer for batch size 1 and a fixed number of steps, without a loop.

    Called on a sequence (1, time steps, features); returns what the Keras layer it stands for
    returns: (1, units), or (1, time steps, units) with `return_sequences`, and with
    `return_state` a list of that and the last states, each (1, units).

    Each step runs in the name scope `<layer>/step_007`, numbered in the order of processing.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        go_backwards: bool = False,
        return_sequences: bool = False,
        return_state: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        self.go_backwards = go_backwards
        self.return_sequences = return_sequences
        self.return_state = return_state
        self._variables = {
            field.name: self.add_weight(
                shape=value.shape, initializer=keras.initializers.Constant(value), name=field.name
            )
            for field in fields(cell)  # type: ignore[arg-type]
            if isinstance(value := getattr(cell, field.name), np.ndarray)
        }
        self.built = True

    def call(self, sequence: Array, initial_state: list[Array] | None = None) -> Any:
        """Run every step of `sequence`, (1, time steps, features)."""
        _, steps, features = sequence.shape
        # One tensor per weight, shared by all steps: a constant written once.
        tensors = {name: tf.convert_to_tensor(v) for name, v in self._variables.items()}
        cell = replace(self.cell, **tensors)  # type: ignore[type-var]
        rows = tf.reshape(sequence, (steps, features), name="rows")
        projected = [tf.split(p, steps) if steps > 1 else [p] for p in cell.project(rows)]

        states: States | None = None if initial_state is None else tuple(initial_state)
        outputs = []
        for number in range(steps):
            time = steps - 1 - number if self.go_backwards else number
            with tf.name_scope(f"{self.name}/step_{number:03d}/"):  # the slash: as it is, absolute
                states = cell.step([p[time] for p in projected], states)
            outputs.append(states[0])
        output = outputs[-1]
        if self.return_sequences:
            rows = tf.concat(outputs, axis=0, name="outputs")
            output = tf.reshape(rows, (1, steps, cell.units), name="sequence")
        return [output, *(states or ())] if self.return_state else output

    def compute_output_shape(self, sequence_shape: tuple[int, ...], *_: Any) -> Any:
        """Shapes of what `call` returns, without tracing every step."""
        state = (1, self.cell.units)
        output = (1, sequence_shape[1], self.cell.units) if self.return_sequences else state
        if self.return_state:
            return [output, *(state for _ in self.cell.state_names)]
        return output
