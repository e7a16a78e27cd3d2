"""SimpleRNN: `h = activation(x @ W + b + h @ U)`. Formula: Keras, `keras.layers.SimpleRNNCell`."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.activations.curves import Activation
from unspool.unrolling.activations.forms import form
from unspool.unrolling.recurrent.cell import (
    Array,
    Cell,
    States,
    weight,
)


@dataclass(frozen=True)
class SimpleRNN:
    """Weights of a SimpleRNN with `n` units over `f` features."""

    kernel: Array  # (f, n)
    bias: Array  # (n,)
    recurrent_kernel: Array  # (n, n)
    activation: Activation

    @property
    def units(self) -> int:
        return int(self.kernel.shape[1])

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.units,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_shape,)

    def project(self, rows: Array) -> list[Array]:
        return [tf.nn.bias_add(tf.matmul(rows, self.kernel), self.bias, name="xproj")]

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        (total,) = projected
        if states is not None:
            hproj = tf.matmul(states[0], self.recurrent_kernel, name="hproj")
            total = tf.add(total, hproj, name="h_sum")
        h = self.activation(total, name="h")
        return h, (h,)


def from_keras(cell: keras.layers.SimpleRNNCell) -> Cell:
    """The deploy-time cell of a built Keras `SimpleRNNCell`."""
    return SimpleRNN(
        kernel=weight(cell.kernel),
        bias=weight(cell.bias) if cell.use_bias else tf.zeros(cell.units),
        recurrent_kernel=weight(cell.recurrent_kernel),
        activation=form(cell.activation),
    )
