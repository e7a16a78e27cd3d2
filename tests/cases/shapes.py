"""Cases: networks that are in use, with the shapes that they have there."""

from typing import Any

from cases.core import Case, L, functional, timed

SHAPE = "Real shapes"


def rnnoise(x: Any) -> Any:
    """RNNoise (Valin 2018): each GRU is fed by concatenations of earlier outputs."""
    dense = L.Dense(24, activation="tanh")(x)
    vad = L.GRU(24, return_sequences=True, name="vad_gru")(dense)
    noise = L.GRU(48, activation="relu", return_sequences=True, name="noise_gru")(
        L.Concatenate()([dense, vad, x])
    )
    denoise = L.GRU(96, return_sequences=True, name="denoise_gru")(L.Concatenate()([vad, noise, x]))
    return [
        L.Dense(22, activation="sigmoid", name="gains")(denoise),
        L.Dense(1, activation="sigmoid", name="vad")(vad),
    ]


def keyword_spotter(x: Any) -> Any:
    """Hello Edge (Zhang et al. 2017), CRNN: 49 frames of 10 MFCCs, GRU of 154, 12 words."""
    y = L.Reshape((*x.shape[1:], 1))(x)
    y = L.Conv2D(48, (10, 4), (2, 2), activation="relu")(y)
    y = L.Reshape((y.shape[1], 4 * 48))(y)
    return L.Dense(12, activation="softmax")(L.GRU(154)(y))


def deep_speech(x: Any) -> Any:
    """DeepSpeech (Hannun et al. 2014): three clipped-ReLU layers, recurrence, two dense."""
    for _ in range(3):
        x = L.ReLU(max_value=20)(L.Dense(32)(x))
    x = L.LSTM(32, return_sequences=True)(x)
    return L.Dense(29, activation="softmax")(L.ReLU(max_value=20)(L.Dense(32)(x)))


SHAPES = [
    Case(
        SHAPE,
        "RNNoise: three GRUs, 42 features, two heads",
        functional(rnnoise, timed(42)),
        lengths=(8, 33),
    ),
    Case(
        SHAPE,
        "keyword spotter: Conv2D, GRU 154",
        functional(keyword_spotter, lambda steps: (2 * steps + 9, 10)),
        lengths=(20, 33),
    ),
    Case(
        SHAPE,
        "DeepSpeech: clipped ReLU, LSTM",
        functional(deep_speech, timed(26)),
        lengths=(10, 33),
    ),
]
