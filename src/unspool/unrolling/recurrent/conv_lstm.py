"""ConvLSTM: an LSTM whose products are convolutions, and whose states are images.

Formula: Keras, `ConvLSTMCell`; Shi et al. 2015 without peepholes. The input is convolved with the
layer's strides, padding and dilation, the state with none of these ("same"), so that it keeps its
shape.
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
)
from unspool.unrolling.recurrent.lstm import gated, ordered

ConvLSTMCell = keras.src.layers.rnn.conv_lstm.ConvLSTMCell
"""Keras's cell of ConvLSTM1D, ConvLSTM2D and ConvLSTM3D, which it does not export."""


@dataclass(frozen=True)
class ConvLSTM:
    """Weights of a ConvLSTM with `n` filters over images of `f` channels; `k` is its window."""

    kernel_ifo: Array  # (*k, f, 3n)
    kernel_g: Array  # (*k, f, n)
    bias_ifo: Array  # (3n,)
    bias_g: Array  # (n,)
    recurrent_kernel: Array  # (*k, n, 4n), channels i, f, o, g
    activation: Activation
    recurrent_activation: Activation
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    output_shape: tuple[int, ...]  # (rows, n) or (rows, columns, n)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_shape, self.output_shape)

    def project(self, rows: Array) -> list[Array]:
        return [rows]  # images of all steps at once would have to be kept until their step

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        (image,) = projected
        ifo = self._input(image, self.kernel_ifo, self.bias_ifo, "xproj_ifo")
        g = self._input(image, self.kernel_g, self.bias_g, "xproj_g")
        hproj = None
        if states is not None:
            one = (1,) * len(self.strides)
            hproj = _convolved(states[0], self.recurrent_kernel, one, "SAME", one, "hproj")
        return gated(self, (ifo, g), hproj, states)

    def _input(self, image: Array, kernel: Array, bias: Array, name: str) -> Array:
        convolved = _convolved(image, kernel, self.strides, self.padding, self.dilations)
        return tf.nn.bias_add(convolved, bias, name=name)


def _convolved(
    images: Array,
    kernel: Array,
    strides: tuple[int, ...],
    padding: str,
    dilations: tuple[int, ...],
    name: str | None = None,
) -> Array:
    """Images (images, rows, [columns,] f), convolved; without columns, as images of one column."""
    if len(kernel.shape) == 4:
        return tf.nn.conv2d(images, kernel, strides, padding, None, dilations, name)
    one_column, window = tf.expand_dims(images, 2), tf.expand_dims(kernel, 1)
    convolved = _convolved(one_column, window, (*strides, 1), padding, (*dilations, 1))
    return tf.squeeze(convolved, 2, name=name)


def from_keras(cell: Any) -> Cell:
    """The deploy-time cell of a built Keras `ConvLSTMCell` with `channels_last`."""
    n = cell.filters
    kernel, recurrent_kernel = ordered(cell.kernel), ordered(cell.recurrent_kernel)
    bias = ordered(cell.bias) if cell.use_bias else tf.zeros(4 * n)
    shape, _ = cell.compute_output_shape((None, *cell.spatial_dims, cell.input_dim))
    return ConvLSTM(
        kernel_ifo=kernel[..., : 3 * n],
        kernel_g=kernel[..., 3 * n :],
        bias_ifo=bias[: 3 * n],
        bias_g=bias[3 * n :],
        recurrent_kernel=recurrent_kernel,
        activation=form(cell.activation),
        recurrent_activation=form(cell.recurrent_activation),
        strides=tuple(cell.strides),
        dilations=tuple(cell.dilation_rate),
        padding=cell.padding.upper(),
        output_shape=tuple(shape[1:]),
    )
