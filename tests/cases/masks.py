"""Cases: padded sequences. Keras is given the same padded samples."""

from typing import Any

from cases.cells import MinimalGatedCell
from cases.core import Build, Case, L, chain, functional
from unspool.support._tensorflow import keras

MASKS = "Masks"
PAD = -1.0


def _given(steps: int) -> Any:
    """A mask that is an input of the model."""
    x, mask = keras.Input((steps, 5), name="x"), keras.Input((steps,), name="valid", dtype="bool")
    return keras.Model([x, mask], L.Dense(3)(L.LSTM(8)(x, mask=mask)))


def _compared(steps: int) -> Any:
    """A mask that the model's own operations compute."""
    x = keras.Input((steps, 5), name="x")
    mask = keras.ops.any(keras.ops.not_equal(x, PAD), axis=-1)
    return keras.Model(x, L.GRU(8)(L.Dense(6)(x), mask=mask))


def _two(steps: int) -> Any:
    """Two inputs, each with padding of its own: a step is valid where one of them is."""
    x, z = keras.Input((steps, 5), name="x"), keras.Input((steps, 3), name="z")
    both = L.Concatenate()([L.Masking(PAD)(x), L.Masking(PAD)(z)])
    return keras.Model([x, z], L.GRU(8, return_sequences=True)(both))


def _initial(steps: int) -> Any:
    """Given a mask and initial states: until the first valid step, outputs are 0."""
    x, h = keras.Input((steps, 5), name="x"), keras.Input((8,), name="h")
    mask = keras.ops.any(keras.ops.not_equal(x, PAD), axis=-1)
    gru = L.GRU(8, return_sequences=True)
    return keras.Model([x, h], gru(x, initial_state=L.Dense(8)(h), mask=mask))


def _beside(x: Any) -> Any:
    """The padded input is read without its mask, too."""
    return L.Add()([L.GRU(8, return_sequences=True)(L.Masking(PAD)(x)), L.Dense(8)(x)])


def _residual(x: Any) -> Any:
    y = L.GRU(8, return_sequences=True)(L.Masking(PAD)(x))
    return L.GRU(4)(L.Add()([y, L.LSTM(8, return_sequences=True)(L.Dropout(0.2)(y))]))


def _both_means(x: Any) -> Any:
    """Of the valid steps, by the layer; of all of them, by the function, which takes no mask."""
    y = L.LSTM(8, return_sequences=True)(L.Masking(PAD)(x))
    return L.Dense(3)(L.Concatenate()([L.GlobalAveragePooling1D()(y), keras.ops.mean(y, axis=1)]))


def _nested(steps: int) -> Any:
    x = keras.Input((steps, 5), name="x")
    inner = keras.Sequential([keras.Input((steps, 5)), L.GRU(8, return_sequences=True)])
    return keras.Model(x, L.GRU(6)(inner(L.Masking(PAD)(x))))


def _masked(*layers: Any) -> Build:
    return chain(L.Masking(PAD), *layers)


CASES = [
    Case(MASKS, "Masking, SimpleRNN", _masked(L.SimpleRNN(8))),
    Case(MASKS, "Masking, GRU", _masked(L.GRU(8)), often=True),
    Case(MASKS, "Masking, GRU, reset_after=False", _masked(L.GRU(8, reset_after=False))),
    Case(MASKS, "Masking, LSTM, sequences", _masked(L.LSTM(8, return_sequences=True))),
    Case(
        MASKS,
        "Masking, three layers",
        _masked(
            L.LSTM(8, return_sequences=True),
            L.Dropout(0.1),
            L.GRU(8, return_sequences=True),
            L.TimeDistributed(L.Dense(4, activation="tanh")),
            L.SimpleRNN(6),
        ),
    ),
    Case(MASKS, "Masking, go_backwards", _masked(L.GRU(8, go_backwards=True))),
    Case(
        MASKS,
        "Masking, a stack of cells, backwards",
        _masked(L.RNN([L.LSTMCell(6), L.GRUCell(5)], go_backwards=True, return_sequences=True)),
    ),
    Case(MASKS, "Masking, Bidirectional", _masked(L.Bidirectional(L.LSTM(8)))),
    Case(
        MASKS,
        "Masking, two of Bidirectional, sequences",
        _masked(
            L.Bidirectional(L.GRU(8, return_sequences=True)),
            L.Bidirectional(L.LSTM(6, return_sequences=True), merge_mode="sum"),
        ),
    ),
    Case(
        MASKS,
        "Masking, zero_output_for_mask",
        _masked(L.RNN(L.GRUCell(8), return_sequences=True, zero_output_for_mask=True)),
    ),
    Case(
        MASKS,
        "Masking, a user's own cell",
        _masked(L.RNN(MinimalGatedCell(6), return_sequences=True)),
    ),
    Case(MASKS, "Masking(0)", chain(L.Masking(0.0), L.GRU(8))),
    Case(
        MASKS,
        "Masking, BatchNormalization",
        _masked(L.BatchNormalization(), L.LSTM(8), L.Dense(3)),
    ),
    Case(
        MASKS,
        "Masking, Conv1D, which Keras gives no mask",
        _masked(L.Conv1D(6, 3, padding="causal"), L.GRU(8)),
    ),
    Case(MASKS, "Masking, and the input beside it", functional(_beside)),
    Case(MASKS, "Masking, residual", functional(_residual)),
    Case(MASKS, "Masking, a nested model", _nested),
    Case(
        MASKS,
        "Masking, GRU, GlobalAveragePooling1D",
        _masked(L.GRU(8, return_sequences=True), L.GlobalAveragePooling1D()),
        least=1,
    ),
    Case(
        MASKS,
        "Masking, GlobalAveragePooling1D(keepdims) of Dense, Dense",
        _masked(
            L.GRU(8, return_sequences=True),
            L.Dense(6, activation="relu"),
            L.GlobalAveragePooling1D(keepdims=True),
            L.Dense(3),
        ),
        least=1,
    ),
    Case(
        MASKS,
        "Masking, GlobalAveragePooling1D, and mean over all steps",
        functional(_both_means),
        least=1,
    ),
    Case(
        MASKS,
        "Masking, GlobalMaxPooling1D, which Keras gives no mask",
        _masked(L.GRU(8, return_sequences=True), L.GlobalMaxPooling1D()),
    ),
    Case(
        MASKS,
        "Masking, Flatten, which Keras gives no mask",
        _masked(L.GRU(8, return_sequences=True), L.Flatten(), L.Dense(3)),
    ),
    Case(MASKS, "two masked inputs", _two),
    Case(MASKS, "mask= an input", _given),
    Case(MASKS, "mask= computed from an input", _compared),
    Case(MASKS, "mask= and initial_state=", _initial),
]
