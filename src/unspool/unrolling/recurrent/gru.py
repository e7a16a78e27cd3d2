"""GRU: gates `r` and `z` as one tensor, and `h = c + z*(h - c)` for `z*h + (1 - z)*c`.

Formulas: Keras, `keras.layers.GRUCell`; Cho et al. 2014 (reset before), cuDNN (reset after).
Keras stores the gates in the order z, r, candidate; so do we, as z and r share the activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
class _GRU:
    """Weights of a GRU with `n` units over `f` features, and what both variants share."""

    kernel_zr: Array  # (f, 2n)
    kernel_c: Array  # (f, n)
    bias_zr: Array  # (2n,)
    bias_c: Array  # (n,)
    activation: Activation
    recurrent_activation: Activation

    @property
    def units(self) -> int:
        return int(self.kernel_c.shape[1])

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.units,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_shape,)

    def project(self, rows: Array) -> list[Array]:
        return [
            tf.nn.bias_add(tf.matmul(rows, self.kernel_zr), self.bias_zr, name="xproj_zr"),
            tf.nn.bias_add(tf.matmul(rows, self.kernel_c), self.bias_c, name="xproj_c"),
        ]

    def _gates(self, zr: Array) -> tuple[Array, Array]:
        zr = self.recurrent_activation(zr, name="zr")
        n = self.units
        return columns(zr, 0, n, "z"), columns(zr, n, 2 * n, "r")

    def _next(self, z: Array, c: Array, h: Array | None) -> tuple[Array, States]:
        if h is None:  # c + z*(0 - c), without an operator on zeros
            h = tf.subtract(c, tf.multiply(z, c, name="zc"), name="h")
        else:
            step = tf.multiply(z, tf.subtract(h, c, name="h_minus_c"), name="z_h_minus_c")
            h = tf.add(c, step, name="h")
        return h, (h,)


@dataclass(frozen=True)
class ResetAfterGRU(_GRU):
    """Keras's default GRU: the reset gate applies after the recurrent product."""

    recurrent_kernel: Array  # (n, 3n)
    recurrent_bias: Array  # (3n,), zero for z and r: their bias is in `bias_zr`

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        x_zr, x_c = projected
        n = self.units
        if states is None:
            h = None
            z, r = self._gates(x_zr)
            h_c = tf.reshape(self.recurrent_bias[2 * n :], (1, n))
        else:
            (h,) = states
            hproj = tf.nn.bias_add(
                tf.matmul(h, self.recurrent_kernel), self.recurrent_bias, name="hproj"
            )
            z, r = self._gates(tf.add(x_zr, columns(hproj, 0, 2 * n, "hproj_zr"), name="zr_sum"))
            h_c = columns(hproj, 2 * n, 3 * n, "hproj_c")
        c = self.activation(tf.add(x_c, tf.multiply(r, h_c, name="rh"), name="c_sum"), name="c")
        return self._next(z, c, h)


@dataclass(frozen=True)
class ResetBeforeGRU(_GRU):
    """The original GRU (`reset_after=False`): the reset gate applies to the state."""

    recurrent_kernel_zr: Array  # (n, 2n)
    recurrent_kernel_c: Array  # (n, n)

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        x_zr, x_c = projected
        if states is None:
            z, _ = self._gates(x_zr)
            return self._next(z, self.activation(x_c, name="c"), None)
        (h,) = states
        hproj = tf.matmul(h, self.recurrent_kernel_zr, name="hproj_zr")
        z, r = self._gates(tf.add(x_zr, hproj, name="zr_sum"))
        rh = tf.multiply(r, h, name="rh")
        hproj_c = tf.matmul(rh, self.recurrent_kernel_c, name="hproj_c")
        c = self.activation(tf.add(x_c, hproj_c, name="c_sum"), name="c")
        return self._next(z, c, h)


def from_keras(cell: keras.layers.GRUCell) -> Cell:
    """The deploy-time cell of a built Keras `GRUCell`."""
    n = cell.units
    zr, c = slice(0, 2 * n), slice(2 * n, 3 * n)
    kernel = weight(cell.kernel)
    recurrent = weight(cell.recurrent_kernel)
    bias = weight(cell.bias) if cell.use_bias else tf.zeros((2, 3 * n))
    from_input, from_state = (
        tf.unstack(bias) if len(bias.shape) == 2 else (bias, tf.zeros_like(bias))
    )
    shared = {
        "kernel_zr": kernel[:, zr],
        "kernel_c": kernel[:, c],
        # Only the candidate's recurrent bias is inside the reset gate; the rest moves to the input.
        "bias_zr": from_input[zr] + from_state[zr],
        "bias_c": from_input[c],
        "activation": form(cell.activation),
        "recurrent_activation": form(cell.recurrent_activation),
    }
    if cell.reset_after:
        inside = tf.concat([tf.zeros(2 * n), from_state[c]], 0)
        return ResetAfterGRU(**shared, recurrent_kernel=recurrent, recurrent_bias=inside)
    return ResetBeforeGRU(
        **shared, recurrent_kernel_zr=recurrent[:, zr], recurrent_kernel_c=recurrent[:, c]
    )
