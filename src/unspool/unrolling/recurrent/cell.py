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

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from unspool.support._tensorflow import tf

Array: TypeAlias = Any
"""A TensorFlow tensor."""

States: TypeAlias = tuple[Array, ...]
"""The states after a step, each (1, width), in Keras's order: `(h,)` or `(h, c)`."""

Activation: TypeAlias = Callable[..., Array]


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


def linear(x: Array, name: str) -> Array:
    """No activation; keeps the role's name."""
    return tf.identity(x, name=name)


def hard_sigmoid(x: Array, name: str) -> Array:
    """Keras 3's: `relu6(x + 3) / 6`."""
    return tf.multiply(tf.nn.relu6(tf.add(x, 3.0, name=f"{name}_plus_3")), 1 / 6, name=name)


def hard_sigmoid_of_keras_2(x: Array, name: str) -> Array:
    """`0.2 x + 0.5`, at least 0 and at most 1."""
    return hard_sigmoid(tf.multiply(x, 1.2, name=f"{name}_times_6_fifths"), name)


def relu6(x: Array, name: str | None = None) -> Array:
    """`6 - relu(6 - relu(x))`: RELU6 has no int8 form unless it is fused with another operator."""
    return tf.subtract(6.0, tf.nn.relu(6.0 - tf.nn.relu(x)), name=name)


ACTIVATIONS: dict[str, Activation] = {
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_of_keras_2": hard_sigmoid_of_keras_2,
    "linear": linear,
    "relu": tf.nn.relu,
    "relu6": relu6,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
}
"""Activations that the NPU has an operator for, by Keras's name."""
