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
"""The states after a step, each (sequences, ...), in Keras's order: `(h,)` or `(h, c)`."""


class Cell(Protocol):
    """One recurrent cell, ready to be unrolled.

    It runs one sequence, or several of one length that know nothing of each other, such as the
    frames of a TimeDistributed: then the steps of all are computed at once.
    """

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one step's output, without the number of sequences: `(units,)`."""

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the states, likewise, in Keras's order."""

    def project(self, rows: Array) -> list[Array]:
        """The part of a step that depends on the input alone, for all steps at once.

        Args:
            rows: the inputs, (time steps * sequences, features), those of a step together.

        Returns:
            one or more tensors, each (time steps * sequences, width); a step is given its part of
            each.
        """

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        """One time step.

        Args:
            projected: a part, (sequences, width), of each tensor that `project` returned.
            states: the states before the step, each (sequences, width), or None for zero states,
                which cost no recurrent product.

        Returns:
            the output, (sequences, units), and the states after the step.
        """


def weight(variable: Any) -> Array:
    """A Keras variable's value in float32; in a `keras.StatelessScope` the value it has there."""
    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


def columns(x: Array, start: int, stop: int, name: str) -> Array:
    """`start` to `stop` along the last axis of a tensor, as one named SLICE operator."""
    *front, _ = x.shape
    return tf.slice(x, [*[0] * len(front), start], [*front, stop - start], name=name)
