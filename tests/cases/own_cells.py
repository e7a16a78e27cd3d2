"""Cells of one's own, as people write them."""

from collections.abc import Callable
from typing import Any

from cases.cells import CELL
from cases.core import Case, L, chain
from unspool.support._tensorflow import keras

ops = keras.ops
registered = keras.saving.register_keras_serializable("tests")


@registered
class Zoneout(keras.layers.LSTMCell):  # type: ignore[misc]
    """At inference a part of the state before the step stays (Krueger et al. 2016)."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        before, memory = states
        _, (h, c) = super().call(inputs, states, training=training)
        h = 0.1 * before + 0.9 * h
        return h, [h, 0.2 * memory + 0.8 * c]


class _Gated(keras.layers.Layer):  # type: ignore[misc]
    """An LSTM's kernels."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]

    def build(self, shape: Any) -> None:
        width = self.state_size[0]
        self.kernel = self.add_weight(shape=(shape[-1], 4 * self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(width, 4 * self.units), name="recurrent")
        self.bias = self.add_weight(shape=(4 * self.units,), name="bias")

    def gates(self, inputs: Any, h: Any) -> Any:
        sums = ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent) + self.bias
        return ops.split(sums, 4, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@registered
class Peephole(_Gated):
    """Gates that see the cell's memory (Gers and Schmidhuber 2000)."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.peep = self.add_weight(shape=(3, self.units), name="peep")

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        h, c = states
        i, f, g, o = self.gates(inputs, h)
        i, f = ops.sigmoid(i + self.peep[0] * c), ops.sigmoid(f + self.peep[1] * c)
        c = f * c + i * ops.tanh(g)
        h = ops.sigmoid(o + self.peep[2] * c) * ops.tanh(c)
        return h, [h, c]


@registered
class Projected(_Gated):
    """A state narrower than the memory (Sak et al. 2014)."""

    def __init__(self, units: int, width: int = 5, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.state_size = [width, units]
        self.output_size = width

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.projection = self.add_weight(shape=(self.units, self.output_size), name="projection")

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        i, f, g, o = self.gates(inputs, states[0])
        c = ops.sigmoid(f) * states[1] + ops.sigmoid(i) * ops.tanh(g)
        h = ops.matmul(ops.sigmoid(o) * ops.tanh(c), self.projection)
        return h, [h, c]


@registered
class Normalized(_Gated):
    """A LayerNormalization of sums and of the memory (Ba et al. 2016)."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.sums, self.memory = L.LayerNormalization(), L.LayerNormalization()
        self.sums.build((None, 4 * self.units))
        self.memory.build((None, self.units))

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        sums = self.sums(ops.concatenate(self.gates(inputs, states[0]), axis=-1))
        i, f, g, o = ops.split(sums, 4, axis=-1)
        c = ops.sigmoid(f) * states[1] + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(self.memory(c))
        return h, [h, c]


@registered
class Doubled(keras.layers.GRUCell):  # type: ignore[misc]
    """A subclass of Keras's that changes what the cell computes."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        output, after = super().call(inputs, states, training=training)
        return 2 * output, after


@registered
class Learned(keras.layers.GRUCell):  # type: ignore[misc]
    """Its first state is a weight."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.first = self.add_weight(shape=(self.units,), name="first")

    def get_initial_state(self, batch_size: Any = None) -> Any:
        return [ops.broadcast_to(self.first, (batch_size, self.units))]


@registered
class Bounded(keras.layers.Layer):  # type: ignore[misc]
    """A minimal gated unit whose gate is squared, with a part of a split that nothing reads."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.sums = L.Dense(3 * units)

    def build(self, shape: Any) -> None:
        self.sums.build((None, shape[-1] + self.units))

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        (h,) = states
        gate, candidate, _ = ops.split(self.sums(ops.concatenate([inputs, h], -1)), 3, axis=-1)
        gate = ops.square(ops.sigmoid(gate))
        h = (1 - gate) * h + gate * ops.tanh(candidate)
        return h, [h]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


NORMALIZED = "LayerNormalization in an LSTM"

OWN: dict[str, Callable[[], Any]] = {
    "zoneout": lambda: L.RNN(Zoneout(8)),
    "peephole": lambda: L.RNN(Peephole(8), return_sequences=True),
    "projected LSTM": lambda: L.RNN(Projected(12)),
    NORMALIZED: lambda: L.RNN(Normalized(8)),
    "a subclass of GRUCell": lambda: L.RNN(Doubled(8)),
    "a learned initial state": lambda: L.RNN(Learned(8), return_sequences=True),
    "square, split": lambda: L.RNN(Bounded(8)),
    "a stack of own and Keras's": lambda: L.RNN([Zoneout(8), L.GRUCell(6), Learned(4)]),
}

CASES = [
    *(
        Case(CELL, f"own cell: {name}", chain(make()))
        for name, make in OWN.items()
        if name != NORMALIZED
    ),
    # A variance over eight units is at times near 0, where its root is steep: 2.2 % in 33 steps.
    Case(CELL, f"own cell: {NORMALIZED}", chain(OWN[NORMALIZED]()), mean=0.03, largest=0.135),
    Case(CELL, "own cell: Bidirectional", chain(L.Bidirectional(L.RNN(Learned(6))))),
]
