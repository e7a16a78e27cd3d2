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
"""The states after a step, each (sequences, ...), in Keras's order: `(h,)` or `(h, c)`."""

Activation: TypeAlias = Callable[..., Array]


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
