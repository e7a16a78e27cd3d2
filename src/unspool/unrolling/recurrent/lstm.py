"""LSTM: gates `i`, `f` and `o` as one tensor, the candidate `g` beside it.

Formula: Keras, `keras.layers.LSTMCell`; Hochreiter & Schmidhuber 1997 with the forget gate.
Keras stores the gates in the order i, f, g, o; here o comes before g, as i, f and o share the
activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.activations.curves import Activation
from unspool.unrolling.activations.forms import form
from unspool.unrolling.recurrent.cell import (
    Array,
    Cell,
    States,
    columns,
    weight,
)


class Activations(Protocol):
    """A cell with the activations of an LSTM."""

    @property
    def activation(self) -> Activation:
        """Of the candidate and of `c`."""

    @property
    def recurrent_activation(self) -> Activation:
        """Of the gates."""


@dataclass(frozen=True)
class LSTM:
    """Weights of an LSTM with `n` units over `f` features."""

    kernel_ifo: Array  # (f, 3n)
    kernel_g: Array  # (f, n)
    bias_ifo: Array  # (3n,)
    bias_g: Array  # (n,)
    recurrent_kernel: Array  # (n, 4n), columns i, f, o, g
    activation: Activation
    recurrent_activation: Activation

    @property
    def units(self) -> int:
        return int(self.kernel_g.shape[1])

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.units,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_shape, self.output_shape)

    def project(self, rows: Array) -> list[Array]:
        return [
            tf.nn.bias_add(tf.matmul(rows, self.kernel_ifo), self.bias_ifo, name="xproj_ifo"),
            tf.nn.bias_add(tf.matmul(rows, self.kernel_g), self.bias_g, name="xproj_g"),
        ]

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        hproj = None
        if states is not None:
            hproj = tf.matmul(states[0], self.recurrent_kernel, name="hproj")
        return gated(self, projected, hproj, states)


def gated(
    cell: Activations, projected: Sequence[Array], hproj: Array | None, states: States | None
) -> tuple[Array, States]:
    """One step, from the products of the input and of the state with their kernels.

    Args:
        cell: with its two activations.
        projected: of the input, (..., 3n) for i, f and o, and (..., n) for g.
        hproj: of `h`, (..., 4n) in the order i, f, o, g; None for zero states.
        states: `h` and `c` before the step, each (..., n); None for zero states.

    Returns:
        the output, (..., n), and the states after the step.
    """
    ifo, g = projected
    n = g.shape[-1]
    if hproj is not None:
        ifo = tf.add(ifo, columns(hproj, 0, 3 * n, "hproj_ifo"), name="ifo_sum")
        g = tf.add(g, columns(hproj, 3 * n, 4 * n, "hproj_g"), name="g_sum")
    ifo = cell.recurrent_activation(ifo, name="ifo")
    i, f, o = (columns(ifo, k * n, (k + 1) * n, "ifo"[k]) for k in range(3))
    c = tf.multiply(i, cell.activation(g, name="g"), name="ig")
    if states is not None:
        c = tf.add(tf.multiply(f, states[1], name="fc"), c, name="c")
    h = tf.multiply(o, cell.activation(c, name="act_c"), name="h")
    return h, (h, c)


def from_keras(cell: keras.layers.LSTMCell) -> Cell:
    """The deploy-time cell of a built Keras `LSTMCell`."""
    n = cell.units
    kernel, recurrent_kernel = ordered(cell.kernel), ordered(cell.recurrent_kernel)
    bias = ordered(cell.bias) if cell.use_bias else tf.zeros(4 * n)
    return LSTM(
        kernel_ifo=kernel[:, : 3 * n],
        kernel_g=kernel[:, 3 * n :],
        bias_ifo=bias[: 3 * n],
        bias_g=bias[3 * n :],
        recurrent_kernel=recurrent_kernel,
        activation=form(cell.activation),
        recurrent_activation=form(cell.recurrent_activation),
    )


def ordered(variable: Any) -> Array:
    """Keras's gates i, f, g, o, along the last axis, as i, f, o, g."""
    i, f, g, o = tf.split(weight(variable), 4, axis=-1)
    return tf.concat([i, f, o, g], axis=-1)
