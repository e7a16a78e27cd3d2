"""Convolutions and pooling over time with strides that no NPU takes.

A convolution becomes one of stride 1 over blocks.

Vela takes strides up to 3 (and more in a few shapes). With a stride of s, output i reads samples
from i s on: if the sequence is cut into blocks of s samples, it reads from block i on. So it is a
convolution of stride 1 over blocks, with s times the channels and a kernel of ceil(k / s) blocks,
padded with zeros at its end. The arithmetic is the same.

Vela takes a far stride of a MaxPooling1D without padding: the windows that padding would fill, the
first and the last, are pooled by themselves. So it does of a convolution over images, to which the
zeros are joined.
"""

from typing import Any

from unspool.support._tensorflow import keras, tf
from unspool.unrolling import reductions
from unspool.unrolling.recurrent.cell import weight
from unspool.unrolling.recurrent_layers import DeployLayer
from unspool.unrolling.substitutes import Function
from unspool.unrolling.windows import same_zeros

_LARGEST = 3


def is_far(layer: Any) -> bool:
    """Whether a layer is a Conv1D whose stride has to be taken in blocks."""
    return (
        isinstance(layer, keras.layers.Conv1D)
        and layer.strides[0] > _LARGEST
        and layer.dilation_rate[0] == layer.groups == 1
        and layer.data_format == "channels_last"
    )


def in_blocks(layer: Any, name: str) -> DeployLayer:
    """A Conv1D, (1, time, channels) -> (1, steps, filters), over blocks of its stride."""
    (size,), (stride,) = layer.kernel_size, layer.strides
    blocks = -(-size // stride)
    convolution = keras.layers.Conv1D(
        layer.filters,
        blocks,
        activation=layer.activation,
        use_bias=layer.use_bias,
        name=name,
        dtype="float32",
    )

    def values() -> list[Any]:
        kernel = tf.pad(weight(layer.kernel), [(0, blocks * stride - size), (0, 0), (0, 0)])
        channels = stride * layer.kernel.shape[1]
        kernel = tf.reshape(kernel, (blocks, channels, layer.filters))
        return [kernel, *([weight(layer.bias)] if layer.use_bias else [])]

    def cut(x: Any) -> Any:
        _, length, channels = x.shape
        before, steps = _extent(layer, length)
        rows = steps - 1 + blocks
        after = rows * stride - before - length
        x = tf.pad(x, [(0, 0), (before, max(after, 0)), (0, 0)])[:, : rows * stride]
        return tf.reshape(x, (1, rows, stride * channels))

    convolution.trained_values = values
    in_front = Function(cut, name=f"{name}_blocks")

    def call(x: Any, **_: Any) -> Any:
        first = not convolution.built
        y = convolution(in_front(x))
        if first:
            convolution.set_weights(values())
        return y

    return call


def pools_far(layer: Any) -> bool:
    """Whether a layer is a MaxPooling1D, window beside window, that pads at a far stride."""
    return (
        isinstance(layer, keras.layers.MaxPooling1D)
        and layer.strides[0] > _LARGEST
        and layer.pool_size == layer.strides
        and layer.padding == "same"
        and layer.data_format == "channels_last"
    )


def without_padding(layer: Any, name: str) -> DeployLayer:
    """Such a MaxPooling1D: (1, time, channels) -> (1, steps, channels)."""
    (stride,) = layer.strides

    def pooled(x: Any) -> Any:
        length = x.shape[1]
        before = (-length % stride) // 2
        first = min((stride - before) % stride, length)  # samples of a window that is not full
        last = (length - first) % stride
        parts = [_largest(x[:, :first])] if first else []
        if length - first >= stride:
            parts.append(tf.nn.max_pool1d(x[:, first : length - last], stride, stride, "VALID"))
        parts += [_largest(x[:, length - last :])] if last else []
        return tf.concat(parts, axis=1) if len(parts) > 1 else parts[0]

    return Function(pooled, name=name)


def pads_far(layer: Any) -> bool:
    """Whether a layer is a Conv2D that pads at a far stride."""
    return (
        isinstance(layer, keras.layers.Conv2D)
        and max(layer.strides) > _LARGEST
        and layer.padding == "same"
        and set(layer.dilation_rate) == {1}
        and layer.data_format == "channels_last"
    )


def padded(layer: Any, name: str) -> Function:
    """The zeros that such a layer adds: (1, height, width, channels) -> the same, larger.

    They are joined to the image: an operator that pads is merged with the convolution, by the
    converter or by Vela, which then does not run it.
    """

    def call(x: Any) -> Any:
        for axis, size, stride in zip((1, 2), layer.kernel_size, layer.strides, strict=True):
            both = same_zeros(x.shape[axis], size, stride)
            shapes = [[*x.shape[:axis], side, *x.shape[axis + 1 :]] for side in both]
            before, after = ([tf.zeros(shape)] if shape[axis] else [] for shape in shapes)
            x = tf.concat([*before, x, *after], axis) if any(both) else x
        return x

    return Function(call, name=f"{name}_zeros")


def _largest(x: Any) -> Any:
    return reductions.largest_over(x, (1,), keepdims=True)


def _extent(layer: Any, length: int) -> tuple[int, int]:
    """(zeros in front of the sequence, steps of the output)."""
    (size,), (stride,) = layer.kernel_size, layer.strides
    if layer.padding == "valid":
        return 0, (length - size) // stride + 1
    steps = -(-length // stride)
    if layer.padding == "causal":
        return size - 1, steps
    return same_zeros(length, size, stride)[0], steps
