"""What a cell is at deploy time.

A cell is a frozen dataclass: its fields of type `Array` are weights, already in the order in which
the deploy graph uses them (gates that share an activation side by side), its methods are one step.
The time loop (`loop.py`) holds the weights as Keras variables and calls the methods.

Every operator is named after its role (`hproj`, `rz`, `h` ...): the converter keeps the names, and
calibration ties the ranges of tensors whose names differ in the step number only. So a role has
the same name in every step, the first one included.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from unspool._tensorflow import tf

Array: TypeAlias = Any
"""A NumPy array in a cell at rest, a TensorFlow tensor in a cell that runs."""

States: TypeAlias = tuple[Array, ...]
"""The states after a step, each (1, units); the first is also the cell's output."""

Activation: TypeAlias = Callable[..., Array]


class Cell(Protocol):
    """One recurrent cell, ready to be unrolled."""

    @property
    def units(self) -> int:
        """Width of the output and of every state."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states in Keras's order: `("h",)` or `("h", "c")`."""

    def project(self, rows: Array) -> list[Array]:
        """What of a step depends on the input alone, for all steps in one operator each.

        Args:
            rows: the input sequence, (time steps, features).

        Returns:
            one or more tensors, each (time steps, width); a step is given one row of each.
        """

    def step(self, projected: Sequence[Array], states: States | None) -> States:
        """One time step.

        Args:
            projected: one row, (1, width), of each tensor that `project` returned.
            states: the states before the step, each (1, units), or None for zero states, which
                cost no recurrent product.
        """


def columns(x: Array, start: int, stop: int, name: str) -> Array:
    """Columns `start` to `stop` of a tensor (1, width), as one named SLICE operator."""
    return tf.slice(x, [0, start], [1, stop - start], name=name)


def linear(x: Array, name: str) -> Array:
    """No activation; keeps the role's name."""
    return tf.identity(x, name=name)


ACTIVATIONS: dict[str, Activation] = {
    "linear": linear,
    "relu": tf.nn.relu,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
}
"""Activations by Keras's name whose operator exists on the NPU."""
