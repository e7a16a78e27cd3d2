"""What layers read of a sequence that read windows of several time steps, or cut or pad it."""

from dataclasses import dataclass
from typing import Any

from unspool.support._tensorflow import keras
from unspool.unrolling.pieces import Pieces

_L = keras.layers
_CONVOLUTIONS = (
    *(_L.Conv1D, _L.DepthwiseConv1D, _L.SeparableConv1D),
    *(_L.Conv2D, _L.DepthwiseConv2D, _L.SeparableConv2D),
)
_POOLS = (_L.MaxPooling1D, _L.AveragePooling1D, _L.MaxPooling2D, _L.AveragePooling2D)
_GLOBAL_POOLS = (
    *(_L.GlobalMaxPooling1D, _L.GlobalAveragePooling1D),
    *(_L.GlobalMaxPooling2D, _L.GlobalAveragePooling2D),
)
_PADDINGS = (_L.ZeroPadding1D, _L.ZeroPadding2D)


@dataclass(frozen=True)
class Window:
    """What a layer reads of a sequence for each of its outputs.

    Attributes:
        size: rows, the ones that a dilation skips included.
        stride: rows from one window to the next.
        zeros: rows of zeros that the layer itself puts in front of the sequence.
        is_centred: it puts zeros on both sides, so that windows reach into what is to come.
        is_pool: the largest or the mean of a window, of which zeros at the ends are no part.
    """

    size: int
    stride: int
    zeros: int = 0
    is_centred: bool = False
    is_pool: bool = False

    @property
    def reads_before(self) -> bool:
        """Whether windows reach into what came before a call that begins with one."""
        return self.size > self.stride or self.zeros > 0

    def problem(self, in_front: int, pieces: Pieces) -> str:
        """Why it would compute something else piece by piece; "" where it would not.

        Args:
            in_front: rows of zeros that a layer before it puts in front of the sequence.
            pieces: what the sequence is cut into.
        """
        overlaps = self.size > self.stride
        if self.is_centred and self.is_pool and overlaps:
            return (
                'reads steps that are to come, by its padding "same", and no zeros where there are '
                'none; train it with padding "valid"'
            )
        if self.is_centred and (in_front or (overlaps and not pieces.looks_ahead)):
            return (
                f'reads steps that are to come, by its padding "same"; train it with padding '
                f'"causal", or with ZeroPadding of {self.size - 1} steps in front and "valid"'
                f"{'' if in_front else pieces.ahead}"
            )
        needed = self.size - self.stride
        if in_front + self.zeros < needed and not pieces.warms_up:
            most = self.size - 1
            steps = f"{needed} to {most}" if needed < most else f"{most}"
            return (
                f"reads windows of {self.size} time steps, of which the first are not full; train "
                f'it with padding "causal", or with ZeroPadding of {steps} steps in front of it'
            )
        return ""


def window(layer: Any) -> Window | None:
    """What a layer reads of (batch, time, ...); None for one that reads no windows of time."""
    if not isinstance(layer, _CONVOLUTIONS + _POOLS) or layer.data_format != "channels_last":
        return None
    if isinstance(layer, _POOLS):
        size, dilation = layer.pool_size[0], 1
    else:
        size, dilation = layer.kernel_size[0], layer.dilation_rate[0]
    size, stride = (size - 1) * dilation + 1, layer.strides[0]
    if size == stride == 1:
        return None
    if layer.padding == "same":  # of a sequence of whole strides
        return Window(size, stride, max(size - stride, 0) // 2, True, isinstance(layer, _POOLS))
    return Window(size, stride, size - 1 if layer.padding == "causal" else 0)


def same_zeros(length: int, size: int, stride: int) -> tuple[int, int]:
    """(zeros in front, behind) that a padding "same" puts around so many values of an axis."""
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def padding(layer: Any) -> tuple[int, int] | None:
    """(rows of zeros in front, behind) that a ZeroPadding layer adds to a sequence.

    Both are 0 of one that pads beside time alone; None of another layer.
    """
    if not isinstance(layer, _PADDINGS) or getattr(layer, "data_format", None) == "channels_first":
        return None
    both: tuple[int, int] = (
        layer.padding if isinstance(layer, _L.ZeroPadding1D) else layer.padding[0]
    )
    return both


def cropping(layer: Any) -> tuple[int, int] | None:
    """(rows cut in front, behind) by a Cropping layer that cuts time alone, or by `x[:, 2:-1]`."""
    if isinstance(layer, _L.Cropping1D):
        both = layer.cropping
    elif type(layer).__name__ == "GetItem":
        both = _sliced(layer)
    elif isinstance(layer, _L.Cropping2D) and layer.data_format == "channels_last":
        both, beside = layer.cropping
        if any(beside):
            return None
    else:
        return None
    return both if any(both) else None


def _sliced(layer: Any) -> tuple[int, int]:
    """(rows cut in front, behind) by a slice of time alone, whatever the length; else (0, 0)."""
    (node,) = layer._inbound_nodes[:1]
    key = next(iter(node.arguments.args[1:]), None)
    if not isinstance(key, tuple) or any(
        part != slice(None) and part is not Ellipsis for part in (*key[:1], *key[2:])
    ):
        return 0, 0
    time = key[1] if len(key) > 1 else None
    if not isinstance(time, slice) or key[0] is Ellipsis or time.step not in (None, 1):
        return 0, 0
    start, stop = time.start or 0, time.stop or 0
    return (start, -stop) if start >= 0 >= stop else (0, 0)


@dataclass(frozen=True)
class Spreading:
    """What a transposed convolution makes of each row: `size` rows from `stride` times it on.

    Attributes:
        size: rows that one row is spread over.
        stride: rows from the first of one to the first of the next.
        cut: rows cut in front and behind, by padding "same".
    """

    size: int
    stride: int
    cut: tuple[int, int]

    @property
    def reads_before(self) -> bool:
        """Whether a row of the output is made of several, so that a call needs those before it."""
        return self.size > self.stride


def spreading(layer: Any) -> Spreading | None:
    """What a Conv1DTranspose makes of (batch, time, ...); None for any other layer."""
    if not isinstance(layer, _L.Conv1DTranspose) or layer.data_format != "channels_last":
        return None
    (size,), (stride,), (gap,) = layer.kernel_size, layer.strides, layer.dilation_rate
    if gap != 1 or getattr(layer, "output_padding", None) is not None:
        return None
    over = max(size - stride, 0) if layer.padding == "same" else 0
    return Spreading(size, stride, (over // 2, over - over // 2))


def pools_all(layer: Any) -> bool:
    """Whether a layer gives the largest or the mean of all time steps."""
    return isinstance(layer, _GLOBAL_POOLS) and layer.data_format == "channels_last"


def without_padding(layer: Any) -> Any:
    """The layer, with its weights, for rows that are all there."""
    if layer.padding == "valid":
        return layer
    clone = type(layer).from_config({**layer.get_config(), "padding": "valid"})
    clone.build(layer.input.shape if hasattr(layer, "input") else None)
    clone.set_weights(layer.get_weights())
    return clone


def padded_beside(layer: Any) -> Any | None:
    """The zeros that a padding "same" adds to the frequencies of (time, frequency), if any."""
    if layer.padding != "same" or len(layer.kernel_size) == 1:
        return None
    size = (layer.kernel_size[1] - 1) * layer.dilation_rate[1] + 1
    both = same_zeros(layer.input.shape[2], size, layer.strides[1])
    return _L.ZeroPadding2D(((0, 0), both)) if any(both) else None


def beside_time(layer: Any) -> Any | None:
    """The zeros that a ZeroPadding2D adds to the other axis; None where it adds none."""
    if isinstance(layer, _L.ZeroPadding1D) or not any(layer.padding[1]):
        return None
    return _L.ZeroPadding2D(((0, 0), layer.padding[1]))
