"""A stream's layers whose windows reach into calls before: the rows in front are a state.

A window of `size` rows that moves on by `stride` reads, beside the rows of a call, some that came
in calls before. Zeros in front of the sequence, of padding "causal" or of a ZeroPadding layer, are
what the state holds before the first call. Where they do not fill the first window, or where
windows reach into what is to come, the state holds the rows of so many calls more: those first
calls give nothing that the whole sequence has, and the next one gives what it begins with. States
behind wait as long, and tensors that meet are delayed to the latest.
"""

import math
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras, tf
from unspool.tflite import names
from unspool.unrolling.beginnings import Beginning, Beginnings, as_it_is
from unspool.unrolling.pieces import Pieces
from unspool.unrolling.recurrent_layers import DeployLayer, DeployState
from unspool.unrolling.stream_pools import empty_rows, since_reset
from unspool.unrolling.substitutes import Function
from unspool.unrolling.windows import (
    Spreading,
    Window,
    beside_time,
    cropping,
    padded_beside,
    padding,
    pools_all,
    spreading,
    window,
    without_padding,
)

_L = keras.layers


@dataclass(frozen=True)
class Windows:
    """Makes the forms of such layers, which have states.

    Attributes:
        read: the layers, by id.
        reshapes: Reshape layers, by id, that keep each time step.
        states: of the deploy model; theirs are appended.
        give: turns a name into one that no other tensor or layer has.
        beginnings: of the new tensors.
        pieces: how the stream is cut, and what a pooling over all steps takes.
    """

    read: Set[int]
    reshapes: Set[int]
    states: list[DeployState]
    give: Callable[[str], str]
    beginnings: Beginnings
    pieces: Pieces

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
            row_shape = layer.output.shape[2:]
            return Function(lambda x: tf.reshape(x, (1, x.shape[1], *row_shape)), name=name)
        if id(layer) not in self.read:
            return None
        zeros, cut, read = padding(layer), cropping(layer), window(layer)
        if zeros is not None:
            return self._zeros(layer, name, zeros, plain)
        if cut:
            return lambda chunk, *_, **__: self._cut(layer, name, chunk, cut)
        if pools_all(layer):
            pool = plain(layer, name)
            return lambda chunk, mask=None, **_: self._pooled(layer, name, chunk, mask, pool)
        if spread := spreading(layer):
            alone = plain(without_padding(layer), name)
            return lambda chunk, **_: self._spread(layer, name, chunk, spread, alone)
        if read is None:
            return None
        alone, beside = plain(without_padding(layer), name), padded_beside(layer)
        wider: DeployLayer = plain(beside, self.give(f"{name}_beside")) if beside else as_it_is
        return lambda chunk, **_: self._read(
            layer, name, chunk, read, lambda rows: alone(wider(rows))
        )

    def together(self, name: str, tensors: Any) -> Any:
        """Tensors that meet, in a structure; those that are ahead are delayed to the latest."""
        known = {id(t): t for t in keras.tree.flatten(tensors) if t in self.beginnings}
        calls = {key: self.beginnings.of(tensor).calls for key, tensor in known.items()}
        latest = max(calls.values(), default=0)
        delayed = {
            key: self._delayed(name, tensor, latest - calls[key])
            for key, tensor in known.items()
            if calls[key] < latest
        }
        return keras.tree.map_structure(lambda x: delayed.get(id(x), x), tensors)

    def _read(self, layer: Any, name: str, chunk: Any, read: Window, alone: DeployLayer) -> Any:
        """Windows over a chunk and the rows before it."""
        begin, length = self.beginnings.of(chunk), chunk.shape[1]
        if read.is_centred and (begin.shorter / begin.step) % read.stride:
            raise UnspoolError(
                f'layer {layer.name!r} ({type(layer).__name__}): its padding "same" puts other '
                f"zeros in front of a sequence that is no multiple of its stride, {read.stride}, "
                'as those behind "valid" windows are; train it with padding "causal"'
            )
        zeros, overlap = begin.zeros + read.zeros, read.size - read.stride
        calls = max(0, math.ceil((overlap - zeros) / length))
        rows = zeros + calls * length
        whole = self._with_rows(layer, name, chunk, rows, begin.calls) if rows else chunk
        if rows - overlap >= read.stride:  # there would be windows of the next call
            whole = self._first(name, whole, length + overlap)
        output = alone(begin.beside(whole))
        # A padding "same" makes a sequence of whole strides no shorter.
        lost = 0 if read.is_centred else overlap - zeros - begin.behind
        step = Fraction(self.beginnings.time_steps, length) * read.stride
        shorter = math.ceil((begin.shorter / begin.step + lost) / read.stride) * step
        self.beginnings.note(output, Beginning(begin.calls + calls, shorter, step))
        return output

    def _spread(
        self, layer: Any, name: str, chunk: Any, spread: Spreading, alone: DeployLayer
    ) -> Any:
        """What a transposed convolution makes of a chunk and the rows that reach into it."""
        begin, length = self.beginnings.of(chunk), chunk.shape[1]
        rows = math.ceil(spread.size / spread.stride) - 1
        all_rows = alone(self._with_rows(layer, name, chunk, rows, begin.calls))
        start, count = rows * spread.stride, length * spread.stride
        own = Function(lambda x: x[:, start : start + count], name=self.give(f"{name}_own"))
        output, step = own(all_rows), begin.step / spread.stride
        # The rows at its end to which no more are added are not waited for, and need no cut.
        shorter = begin.shorter - (spread.size - spread.stride - spread.cut[1]) * step
        self.beginnings.note(output, Beginning(begin.calls, shorter, step))
        front = spread.cut[0]
        return self._cut(None, name, output, (front, 0)) if front else output

    def _pooled(self, layer: Any, name: str, chunk: Any, mask: Any, pool: DeployLayer) -> Any:
        """A pooling over the last time steps: those before the chunk are the state."""
        begin, length = self.beginnings.of(chunk), chunk.shape[1]
        window, what = self.pieces.pool_window, f"layer {layer.name!r} ({type(layer).__name__})"
        most = (window - begin.shorter) / begin.step
        if mask is not None:
            raise UnspoolError(
                f"{what}: pools over steps that a mask may call padded, which a window does not "
                "leave out; expected `full_length`"
            )
        if most < length or most.denominator > 1:
            raise UnspoolError(
                f"`pool_window` {window}: {what} pools over {float(most):g} steps then, of which a "
                f"call gives {length}; expected as many or more, and whole ones"
            )
        rows, end = int(most) - length, self.beginnings.of_the_end(begin)
        whole = self._with_rows(layer, name, chunk, rows, begin.calls) if rows else chunk
        if rows and self.pieces.pool_since_reset:
            empty, state = empty_rows(self.states[-1], length, self.give)
            self.states.append(state)
            output = since_reset(layer, name, whole, empty, pool)
        else:
            output = pool(whole)
            end = replace(end, fills=window // self.beginnings.time_steps - 1)
        self.beginnings.note(output, end)
        return output

    def _cut(self, layer: Any, name: str, chunk: Any, cut: tuple[int, int]) -> Any:
        """A sequence that begins later: so are its states, and it ends as it does for Keras."""
        begin, length = self.beginnings.of(chunk), chunk.shape[1]
        calls = math.ceil(sum(cut) / length)
        rows = calls * length - cut[0]
        output = self._behind(layer, name, chunk, rows)
        shorter = begin.shorter + sum(cut) * begin.step
        self.beginnings.note(output, replace(begin, calls=begin.calls + calls, shorter=shorter))
        return output

    def _zeros(
        self, layer: Any, name: str, rows: tuple[int, int], plain: Callable[[Any, str], DeployLayer]
    ) -> DeployLayer:
        """Zeros around a sequence: the window behind them has those in front as its first rows."""
        added = beside_time(layer)
        beside = plain(added, self.give(f"{name}_beside")) if added else as_it_is
        # Another tensor: who else reads the chunk reads no zeros in front of it.
        same = Function(tf.identity, name=name)

        def call(chunk: Any, **_: Any) -> Any:
            begin, padded = self.beginnings.of(chunk), same(chunk)
            noted = replace(
                begin,
                zeros=begin.zeros + rows[0],
                behind=begin.behind + rows[1],
                beside=lambda x: beside(begin.beside(x)),
            )
            self.beginnings.note(padded, noted)
            return padded

        return call

    def _delayed(self, name: str, tensor: Any, calls: int) -> Any:
        """What a tensor was so many calls ago."""
        output = self._behind(None, f"{name}_delay", tensor, calls * tensor.shape[1])
        begin = self.beginnings.of(tensor)
        self.beginnings.note(output, replace(begin, calls=begin.calls + calls))
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
        has_states = any(state.layer is layer for state in self.states)
        state = names.state(self.give(name) if has_states or layer is None else name, names.ROWS)
        before = keras.Input(
            (rows, *chunk.shape[2:]), batch_size=1, name=self.give(names.keras_name(state.input))
        )
        whole = _L.Concatenate(axis=1, name=self.give(names.with_rows(name)))([before, chunk])
        last = Function(lambda x: x[:, -rows:], name=self.give(f"{name}_rows"))
        self.states.append(DeployState(layer, replace(state, held=held), before, last(whole)))
        return whole
