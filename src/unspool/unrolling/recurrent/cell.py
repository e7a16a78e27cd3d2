"""What a cell is at deploy time.

A cell is a frozen dataclass: its fields of type `Array` are weights, already in the order in which
the deploy graph uses them (gates that share an activation side by side), its methods are one step.
The time loop (`loop.py`) holds the weights as Keras variables and calls the methods. `from_keras`
of each module uses TensorFlow's operations, so that gradients flow back to the weights of the
trained cell.

Every operator is named after its role (`hproj`, `rz`, `h` ...): the converter keeps the names, and
calibration ties the ranges of tensors whose names differ in the step number only. So a role has
the same name in every step, the first one included.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from unspool.support._tensorflow import tf

Array: TypeAlias = Any
"""A TensorFlow tensor."""

States: TypeAlias = tuple[Array, ...]
"""The states after a step, each (1, width), in Keras's order: `(h,)` or `(h, c)`."""


class Cell(Protocol):
    """One recurrent cell, ready to be unrolled."""

    @property
    def units(self) -> int:
        """Width of the output."""

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Widths of the states, in Keras's order."""

    def project(self, rows: Array) -> list[Array]:
        """The part of a step that depends on the input alone, for all steps at once.

        Args:
            rows: the input sequence, (time steps, features).

        Returns:
            one or more tensors, each (time steps, width); a step is given one row of each.
        """

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        """One time step.

        Args:
            projected: one row, (1, width), of each tensor that `project` returned.
            states: the states before the step, each (1, width), or None for zero states, which
                cost no recurrent product.

        Returns:
            the output, (1, units), and the states after the step.
        """


def weight(variable: Any) -> Array:
    """A Keras variable's value in float32; in a `keras.StatelessScope` the value it has there."""
    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


def columns(x: Array, start: int, stop: int, name: str) -> Array:
    """Columns `start` to `stop` of a tensor (1, width), as one named SLICE operator."""
    return tf.slice(x, [0, start], [1, stop - start], name=name)
