"""Networks that read the heart: ECG, PPG and blood pressure."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from zoo.core import CLASSES, SHORT, Architecture, seeded, sequential
from zoo.signals import bump, classes, column, real, uniform, wander

L = keras.layers
GROUP = "Heart"

# Of normal, early atrial, ventricular, fused and paced beats: height of the P wave, height and
# width of R, height of S and of T, spike of a pacemaker, and how long the beat takes.
P = np.array([0.14, -0.08, 0.0, 0.06, 0.0])
R = np.array([1.0, 0.95, 1.15, 1.05, 0.9])
WIDTH = np.array([0.011, 0.011, 0.042, 0.024, 0.032])
S = np.array([-0.2, -0.22, -0.45, -0.3, -0.35])
T = np.array([0.3, 0.28, -0.4, -0.02, 0.2])
SPIKE = np.array([0.0, 0.0, 0.0, 0.0, 0.7])
LENGTH = np.array([0.84, 0.58, 0.95, 0.8, 0.85])


def heartbeat(rng: np.random.Generator, kind: np.ndarray, t: np.ndarray) -> np.ndarray:
    """mV of one beat of each kind; the R peak is at t = 0."""

    def of(values: np.ndarray, spread: float = 0.12) -> np.ndarray:
        return column(values[kind] * rng.normal(1, spread, len(kind)))

    at = uniform(rng, len(kind), 0.24, 0.32)
    return np.asarray(
        of(P) * bump(t, -0.16, 0.02)
        - 0.1 * bump(t, -0.03, 0.009)
        + of(R) * bump(t, 0.0, of(WIDTH))
        + of(S) * bump(t, 0.035 + column(WIDTH[kind]), 0.014)
        + of(T, 0.2) * bump(t, at, 0.05)
        + of(SPIKE) * bump(t, -0.06, 0.004)
    )


def mit_bih(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Beats of 187 samples at 125 Hz from the R peak on, in [0, 1], zeros behind the next beat."""
    y = classes(rng, count, 5)
    t = np.arange(187)[None, :] / 125
    length = 1.3 * column(LENGTH[y]) * rng.normal(1, 0.08, (count, 1))
    after = heartbeat(rng, np.zeros_like(y), t - length)
    x = heartbeat(rng, y, t) + after + 0.05 * wander(rng, (count, 187), 0.98)
    x += rng.normal(0, 0.015, x.shape)
    x -= x.min(1, keepdims=True)
    x = x / x.max(1, keepdims=True) * (t < 1.2 * length)
    return real(x[..., None]), y


def long_beats(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Some beats of one kind, up to 1,000 samples at 360 Hz in mV, zeros behind."""
    y = classes(rng, count, 5)
    t = np.arange(1000)[None, :] / 360 - 0.28
    length = column(LENGTH[y]) * rng.normal(1, 0.1, (count, 1))
    x = 0.03 * wander(rng, (count, 1000), 0.995) + rng.normal(0, 0.02, (count, 1000))
    for beat in range(6):
        x += heartbeat(rng, y, t - beat * length)
    x *= t < uniform(rng, count, 2.2, 2.6)
    return real(x[..., None]), y


def ecg5000(rng: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    """Beats of 140 samples, each of zero mean and unit variance, (samples, 140).

    Those of ECG5000 begin with the fall from R and are broad: a heart that fails, few samples.
    """
    t = np.arange(140)[None, :] / 140
    early = column(np.array([-1.9, -1.5, -1.1, -1.7, -0.8])[kind])
    plateau = column(np.array([0.9, 0.75, 0.2, 0.5, 0.9])[kind]) * rng.normal(
        1, 0.1, (len(kind), 1)
    )
    late = column(np.array([1.1, 0.5, -1.3, -0.4, 0.2])[kind]) * rng.normal(1, 0.1, (len(kind), 1))
    at = uniform(rng, len(kind), -0.03, 0.03)
    x = early * bump(t, 0.06, 0.06) + plateau * bump(t, 0.45 + at, 0.16) + late * bump(t, 0.9, 0.07)
    x += 0.08 * wander(rng, (len(kind), 140), 0.97) + rng.normal(0, 0.03, x.shape)
    x -= x.mean(1, keepdims=True)
    return np.asarray(x / x.std(1, keepdims=True))


def lying_beats(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """ECG5000 as LSTM-FCN takes it: one step of 140 features."""
    y = classes(rng, count, 5)
    return real(ecg5000(rng, y)[:, None]), y


def normal_beats(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    x = real(ecg5000(rng, np.zeros(count, int))[..., None])
    return x, x


def pulses(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """8 s of wrist PPG at 125 Hz with motion in it, and the heart rate in beats per minute."""
    t = np.arange(1000)[None, :] / 125
    rate = uniform(rng, count, 55, 165)
    phase = 2 * np.pi * (rate / 60 * t + uniform(rng, count, 0, 1))
    pulse = np.sin(phase) + 0.45 * np.sin(2 * phase - 0.9) + 0.15 * np.sin(3 * phase - 1.7)
    swing = 2 * np.pi * (uniform(rng, count, 0.8, 2.6) * t + uniform(rng, count, 0, 1))
    x = pulse + uniform(rng, count, 0, 0.5) * np.sin(swing) + 0.3 * wander(rng, (count, 1000), 0.98)
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    return real(x[..., None]), real(rate)


def pressures(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Seven features of 32 beats, standardised, and systolic, diastolic and mean mmHg of each."""
    state = wander(rng, (count, 32, 2), 0.93) + 0.6 * rng.normal(0, 1, (count, 1, 2))
    tone, flow = state[..., 0], state[..., 1]
    noise = 0.25 * rng.normal(0, 1, (count, 32, 7))
    seen = [-tone, 0.7 * flow + 0.3 * tone, 0.6 * tone, flow, -0.5 * flow, tone * flow / 2, tone]
    x = np.stack(seen, -1) + noise
    upper = 122 + 11 * tone + 4 * flow
    lower = 76 + 7 * tone - 3 * flow + 0.8 * tone**2
    return real(x), real(np.stack([upper, lower, lower + (upper - lower) / 3], -1))


@seeded
def fcn() -> Any:
    x = keras.Input((1, 140), name="beat")
    seen = L.Permute((2, 1))(x)
    a = L.Dropout(0.8)(L.LSTM(64)(seen))
    b = seen
    for filters, width in ((128, 8), (256, 5), (128, 3)):
        b = L.Conv1D(filters, width, padding="same", kernel_initializer="he_uniform")(b)
        b = L.Activation("relu")(L.BatchNormalization(momentum=SHORT)(b))
    both = L.Concatenate()([a, L.GlobalAveragePooling1D()(b)])
    return keras.Model(x, L.Dense(5, activation="softmax")(both), name="lstm_fcn")


@seeded
def blood_pressure() -> Any:
    """A bidirectional LSTM, then LSTMs with their input added to their output."""
    x = keras.Input((32, 7), name="beat features")
    y = L.Bidirectional(L.LSTM(64, return_sequences=True))(x)
    for _ in range(3):
        y = L.Add()([y, L.LSTM(128, return_sequences=True)(y)])
    y = L.Dense(3, bias_initializer=keras.initializers.Constant(90), name="mmHg")(y)
    return keras.Model(x, y, name="blood_pressure")


HEART = (
    Architecture(
        "heartbeat, LSTM(64)",
        "https://github.com/thisismcgovern/Heartbeat-Classification-Using-LSTM-Neural-Network",
        GROUP,
        sequential(
            L.LSTM(64),
            L.Dropout(0.2),
            L.Dense(32, activation="relu"),
            L.Dense(5, activation="softmax"),
            shape=(187, 1),
            name="ecg",
        ),
        mit_bih,
        CLASSES,
        10,
        note="187 steps of one value, zeros at the end",
    ),
    Architecture(
        "heartbeat, BiLSTM(64) x 2",
        "https://doi.org/10.1016/j.compbiomed.2018.03.016",
        GROUP,
        sequential(
            L.Bidirectional(L.LSTM(64, return_sequences=True)),
            L.Bidirectional(L.LSTM(64)),
            L.Dense(64, activation="relu"),
            L.Dense(5, activation="softmax"),
            shape=(187, 1),
            name="ecg",
        ),
        mit_bih,
        CLASSES,
        4,
        samples=900,
        rate=6e-3,
        note="widths from memory of the paper",
    ),
    Architecture(
        "heartbeat, two BiLSTM(32)",
        "https://doi.org/10.18280/ts.410640",
        GROUP,
        sequential(
            L.Conv1D(32, 5, padding="same", activation="relu"),
            L.MaxPooling1D(2),
            L.Bidirectional(L.LSTM(32, return_sequences=True)),
            L.Bidirectional(L.LSTM(32)),
            L.Dense(5, activation="softmax"),
            shape=(187, 1),
            name="ecg",
        ),
        mit_bih,
        CLASSES,
        5,
        samples=1200,
        rate=8e-3,
        note="93 steps; the source has bidirectional LSTMs on these beats, the convolution and the "
        "widths are a choice",
    ),
    Architecture(
        "heartbeat, CNN-LSTM(20)",
        "https://doi.org/10.1016/j.compbiomed.2018.06.002",
        GROUP,
        sequential(
            L.Conv1D(3, 20, activation="relu"),
            L.MaxPooling1D(2),
            L.Conv1D(6, 10, activation="relu"),
            L.MaxPooling1D(2),
            L.Conv1D(6, 5, activation="relu"),
            L.MaxPooling1D(2),
            L.LSTM(20),
            L.Dense(20, activation="relu"),
            L.Dense(10, activation="relu"),
            L.Dense(5, activation="softmax"),
            shape=(1000, 1),
            name="ecg",
        ),
        long_beats,
        CLASSES,
        10,
        rate=6e-3,
        batch=32,
        note="1,000 samples, of which 118 steps are left; zeros at the end",
    ),
    Architecture(
        "heartbeat, LSTM-FCN",
        "https://github.com/titu1994/LSTM-FCN/blob/master/all_datasets_training.py",
        GROUP,
        fcn,
        lying_beats,
        CLASSES,
        3,
        samples=800,
        tested=100,
        note="`generate_ndlstmfcn`, ECG5000; the beat lies along the features and is transposed",
    ),
    Architecture(
        "heartbeat autoencoder, LSTM(128)",
        "https://github.com/curiousily/Getting-Things-Done-with-Pytorch/blob/master/"
        "06.time-series-anomaly-detection-ecg.ipynb",
        GROUP,
        sequential(
            L.LSTM(128, return_sequences=True),
            L.LSTM(64),
            L.RepeatVector(140),
            L.LSTM(64, return_sequences=True),
            L.LSTM(128, return_sequences=True),
            L.TimeDistributed(L.Dense(1)),
            shape=(140, 1),
            name="beat",
        ),
        normal_beats,
        "mse",
        6,
        samples=320,
        batch=16,
        rate=1e-2,
        tested=100,
        note="560 steps in all; PyTorch's in Keras",
    ),
    Architecture(
        "heart rate from PPG, CorNET",
        "https://doi.org/10.1109/TBCAS.2019.2892297",
        GROUP,
        sequential(
            L.Conv1D(32, 40, activation="relu"),
            L.BatchNormalization(momentum=SHORT),
            L.MaxPooling1D(4),
            L.Dropout(0.1),
            L.Conv1D(32, 40, activation="relu"),
            L.BatchNormalization(momentum=SHORT),
            L.MaxPooling1D(4),
            L.Dropout(0.1),
            L.LSTM(128, return_sequences=True),
            L.LSTM(128),
            L.Dense(1, bias_initializer=keras.initializers.Constant(100)),
            shape=(1000, 1),
            name="ppg",
        ),
        pulses,
        "mae",
        8,
        samples=1000,
        rate=8e-3,
        tested=100,
        note="gives beats per minute; widths from memory of the paper",
    ),
    Architecture(
        "blood pressure, residual LSTM(128)",
        "https://arxiv.org/abs/1705.04524",
        GROUP,
        blood_pressure,
        pressures,
        "mse",
        6,
        samples=1200,
        rate=8e-3,
        note="three values of mmHg for each of 32 beats; widths not verified",
    ),
)
