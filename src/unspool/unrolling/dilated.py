"""Dilated convolutions, as an operator each.

Keras spells a dilation as a plain convolution between SpaceToBatchND and BatchToSpaceND, and
TensorFlow's converter puts the three together again. Where several layers read one tensor, as the
two gates of a WaveNet's block do, they share the SpaceToBatchND: it cannot be taken out any more,
and has no int8 form.
"""

from functools import partial
from typing import Any

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.recurrent.cell import Array, weight
from unspool.unrolling.recurrent.weights import OfTrained
from unspool.unrolling.substitutes import activated

_L = keras.layers
_PLAIN = (_L.Conv1D, _L.Conv2D)
_DEPTHWISE = (_L.DepthwiseConv1D, _L.DepthwiseConv2D)
_SEPARABLE = (_L.SeparableConv1D, _L.SeparableConv2D)


def is_dilated(layer: Any) -> bool:
    """Whether a layer is a convolution of Keras's that skips time steps, rows or columns.

    One whose windows are not side by side, too, is left as it is: few have both.
    """
    return (
        type(layer) in _PLAIN + _DEPTHWISE + _SEPARABLE
        and max(layer.dilation_rate) > 1
        and max(layer.strides) == 1
        and layer.data_format == "channels_last"
    )


class Dilated(OfTrained):
    """Such a layer: (1, time, channels) -> (1, steps, filters), or the same of images."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(partial(_weights, layer), dtype="float32", **kwargs)
        self._padding, self._dilations = layer.padding, tuple(layer.dilation_rate)
        self._activation = activated(layer) or layer.activation

    def call(self, x: Array) -> Array:
        """Convolve a sequence as an image of one row."""
        is_sequence, dilations = len(x.shape) == 3, self._dilations
        if is_sequence:
            x, dilations = tf.expand_dims(self._padded(x), 1), (1, *dilations)
        y = self._convolved(x, "SAME" if self._padding == "same" else "VALID", dilations)
        if "bias" in self.names:
            y = tf.nn.bias_add(y, self.tensor("bias"))
        return self._activation(tf.squeeze(y, 1) if is_sequence else y)

    def _padded(self, x: Array) -> Array:
        if self._padding != "causal":  # which Keras has for a plain convolution alone
            return x
        before = (self.tensor("kernel").shape[1] - 1) * self._dilations[0]
        return tf.pad(x, [(0, 0), (before, 0), (0, 0)])

    def _convolved(self, x: Array, padding: str, dilations: tuple[int, ...]) -> Array:
        if "kernel" in self.names:
            kernel = self.tensor("kernel")
            convolve = tf.nn.conv2d if kernel.shape[2] == x.shape[-1] else _conv2d_in_groups
            return convolve(x, kernel, 1, padding, dilations=dilations)
        y = tf.raw_ops.DepthwiseConv2dNative(  # `tf.nn.depthwise_conv2d` has a SpaceToBatchND
            input=x,
            filter=self.tensor("depthwise"),
            strides=[1, 1, 1, 1],
            padding=padding,
            dilations=[1, *dilations, 1],
        )
        if "pointwise" in self.names:
            y = tf.nn.conv2d(y, self.tensor("pointwise"), 1, "VALID")
        return y


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
def _conv2d_in_groups(x: Array, kernel: Array, *args: Any, **kwargs: Any) -> Array:
    """TensorFlow's, which computes groups on the CPU in compiled code alone."""
    return tf.nn.conv2d(x, kernel, *args, **kwargs)


def _weights(layer: Any) -> dict[str, Array]:
    """The layer's weights; kernels of sequences as those of images of one row."""
    if isinstance(layer, _SEPARABLE):
        kernels = {"depthwise": layer.depthwise_kernel, "pointwise": layer.pointwise_kernel}
    else:
        kernels = {"depthwise" if isinstance(layer, _DEPTHWISE) else "kernel": layer.kernel}
    weights = {name: weight(kernel) for name, kernel in kernels.items()}
    weights = {n: k if len(k.shape) == 4 else tf.expand_dims(k, 0) for n, k in weights.items()}
    return weights | ({"bias": weight(layer.bias)} if layer.use_bias else {})
