"""LSTM: gates `i`, `f` and `o` as one tensor, the candidate `g` beside it.

Formula: Keras, `keras.layers.LSTMCell`; Hochreiter & Schmidhuber 1997 with the forget gate.
Keras stores the gates in the order i, f, g, o; here o comes before g, as i, f and o share the
activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    def state_sizes(self) -> tuple[int, ...]:
        return (self.units, self.units)

    def project(self, rows: Array) -> list[Array]:
        return [
            tf.nn.bias_add(tf.matmul(rows, self.kernel_ifo), self.bias_ifo, name="xproj_ifo"),
            tf.nn.bias_add(tf.matmul(rows, self.kernel_g), self.bias_g, name="xproj_g"),
        ]

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        ifo, g = projected
        n = self.units
        if states is not None:
            h, c = states
            hproj = tf.matmul(h, self.recurrent_kernel, name="hproj")
            ifo = tf.add(ifo, columns(hproj, 0, 3 * n, "hproj_ifo"), name="ifo_sum")
            g = tf.add(g, columns(hproj, 3 * n, 4 * n, "hproj_g"), name="g_sum")
        ifo = self.recurrent_activation(ifo, name="ifo")
        i, f, o = (columns(ifo, k * n, (k + 1) * n, "ifo"[k]) for k in range(3))
        ig = tf.multiply(i, self.activation(g, name="g"), name="ig")
        c = ig if states is None else tf.add(tf.multiply(f, c, name="fc"), ig, name="c")
        h = tf.multiply(o, self.activation(c, name="act_c"), name="h")
        return h, (h, c)


def from_keras(cell: keras.layers.LSTMCell) -> Cell:
    """The deploy-time cell of a built Keras `LSTMCell`."""
    n = cell.units
    kernel, recurrent_kernel = _ordered(cell.kernel), _ordered(cell.recurrent_kernel)
    bias = _ordered(cell.bias) if cell.use_bias else tf.zeros(4 * n)
    return LSTM(
        kernel_ifo=kernel[:, : 3 * n],
        kernel_g=kernel[:, 3 * n :],
        bias_ifo=bias[: 3 * n],
        bias_g=bias[3 * n :],
        recurrent_kernel=recurrent_kernel,
        activation=form(cell.activation),
        recurrent_activation=form(cell.recurrent_activation),
    )


def _ordered(variable: Any) -> Array:
    """Keras's gates i, f, g, o, by columns, as i, f, o, g."""
    i, f, g, o = tf.split(weight(variable), 4, axis=-1)
    return tf.concat([i, f, o, g], axis=-1)
