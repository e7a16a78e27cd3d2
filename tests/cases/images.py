"""Cases: sequences of images, and of sequences: ConvLSTM, and TimeDistributed recurrences."""

from typing import Any

from cases.cells import MinimalGatedCell
from cases.core import Build, Case, L, chain, functional, timed
from unspool.support._tensorflow import keras

IMAGES, FRAMES = "Sequences of images", "Sequences of sequences"


def images(*layers: Any) -> Build:
    """Layers on steps of 6x5 images with two channels."""
    return chain(*layers, shape=timed(6, 5, 2))


def rows(*layers: Any) -> Build:
    """Layers on steps of 8 places with two channels."""
    return chain(*layers, shape=timed(8, 2))


def states_of_images(x: Any) -> Any:
    y, h, c = L.ConvLSTM2D(3, 3, padding="same", return_sequences=True, return_state=True)(x)
    last = L.ConvLSTM2D(3, 3, padding="same")(y, initial_state=[h, c])
    return [L.Dense(3, name="head")(L.Flatten()(last)), L.GlobalAveragePooling2D(name="cell")(c)]


def frames(*layers: Any) -> Build:
    """Layers on steps that are sequences themselves, of five features."""
    return chain(*layers, shape=timed(7, 5))


def branches(x: Any) -> Any:
    """A model with two recurrent layers and what joins them, for each frame."""
    frame = keras.Input(x.shape[2:])
    a, h, c = L.LSTM(4, return_sequences=True, return_state=True)(frame)
    b = L.GRU(4, return_sequences=True)(L.Conv1D(4, 3, padding="same", activation="relu")(frame))
    y = L.LSTM(4)(L.Concatenate()([a, b]), initial_state=[h, c])
    inner = keras.Model(frame, L.Dense(5, activation="tanh")(L.Dropout(0.2)(L.Add()([y, h]))))
    return L.Dense(3)(L.LSTM(6)(L.TimeDistributed(inner)(x)))


SEQUENCES_OF_MORE = [
    Case(IMAGES, "ConvLSTM2D", images(L.ConvLSTM2D(3, 3), L.Flatten(), L.Dense(3))),
    Case(
        IMAGES,
        "ConvLSTM2D, strides, valid, hard_sigmoid gates",
        images(
            L.ConvLSTM2D(3, (3, 2), strides=2, recurrent_activation="hard_sigmoid"),
            L.GlobalAveragePooling2D(),
            L.Dense(3),
        ),
    ),
    Case(
        IMAGES,
        "ConvLSTM2D, dilation, relu, use_bias=False",
        images(
            L.ConvLSTM2D(3, 3, dilation_rate=2, padding="same", activation="relu", use_bias=False),
            L.GlobalMaxPooling2D(),
            L.Dense(3),
        ),
    ),
    Case(
        IMAGES,
        "ConvLSTM2D, backwards, return_sequences",
        images(
            L.ConvLSTM2D(2, 3, padding="same", go_backwards=True, return_sequences=True),
            L.TimeDistributed(L.Flatten()),
            L.GRU(5),
        ),
    ),
    Case(
        IMAGES,
        "two ConvLSTM2D, BatchNormalization",
        images(
            L.ConvLSTM2D(3, 3, padding="same", return_sequences=True),
            L.BatchNormalization(),
            L.ConvLSTM2D(3, 3, padding="same"),
            L.Conv2D(2, 3, activation="relu"),
            L.Flatten(),
            L.Dense(3),
        ),
        mean=0.03,
    ),
    Case(
        IMAGES,
        "ConvLSTM2D, return_state, initial_state",
        functional(states_of_images, timed(6, 5, 2)),
    ),
    Case(
        IMAGES,
        "Bidirectional(ConvLSTM2D)",
        images(
            L.Bidirectional(L.ConvLSTM2D(2, 3, padding="same", return_sequences=True)),
            L.TimeDistributed(L.Conv2D(2, 3)),
            L.TimeDistributed(L.GlobalMaxPooling2D()),
            L.LSTM(4),
        ),
        mean=0.03,
    ),
    Case(IMAGES, "ConvLSTM1D", rows(L.ConvLSTM1D(4, 3), L.Flatten(), L.Dense(3))),
    Case(
        IMAGES,
        "two ConvLSTM1D, strides, dilation",
        rows(
            L.ConvLSTM1D(4, 3, padding="same", dilation_rate=2, return_sequences=True),
            L.ConvLSTM1D(4, 3, strides=2, padding="same", return_sequences=True),
        ),
    ),
    # Untrained, what frames give ranges over little, and what follows over less.
    *(
        Case(FRAMES, name, build, mean=0.04)
        for name, build in (
            ("TimeDistributed(LSTM)", frames(L.TimeDistributed(L.LSTM(8)), L.LSTM(6), L.Dense(3))),
            (
                "TimeDistributed(GRU), backwards, reset_after=False",
                frames(L.TimeDistributed(L.GRU(4, go_backwards=True, reset_after=False)), L.GRU(6)),
            ),
            (
                "TimeDistributed(SimpleRNN), return_sequences",
                frames(
                    L.TimeDistributed(L.SimpleRNN(4, return_sequences=True)),
                    L.TimeDistributed(L.GlobalAveragePooling1D()),
                    L.GRU(6),
                ),
            ),
            (
                "TimeDistributed(Bidirectional(LSTM))",
                frames(
                    L.TimeDistributed(L.Bidirectional(L.LSTM(4, return_sequences=True))),
                    L.TimeDistributed(L.Bidirectional(L.GRU(6))),
                    L.Dense(3),
                ),
            ),
            (
                "TimeDistributed(RNN([own cell, GRUCell]))",
                frames(L.TimeDistributed(L.RNN([MinimalGatedCell(6), L.GRUCell(4)])), L.GRU(6)),
            ),
            (
                "TimeDistributed(ConvLSTM1D)",
                chain(
                    L.TimeDistributed(L.ConvLSTM1D(3, 3, padding="same")),
                    L.TimeDistributed(L.Flatten()),
                    L.GRU(6),
                    shape=timed(3, 6, 2),
                ),
            ),
            ("TimeDistributed(model of recurrent layers)", functional(branches, timed(7, 5))),
        )
    ),
]
