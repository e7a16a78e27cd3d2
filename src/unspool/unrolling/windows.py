"""Layers that read windows of several time steps, for streams: the rows in front are a state.

A window of `size` rows that moves on by `stride` reads, beside the rows of a call, some that came
in calls before. Zeros in front of the sequence, of padding "causal" or of a ZeroPadding layer, are
what the state holds before the first call: the outputs are those of the whole sequence, without
delay.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Any

from unspool.support._tensorflow import keras, tf
from unspool.tflite import names
from unspool.unrolling.recurrent_layers import DeployLayer, DeployState
from unspool.unrolling.substitutes import Function

_L = keras.layers
_CONVOLUTIONS = (
    *(_L.Conv1D, _L.DepthwiseConv1D, _L.SeparableConv1D),
    *(_L.Conv2D, _L.DepthwiseConv2D, _L.SeparableConv2D),
)
_POOLS = (_L.MaxPooling1D, _L.AveragePooling1D, _L.MaxPooling2D, _L.AveragePooling2D)
_PADDINGS = (_L.ZeroPadding1D, _L.ZeroPadding2D)


@dataclass(frozen=True)
class Window:
    """What a layer reads of a sequence for each of its outputs.

    Attributes:
        size: rows, the ones that a dilation skips included.
        stride: rows from one window to the next.
        zeros: rows of zeros that the layer itself puts in front of the sequence.
        is_centred: it puts zeros on both sides, so that windows reach into what is to come.
    """

    size: int
    stride: int
    zeros: int = 0
    is_centred: bool = False

    @property
    def reads_before(self) -> bool:
        """Whether windows reach into what came before a call that begins with one."""
        return self.size > self.stride or self.zeros > 0

    def problem(self, in_front: int) -> str:
        """Why it would compute something else on a stream; "" where it would not.

        Args:
            in_front: rows of zeros that a layer before it puts in front of the sequence.
        """
        needed = self.size - self.stride
        if self.is_centred and (needed > 0 or in_front):
            return (
                f'reads steps that are to come, by its padding "same"; train it with padding '
                f'"causal", or with ZeroPadding of {self.size - 1} steps in front and "valid"'
            )
        if in_front + self.zeros < needed:
            most = self.size - 1
            steps = f"{needed} to {most}" if needed < most else f"{most}"
            return (
                f"reads windows of {self.size} time steps, of which the first are not full; train "
                f'it with padding "causal", or with ZeroPadding of {steps} steps in front of it'
            )
        if in_front + self.zeros >= self.size:
            return (
                f"reads windows of {self.size} time steps behind {in_front + self.zeros} of zeros, "
                f"so that what it gives comes late; train it with {self.size - 1} at most"
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
    zeros = size - 1 if layer.padding == "causal" else 0
    return Window(size, stride, zeros, layer.padding == "same")


def padding(layer: Any) -> tuple[int, int] | None:
    """(rows of zeros in front, behind) that a ZeroPadding layer adds to a sequence."""
    if not isinstance(layer, _PADDINGS) or getattr(layer, "data_format", None) == "channels_first":
        return None
    both = layer.padding if isinstance(layer, _L.ZeroPadding1D) else layer.padding[0]
    return both if any(both) else None


def _as_it_is(x: Any) -> Any:
    return x


@dataclass(frozen=True)
class _Zeros:
    """What ZeroPadding layers put around a tensor.

    Attributes:
        tensor: of the deploy model, without them; None where there are none.
        rows: in front of the sequence.
        beside: puts those of other axes there.
    """

    tensor: Any = None
    rows: int = 0
    beside: Callable[[Any], Any] = _as_it_is


_NONE = _Zeros()


@dataclass(frozen=True)
class Windows:
    """Makes the forms of such layers, which have states.

    Attributes:
        read: the layers, by id.
        reshapes: Reshape layers, by id, that keep each time step.
        states: of the deploy model; theirs are appended.
        give: turns a name into one that no other tensor or layer has.
    """

    read: Set[int]
    reshapes: Set[int]
    states: list[DeployState]
    give: Callable[[str], str]
    _in_front: dict[int, _Zeros] = field(default_factory=dict)

    def form(
        self, layer: Any, name: str, plain: Callable[[Any, str], DeployLayer]
    ) -> DeployLayer | None:
        """The form of a layer for chunks of a stream; None for one that is as on sequences.

        Args:
            layer: of the trained model.
            name: of its form.
            plain: makes the form of a layer that is given all the rows it reads.
        """
        if id(layer) in self.reshapes:
            kept = layer.output.shape[2:]
            return Function(lambda x: tf.reshape(x, (1, x.shape[1], *kept)), name=name)
        if id(layer) not in self.read:
            return None
        zeros, read = padding(layer), window(layer)
        if zeros:
            return self._zeros(layer, name, zeros[0], plain)
        if read is None:
            return None
        alone = plain(_without_padding(layer), name)

        def call(chunk: Any, **_: Any) -> Any:
            zeros = self._in_front.get(id(chunk), _NONE)
            rows = zeros.rows + read.zeros
            return alone(zeros.beside(self._with_rows(layer, name, chunk, rows) if rows else chunk))

        return call

    def _zeros(
        self, layer: Any, name: str, rows: int, plain: Callable[[Any, str], DeployLayer]
    ) -> DeployLayer:
        """Zeros in front of a sequence, which are the first rows of the window behind them.

        Zeros beside it are put there with these rows: the state does not hold them, and Vela makes
        them a convolution's own padding.
        """
        added = _beside_time(layer)
        beside = plain(added, self.give(f"{name}_beside")) if added else _as_it_is
        # Another tensor: who else reads the chunk reads no zeros in front of it.
        same = Function(tf.identity, name=name)

        def call(chunk: Any, **_: Any) -> Any:
            before = self._in_front.get(id(chunk), _NONE)
            padded = same(chunk)
            self._in_front[id(padded)] = _Zeros(
                padded, before.rows + rows, lambda x: beside(before.beside(x))
            )
            return padded

        return call

    def _with_rows(self, layer: Any, name: str, chunk: Any, rows: int) -> Any:
        """A chunk behind the rows that came before it; the last of both are the state."""
        first = not any(state.layer is layer for state in self.states)
        state = names.state(name if first else self.give(name), "rows")
        before = keras.Input(
            (rows, *chunk.shape[2:]), batch_size=1, name=self.give(names.keras_name(state.input))
        )
        whole = keras.layers.Concatenate(axis=1, name=self.give(f"{name}_with_rows"))(
            [before, chunk]
        )
        last = Function(lambda x: x[:, -rows:], name=self.give(f"{name}_rows"))
        self.states.append(DeployState(layer, state, before, last(whole)))
        return whole


def _without_padding(layer: Any) -> Any:
    """The layer, with its weights, for rows that are all there."""
    if layer.padding == "valid":
        return layer
    made = type(layer).from_config({**layer.get_config(), "padding": "valid"})
    made.build(layer.input.shape if hasattr(layer, "input") else None)
    made.set_weights(layer.get_weights())
    return made


def _beside_time(layer: Any) -> Any | None:
    """The zeros that a ZeroPadding2D adds to the other axis; None where it adds none."""
    if isinstance(layer, _L.ZeroPadding1D) or not any(layer.padding[1]):
        return None
    return _L.ZeroPadding2D(((0, 0), layer.padding[1]))
