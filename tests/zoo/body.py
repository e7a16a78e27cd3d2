"""Networks that read muscles, brains, sleep, blood sugar and patients."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from zoo.core import CLASSES, SHORT, Architecture, logits, seeded, sequential
from zoo.signals import FIXED, bump, classes, real, shifted, templates, uniform, wander

L = keras.layers
GROUP = "Body"


def muscles(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """NinaPro DB1: 2 s of ten rectified EMG channels at 100 Hz, standardised; 52 movements."""
    y = classes(rng, count, 52)
    effort = np.abs(templates(52, 200, 10, rank=4))[y]
    effort = shifted(effort, rng.integers(-8, 9, count)) * rng.normal(1, 0.15, (count, 1, 10))
    x = np.abs(0.25 + effort) * np.exp(0.9 * wander(rng, (count, 200, 10), 0.6))
    return real((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)), y


def gestures(rng: np.random.Generator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Eight EMG channels of an armband, what is counted in ten parts of it, and four sums."""
    y = classes(rng, count, 7)
    force = np.random.default_rng(FIXED).uniform(0.1, 1, (7, 8))[y][:, None]
    force = force * rng.normal(1, 0.2, (count, 1, 8)) * bump(np.arange(50), 25, 18)[:, None]
    x = force * rng.normal(0, 1, (count, 50, 8))
    parts = x.reshape(count, 10, 5, 8)
    steps = np.diff(parts, axis=2)
    zeros = (parts[:, :, 1:] * parts[:, :, :-1] < -0.05).sum(2)
    turns = (steps[:, :, 1:] * steps[:, :, :-1] < -0.05).sum(2)
    size = np.abs(x)
    sums = [size.mean(1), x.std(1), np.abs(np.diff(x, axis=1)).mean(1), size.max(1)]
    inputs = {"emg": x, "zero crossings": zeros, "slope changes": turns, "sums": np.stack(sums, 1)}
    return {name: real(values) for name, values in inputs.items()}, y


@seeded
def armband() -> Any:
    shapes = {"emg": 50, "zero crossings": 10, "slope changes": 10}
    inputs = [keras.Input((steps, 8), name=name) for name, steps in shapes.items()]
    parts = [
        L.Dense(24, activation="relu")(L.Dropout(0.3)(L.Bidirectional(L.LSTM(24))(x)))
        for x in inputs
    ]
    inputs.append(keras.Input((4, 8), name="sums"))
    parts.append(L.Dense(24, activation="relu")(L.Flatten()(inputs[-1])))
    y = L.Dropout(0.3)(L.Dense(24, activation="relu")(L.Concatenate()(parts)))
    y = L.Dense(7, activation="softmax")(L.Dense(7, activation="relu")(y))
    return keras.Model(inputs, y, name="armband")


def imagined(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two seconds of 32 EEG channels at 256 Hz, standardised: left or right hand imagined.

    The mu rhythm of the other side of the head gets weaker.
    """
    y = classes(rng, count, 2)
    t = np.arange(512)[None, :, None] / 256
    places = np.random.default_rng(FIXED).normal(0, 1, (3, 32))
    weak = uniform(rng, count, 0.2, 0.5)[:, None]
    sides = np.where(y == 0, 1, 0)[:, None, None]
    phase = 2 * np.pi * (rng.normal(11, 0.6, (count, 1, 2)) * t + rng.uniform(0, 1, (count, 1, 2)))
    slow = 1 + 0.3 * wander(rng, (count, 512, 2), 0.99)
    mu = np.sin(phase) * slow
    left, right = mu[..., :1] * np.where(sides, 1, weak), mu[..., 1:] * np.where(sides, weak, 1)
    alpha = np.sin(2 * np.pi * 9.5 * t + uniform(rng, count, 0, 6)[:, None])
    x = left * places[0] + right * places[1] + 0.7 * alpha * places[2]
    x = x + 1.2 * wander(rng, (count, 512, 32), 0.9)
    return real(x / 1.6), y


@seeded
def eeg() -> Any:
    x = keras.Input((512, 32), name="eeg")
    y = x
    for _ in range(3):
        y = L.Conv1D(64, 3, padding="same")(y)
        y = L.Activation("elu")(L.BatchNormalization(momentum=SHORT)(y))
    y = L.MaxPooling1D(2)(L.Dropout(0.5)(y))
    y = L.Dropout(0.5)(L.GRU(64)(y))
    y = L.Dense(64, activation="elu")(y)
    return keras.Model(x, L.Dense(2, activation="softmax")(y), name="eeg_cnn_gru")


def nights(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten epochs of 30 s of one EEG channel at 100 Hz in microvolts; wake, N1, N2, N3, REM."""
    stay = rng.uniform(0, 1, (count, 10)) < 0.75
    other = rng.integers(0, 5, (count, 10))
    y = other.copy()
    for epoch in range(1, 10):
        y[:, epoch] = np.where(stay[:, epoch], y[:, epoch - 1], other[:, epoch])
    t = np.arange(3000) / 100
    rates = np.array([1.2, 3.0, 6.0, 10.0, 13.5, 22.0])
    awake, first, second = [8, 4, 5, 22, 4, 9], [12, 8, 16, 6, 3, 4], [26, 9, 8, 4, 13, 2]
    deep, rem = [62, 22, 7, 3, 4, 1], [9, 14, 12, 5, 3, 5]
    levels = np.array([awake, first, second, deep, rem])[y]
    bent = 2 * np.pi * rates * t[:, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 10, 1, 6))
    wobble = np.repeat(rng.normal(0, 0.8, (count, 10, 30, 6)), 100, axis=2)
    swell = np.repeat(np.abs(rng.normal(1, 0.4, (count, 10, 30, 6))), 100, axis=2)
    x = (levels[:, :, None] * swell * np.sin(bent + phase + wobble)).sum(-1)
    x += rng.normal(0, 6, x.shape)
    return real(x[..., None]), y


@seeded
def tiny_sleep_net() -> Any:
    """A CNN for each epoch of 30 s, and an LSTM along the night."""
    epoch = keras.Sequential(
        [
            keras.Input((3000, 1)),
            L.Conv1D(128, 50, 6, padding="same", use_bias=False),
            L.BatchNormalization(momentum=SHORT),
            L.ReLU(),
            L.MaxPooling1D(8, padding="same"),
            L.Dropout(0.5),
            *[
                layer
                for _ in range(3)
                for layer in (
                    L.Conv1D(128, 8, padding="same", use_bias=False),
                    L.BatchNormalization(momentum=SHORT),
                    L.ReLU(),
                )
            ],
            L.MaxPooling1D(4, padding="same"),
            L.Flatten(),
            L.Dropout(0.5),
        ],
        name="epoch",
    )
    x = keras.Input((None, 3000, 1), name="eeg")
    y = L.LSTM(128, return_sequences=True, name="night")(L.TimeDistributed(epoch, name="cnn")(x))
    return keras.Model(x, L.Dense(5, activation="softmax", name="stage")(y), name="tiny_sleep_net")


@keras.saving.register_keras_serializable("zoo")  # type: ignore[untyped-decorator]
def surprise(expected: Any, given: Any) -> Any:
    """Negative log-likelihood of the second column under what is given: deviation and mean."""
    deviation, mean = given[:, :1], given[:, 1:]
    away = (expected[:, 1:] - mean) / deviation
    return keras.ops.log(deviation) + 0.5 * away**2


def sugar(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """An hour of glucose in 100 mg/dl every 5 minutes, and it (with its noise) 30 minutes later."""
    t = np.arange(18)
    meal = uniform(rng, count, -16, 22)
    rise = uniform(rng, count, 0, 0.9) * (rng.uniform(0, 1, (count, 1)) < 0.6)
    level = uniform(rng, count, 0.7, 2.3) + uniform(rng, count, -0.02, 0.02) * t
    level = level + rise * bump(t[None], meal, 5) + 0.05 * wander(rng, (count, 18), 0.9)
    noise = 0.02 + 0.06 * np.abs(rise)
    later = level[:, 17:] + noise * rng.normal(0, 1, (count, 1))
    return real(np.clip(level[:, :12], 0.4, 4)[..., None]), real(np.concatenate([noise, later], 1))


@seeded
def glucose() -> Any:
    x = keras.Input((12, 1), name="glucose")
    y = L.LSTM(256)(x)
    y = L.Dropout(0.2)(L.Activation("relu")(L.Dense(512)(y)))
    y = L.Dropout(0.3)(L.Activation("relu")(L.Dense(256)(y)))
    mean = L.Dense(1)(y)
    deviation = L.Activation("exponential", name="exponential_activation")(L.Dense(1)(y))
    return keras.Model(x, L.Concatenate()([deviation, mean]), name="glucose")


def patients(rng: np.random.Generator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """PhysioNet 2012: 48 hours of 33 vital signs, which were measured, and how long ago."""
    y = classes(rng, count, 2)
    signs = np.random.default_rng(FIXED).normal(0, 1, (2, 33))
    worse = (
        np.where(y == 1, 1, -0.6)[:, None] * np.linspace(0.1, 1, 48) * uniform(rng, count, 0.3, 1)
    )
    x = 0.7 * worse[..., None] * signs[0] + wander(rng, (count, 48, 33), 0.9)
    often = 1 / (1 + np.exp(-signs[1] - 0.6 * worse[..., None]))
    mask = (rng.uniform(0, 1, x.shape) < 0.4 * often).astype(float)
    since = np.zeros_like(x)
    for hour in range(1, 48):
        since[:, hour] = 1 + since[:, hour - 1] * (1 - mask[:, hour - 1])
    inputs = {"values": real(x * mask), "measured": real(mask), "hours since": real(since)}
    return inputs, y[:, None]


@seeded
def gru_simple() -> Any:
    inputs = [keras.Input((48, 33), name=name) for name in ("values", "measured", "hours since")]
    y = L.GRU(43)(L.Concatenate()(inputs))
    return keras.Model(
        inputs, L.Dense(1, activation="sigmoid")(L.Dropout(0.3)(y)), name="gru_simple"
    )


def stumbles(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """SisFall: 2.56 s of acceleration in g at 100 Hz; moving, alert, or falling, at every step."""
    t = np.arange(256)[None, :] / 100
    walk = 2 * np.pi * (uniform(rng, count, 0.8, 2.2) * t + uniform(rng, count, 0, 1))
    force = uniform(rng, count, 0.05, 0.35)
    base = 1 + force * np.sin(2 * walk)
    falls = rng.uniform(0, 1, (count, 1)) < 0.6
    at = uniform(rng, count, 0.7, 2.2)
    into = 1 / (1 + np.exp(-(t - at - 0.15) / 0.05))
    drop = falls * (bump(t, at, 0.12) * -0.8 + 2.6 * bump(t, at + 0.28, 0.05))
    upright = np.stack([base * (1 - falls * into), 0.2 * force * np.sin(walk)], -1)
    lying = falls * into * uniform(rng, count, 0.7, 1)
    x = np.concatenate([upright, lying[..., None]], -1)
    x = x + drop[..., None] * np.array([0.7, 0.3, 0.6]) + rng.normal(0, 0.03, x.shape)
    y = np.where(falls & (np.abs(t - at - 0.2) < 0.25), 2, np.where(falls & (t > at - 0.35), 1, 0))
    return real(x), y


BODY = (
    Architecture(
        "EMG, CNN-LSTM(128)",
        "https://github.com/ocjorge/CNN-LSTM",
        GROUP,
        sequential(
            L.Conv1D(64, 9, activation="relu", padding="same"),
            L.BatchNormalization(momentum=SHORT),
            L.MaxPooling1D(2),
            L.Dropout(0.3),
            L.Conv1D(128, 9, activation="relu", padding="same"),
            L.BatchNormalization(momentum=SHORT),
            L.MaxPooling1D(2),
            L.Dropout(0.3),
            L.LSTM(128),
            L.Dropout(0.4),
            L.Dense(52, activation="softmax"),
            shape=(200, 10),
            name="emg",
        ),
        muscles,
        CLASSES,
        5,
        tested=200,
        note="BatchNormalization behind a ReLU; 52 classes",
    ),
    Architecture(
        "EMG gestures, three BiLSTM(24)",
        "https://github.com/sherry-s-yuan/gesture_classification/blob/master/model.py",
        GROUP,
        armband,
        gestures,
        CLASSES,
        10,
        rate=8e-3,
        note="four inputs, names with spaces; how long they are is a guess",
    ),
    Architecture(
        "EEG, CNN-GRU",
        "https://github.com/AnamSuri/Motor_Imagery_Classification_EEG_CNN-GRU",
        GROUP,
        eeg,
        imagined,
        CLASSES,
        4,
        samples=600,
        batch=32,
        tested=100,
        note="ELU; softmax in place of log-softmax; 64 units and 512 samples are a guess",
    ),
    Architecture(
        "sleep stages, TinySleepNet",
        "https://github.com/akaraspt/tinysleepnet",
        GROUP,
        tiny_sleep_net,
        nights,
        CLASSES,
        3,
        time_steps=1,
        states=True,
        samples=100,
        batch=10,
        rate=2e-3,
        tested=24,
        note="microvolts; a CNN of 3,000 samples in each call of a stream",
    ),
    Architecture(
        "glucose in 30 minutes, LSTM(256)",
        "https://github.com/johnmartinsson/blood-glucose-prediction",
        GROUP,
        glucose,
        sugar,
        surprise,
        8,
        rate=2e-3,
        note="gives a deviation, by an exponential, and a mean in 100 mg/dl",
    ),
    Architecture(
        "intensive care, GRU-simple",
        "https://arxiv.org/abs/1606.01865",
        GROUP,
        gru_simple,
        patients,
        "binary_crossentropy",
        6,
        quick=True,
        note="three inputs: values, masks, and hours up to 48; 43 units from memory of the paper",
    ),
    Architecture(
        "falls, two LSTM(32) at every step",
        "https://arxiv.org/abs/1804.04976",
        GROUP,
        sequential(
            L.Dense(32, activation="relu"),
            L.BatchNormalization(momentum=SHORT),
            L.LSTM(32, return_sequences=True),
            L.Dropout(0.3),
            L.LSTM(32, return_sequences=True),
            L.Dense(3),
            shape=(256, 3),
            name="acceleration",
        ),
        stumbles,
        logits(),
        5,
        samples=1200,
        rate=8e-3,
        note="a class for each of 256 steps; order of the first layers from memory of the paper",
    ),
)
