"""ConvLSTM: an LSTM whose products are convolutions, and whose states are images.

Formula: Keras, `ConvLSTMCell`; Shi et al. 2015 without peepholes. The input is convolved with the
layer's strides, padding and dilation, the state with none of these ("same"), so that it keeps its
shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unspool.frontend.activations import activation_name
from unspool.support._tensorflow import keras, tf
from unspool.unrolling.recurrent.cell import (
    ACTIVATIONS,
    Activation,
    Array,
    Cell,
    States,
    weight,
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
        return [
            tf.nn.bias_add(self._convolved(rows, kernel), bias, name=name)
            for kernel, bias, name in (
                (self.kernel_ifo, self.bias_ifo, "xproj_ifo"),
                (self.kernel_g, self.bias_g, "xproj_g"),
            )
        ]

    def _convolved(self, images: Array, kernel: Array) -> Array:
        """Convolutions of images (images, rows, [columns,] f) as the input's are."""
        return tf.nn.convolution(images, kernel, self.strides, self.padding, None, self.dilations)

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        hproj = None
        if states is not None:
            hproj = tf.nn.convolution(
                states[0], self.recurrent_kernel, padding="SAME", name="hproj"
            )
        return gated(self, projected, hproj, states)


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
        activation=ACTIVATIONS[activation_name(cell.activation)],
        recurrent_activation=ACTIVATIONS[activation_name(cell.recurrent_activation)],
        strides=tuple(cell.strides),
        dilations=tuple(cell.dilation_rate),
        padding=cell.padding.upper(),
        output_shape=tuple(shape[1:]),
    )
