"""Cases: the cells, and the lengths of their sequences."""

from typing import Any

from cases.core import Case, L, chain
from unspool.support._tensorflow import keras

CELL, LENGTH = "Cells", "Sequence length"


@keras.saving.register_keras_serializable("tests")
class MinimalGatedCell(L.Layer):  # type: ignore[misc]
    """A user's own cell: one gate, output not equal to the state."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.gate = L.Dense(units, activation="sigmoid", name="gate")
        self.candidate = L.Dense(units, activation="tanh", name="candidate")

    def build(self, shape: Any) -> None:
        width = shape[-1] + self.units
        self.gate.build((None, width))
        self.candidate.build((None, width))

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        (h,) = states  # one state in a list, as keras.layers.RNN gives it
        gate = self.gate(keras.ops.concatenate([inputs, h], -1))
        candidate = self.candidate(keras.ops.concatenate([inputs, gate * h], -1))
        h = h + gate * (candidate - h)
        return keras.ops.tanh(h), [h]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


CELLS = [
    Case(CELL, "SimpleRNN, tanh", chain(L.SimpleRNN(8))),
    Case(CELL, "SimpleRNN, relu", chain(L.SimpleRNN(8, activation="relu"))),
    # Its kernel has the eigenvalue 1.083: what the first of 33 steps rounds becomes 14 times that,
    # and which values a range is chosen from decides whether it errs by less than 4.5 or by 4.8 %.
    Case(
        CELL,
        "SimpleRNN, linear",
        chain(L.SimpleRNN(8, activation=None)),
        mean=0.05,
        largest_int16=0.04,
    ),
    Case(CELL, "SimpleRNN, use_bias=False", chain(L.SimpleRNN(8, use_bias=False))),
    Case(CELL, "SimpleRNN, gelu", chain(L.SimpleRNN(8, activation="gelu")), mean=0.03),
    Case(CELL, "GRU, reset_after=True", chain(L.GRU(8)), often=True),
    Case(CELL, "GRU, reset_after=False", chain(L.GRU(8, reset_after=False))),
    Case(CELL, "GRU, relu", chain(L.GRU(8, activation="relu"))),
    Case(CELL, "GRU, elu", chain(L.GRU(8, activation="elu"))),
    Case(CELL, "GRU, softsign", chain(L.GRU(8, activation="softsign"))),
    Case(CELL, "GRU, linear", chain(L.GRU(8, activation="linear"))),
    Case(CELL, "GRU, hard_sigmoid gates", chain(L.GRU(8, recurrent_activation="hard_sigmoid"))),
    Case(CELL, "GRU, use_bias=False", chain(L.GRU(8, use_bias=False))),
    Case(
        CELL,
        "GRU, reset_after=False, use_bias=False",
        chain(L.GRU(8, reset_after=False, use_bias=False)),
    ),
    Case(CELL, "LSTM", chain(L.LSTM(8))),
    # Without a bound, a sixth off the range of f * c is a large error where it is taken.
    Case(CELL, "LSTM, relu", chain(L.LSTM(8, activation="relu")), largest=0.13),
    Case(CELL, "LSTM, selu", chain(L.LSTM(8, activation="selu"))),
    Case(CELL, "LSTM, softsign", chain(L.LSTM(8, activation="softsign"))),
    Case(CELL, "LSTM, hard_sigmoid gates", chain(L.LSTM(8, recurrent_activation="hard_sigmoid"))),
    Case(CELL, "LSTM, use_bias=False", chain(L.LSTM(8, use_bias=False))),
    Case(CELL, "LSTM, unit_forget_bias=False", chain(L.LSTM(8, unit_forget_bias=False))),
    Case(CELL, "a user's own cell", chain(L.RNN(MinimalGatedCell(6)))),
    Case(LENGTH, "open length", chain(L.GRU(8), shape=(None, 5)), lengths=(9, 33), is_open=True),
    Case(LENGTH, "one step", chain(L.LSTM(8)), lengths=(1,), often=True),
    Case(LENGTH, "two steps", chain(L.GRU(8, return_sequences=True)), lengths=(2,)),
    Case(LENGTH, "200 steps", chain(L.GRU(8)), lengths=(200,)),
    Case(LENGTH, "200 steps, sequences", chain(L.LSTM(8, return_sequences=True)), lengths=(200,)),
]
