"""A stream's layers whose windows reach into calls before: the rows in front are a state.

A window of `size` rows that moves on by `stride` reads, beside the rows of a call, some that came
in calls before. Zeros in front of the sequence, of padding "causal" or of a ZeroPadding layer, are
what the state holds before the first call. Where they do not fill the first window, or where
windows reach into what is to come, the state holds the rows of so many calls more: those first
calls give nothing that the whole sequence has, and the next one gives what it begins with. States
behind wait as long, and tensors that meet are delayed to the latest.
"""

import math
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras, tf
from unspool.tflite import names
from unspool.unrolling.recurrent_layers import DeployLayer, DeployState
from unspool.unrolling.substitutes import Function
from unspool.unrolling.windows import Window, cropping, padding, window

_L = keras.layers


@dataclass(frozen=True)
class Beginning:
    """How a tensor of a stream begins, beside that of the whole sequence.

    Attributes:
        calls: so many first calls give what the whole sequence does not have.
        shorter: by so many time steps of the model's (shortest) input the whole sequence is shorter
            than it: windows without zeros around it and cuts make it so.
        step: time steps of that input for each of its own.
        zeros: rows of zeros in front of it, which the window that reads it keeps.
        behind: rows of zeros behind it.
    """

    calls: int = 0
    shorter: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    zeros: int = 0
    behind: int = 0


@dataclass(frozen=True)
class Windows:
    """Makes the forms of such layers, which have states.

    Attributes:
        read: the layers, by id.
        reshapes: Reshape layers, by id, that keep each time step.
        states: of the deploy model; theirs are appended.
        give: turns a name into one that no other tensor or layer has.
        time_steps: of one call.
    """

    read: Set[int]
    reshapes: Set[int]
    states: list[DeployState]
    give: Callable[[str], str]
    time_steps: int
    _beginnings: dict[int, tuple[Any, Beginning]] = field(default_factory=dict)

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
        zeros, cut, read = padding(layer), cropping(layer), window(layer)
        if zeros:
            return self._zeros(layer, name, zeros, plain)
        if cut:
            return lambda chunk, **_: self._cut(layer, name, chunk, cut)
        if read is None:
            return None
        alone, beside = plain(_without_padding(layer), name), _padded_beside(layer)
        wider: DeployLayer = plain(beside, self.give(f"{name}_beside")) if beside else _as_it_is
        return lambda chunk, **_: self._read(
            layer, name, chunk, read, lambda rows: alone(wider(rows))
        )

    def calls_before(self, tensor: Any) -> int:
        """How many first calls give nothing of a tensor that the whole sequence has."""
        return self._of(tensor).calls

    def late(self, tensors: Iterable[Any]) -> int:
        """Time steps by which the latest of some tensors comes later than the whole sequence's."""
        begin = (self._of(tensor) for tensor in tensors)
        return max(
            math.floor((each.calls * self.time_steps - each.shorter) / each.step) * each.step
            for each in begin
        ).__ceil__()

    def follow(self, given: Any, outputs: Any) -> None:
        """Note that outputs of an operation begin as what it was given, unless they are known."""
        begin = [
            self._beginnings[id(tensor)][1]
            for tensor in keras.tree.flatten(given)
            if id(tensor) in self._beginnings
        ]
        if begin:
            common = Beginning(
                max(each.calls for each in begin),
                min(each.shorter for each in begin),
                max(each.step for each in begin),
            )
            for tensor in keras.tree.flatten(outputs):
                self._beginnings.setdefault(id(tensor), (tensor, common))

    def begin(self, inputs: Sequence[Any]) -> None:
        """Note the inputs that are sequences."""
        for tensor in inputs:
            self._note(tensor, Beginning(step=Fraction(self.time_steps, tensor.shape[1])))

    def together(self, name: str, given: Any) -> Any:
        """Tensors that meet, in a structure; those that are ahead are delayed to the latest."""
        begin = {
            id(tensor): self._beginnings[id(tensor)]
            for tensor in keras.tree.flatten(given)
            if id(tensor) in self._beginnings
        }
        latest = max((found.calls for _, found in begin.values()), default=0)
        delayed = {
            key: self._delayed(name, tensor, latest - found.calls)
            for key, (tensor, found) in begin.items()
            if found.calls < latest
        }
        return keras.tree.map_structure(lambda x: delayed.get(id(x), x), given)

    def _of(self, tensor: Any) -> Beginning:
        return self._beginnings.get(id(tensor), (None, Beginning()))[1]

    def _note(self, tensor: Any, begin: Beginning) -> None:
        self._beginnings[id(tensor)] = tensor, begin

    def _read(self, layer: Any, name: str, chunk: Any, read: Window, alone: DeployLayer) -> Any:
        """Windows over a chunk and the rows before it."""
        begin, length = self._of(chunk), chunk.shape[1]
        if read.is_centred and (begin.shorter / begin.step) % read.stride:
            raise UnspoolError(
                f'layer {layer.name!r} ({type(layer).__name__}): its padding "same" puts other '
                f"zeros in front of a sequence that is no multiple of its stride, {read.stride}, as "
                'those behind "valid" windows are; train it with padding "causal"'
            )
        zeros, overlap = begin.zeros + read.zeros, read.size - read.stride
        calls = max(0, math.ceil((overlap - zeros) / length))
        rows = zeros + calls * length
        whole = self._with_rows(layer, name, chunk, rows, begin.calls) if rows else chunk
        if rows - overlap >= read.stride:  # there would be windows of the next call
            whole = self._first(name, whole, length + overlap)
        output = alone(whole)
        # A padding "same" makes a sequence of whole strides no shorter.
        lost = 0 if read.is_centred else overlap - zeros - begin.behind
        step = Fraction(self.time_steps, length)
        shorter = begin.shorter + lost * step
        self._note(output, Beginning(begin.calls + calls, shorter, step * read.stride))
        return output

    def _cut(self, layer: Any, name: str, chunk: Any, cut: tuple[int, int]) -> Any:
        """A sequence that begins later: so are its states, and it ends as it does for Keras."""
        begin, length = self._of(chunk), chunk.shape[1]
        calls = math.ceil(sum(cut) / length)
        rows = calls * length - cut[0]
        output = self._behind(layer, name, chunk, rows)
        shorter = begin.shorter + sum(cut) * begin.step
        self._note(output, replace(begin, calls=begin.calls + calls, shorter=shorter))
        return output

    def _zeros(
        self, layer: Any, name: str, rows: tuple[int, int], plain: Callable[[Any, str], DeployLayer]
    ) -> DeployLayer:
        """Zeros around a sequence: the window behind them has those in front as its first rows."""
        beside = _beside_time(layer)
        # Another tensor: who else reads the chunk reads no zeros in front of it.
        inner: DeployLayer = plain(beside, name) if beside else Function(tf.identity, name=name)

        def call(chunk: Any, **_: Any) -> Any:
            begin, padded = self._of(chunk), inner(chunk)
            zeros, behind = begin.zeros + rows[0], begin.behind + rows[1]
            self._note(padded, replace(begin, zeros=zeros, behind=behind))
            return padded

        return call

    def _delayed(self, name: str, tensor: Any, calls: int) -> Any:
        """What a tensor was so many calls ago."""
        output = self._behind(None, f"{name}_delay", tensor, calls * tensor.shape[1])
        begin = self._of(tensor)
        self._note(output, replace(begin, calls=begin.calls + calls))
        return output

    def _behind(self, layer: Any, name: str, chunk: Any, rows: int) -> Any:
        """As many rows as a chunk has, from so many before it on."""
        if not rows:
            return Function(tf.identity, name=self.give(f"{name}_cut"))(chunk)
        whole = self._with_rows(layer, name, chunk, rows, 0)
        return self._first(name, whole, chunk.shape[1])

    def _first(self, name: str, whole: Any, rows: int) -> Any:
        return Function(lambda x: x[:, :rows], name=self.give(f"{name}_first"))(whole)

    def _with_rows(self, layer: Any, name: str, chunk: Any, rows: int, held: int) -> Any:
        """A chunk behind the rows that came before it; the last of both are the state."""
        again = any(state.layer is layer for state in self.states)
        state = names.state(self.give(name) if again or layer is None else name, "rows")
        before = keras.Input(
            (rows, *chunk.shape[2:]), batch_size=1, name=self.give(names.keras_name(state.input))
        )
        whole = _L.Concatenate(axis=1, name=self.give(f"{name}_with_rows"))([before, chunk])
        last = Function(lambda x: x[:, -rows:], name=self.give(f"{name}_rows"))
        self.states.append(DeployState(layer, replace(state, held=held), before, last(whole)))
        return whole


def _as_it_is(tensor: Any) -> Any:
    return tensor


def _without_padding(layer: Any) -> Any:
    """The layer, with its weights, for rows that are all there."""
    if layer.padding == "valid":
        return layer
    made = type(layer).from_config({**layer.get_config(), "padding": "valid"})
    made.build(layer.input.shape if hasattr(layer, "input") else None)
    made.set_weights(layer.get_weights())
    return made


def _padded_beside(layer: Any) -> Any | None:
    """The zeros that a padding "same" adds to the frequencies of (time, frequency), if any."""
    if layer.padding != "same" or len(layer.kernel_size) == 1:
        return None
    length, stride = layer.input.shape[2], layer.strides[1]
    size = (layer.kernel_size[1] - 1) * layer.dilation_rate[1] + 1
    total = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
    return _L.ZeroPadding2D(((0, 0), (total // 2, total - total // 2))) if total else None


def _beside_time(layer: Any) -> Any | None:
    """The zeros that a ZeroPadding2D adds to the other axis; None where it adds none."""
    if isinstance(layer, _L.ZeroPadding1D) or not any(layer.padding[1]):
        return None
    return _L.ZeroPadding2D(((0, 0), layer.padding[1]))
