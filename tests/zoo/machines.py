"""Networks that watch machines, batteries, meters, and control something."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from zoo.core import CLASSES, Architecture, seeded, sequential
from zoo.signals import FIXED, classes, column, real, smooth, uniform, wander

L = keras.layers
GROUP = "Machines"
MAINTENANCE = "https://github.com/umbertogriffo/Predictive-Maintenance-using-LSTM"


def engines(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """C-MAPSS: 50 flights of 3 settings, the flight's number and 21 sensors in [0, 1]; the rest."""
    life, left = uniform(rng, count, 130, 330), uniform(rng, count, 0, 150)
    now = np.maximum(life - left, 50)
    flight = now + np.arange(-49, 1)
    worn = np.clip(np.exp(4 * (flight / life - 1)), 0, 1)
    slopes = np.random.default_rng(FIXED).uniform(-0.6, 0.6, 21)
    slopes[[0, 4, 9, 15, 17, 18]] = 0  # some sensors of FD001 never change
    moves = (slopes != 0).astype(float)
    sensors = moves * (0.5 - slopes / 2 + slopes * worn[..., None])
    sensors = sensors + moves * 0.07 * rng.normal(0, 1, sensors.shape)
    settings = np.stack([rng.uniform(0, 1, flight.shape), rng.uniform(0, 1, flight.shape)], -1)
    rest = np.stack([0 * flight, flight / 360], -1)
    return real(np.clip(np.concatenate([settings, rest, sensors], -1), 0, 1)), real(life - now)


def engines_twice(rng: np.random.Generator, count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    x, left = engines(rng, count)
    return x, {"fails_within_30_flights": (left <= 30).astype(int), "remaining_flights": left}


@seeded
def two_heads() -> Any:
    x = keras.Input((50, 25), name="settings and sensors")
    y = L.Dropout(0.2)(L.LSTM(100, return_sequences=True)(x))
    y = L.Dropout(0.2)(L.LSTM(50)(y))
    left = L.Dense(1, bias_initializer=keras.initializers.Constant(75), name="left")
    soon = L.Dense(1, activation="sigmoid", name="soon")
    heads = {"fails_within_30_flights": soon(y), "remaining_flights": left(y)}
    return keras.Model(x, heads, name="two_heads")


def bearings(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """CWRU: 250 samples of vibration in g at 1.5 kHz; sound, or ball, inner, outer by depth."""
    y = classes(rng, count, 10)
    place, depth = np.where(y == 0, 0, 1 + (y - 1) % 3), np.where(y == 0, 0, 1 + (y - 1) // 3)
    t = np.arange(250)[None, :] / 1500
    rate = np.array([1.0, 141, 162, 107])[place] / 2 * rng.normal(1, 0.01, count)
    since = (t * column(rate) + uniform(rng, count, 0, 1)) % 1 / column(rate)
    tone = np.array([100.0, 420, 560, 340])[place]
    hit = np.array([0.0, 0.15, 0.45, 1.0])[depth]
    ring = np.exp(-since * 260) * np.sin(2 * np.pi * column(tone) * since)
    turn = 0.06 * np.sin(2 * np.pi * (29.5 * t + uniform(rng, count, 0, 1)))
    x = (
        column(hit)
        * ring
        * rng.normal(1, 0.15, (count, 1))
        * (1 + 4 * turn * (place[:, None] == 2))
    )
    return real(x + turn + 0.05 * rng.normal(0, 1, x.shape)), y


@seeded
def mcnn_lstm() -> Any:
    """Two scales of convolutions, multiplied; the LSTMs then run along the filters."""
    x = keras.Input((250,), name="vibration")
    wave = L.Reshape((250, 1))(x)
    coarse = L.Conv1D(50, 20, 2, activation="tanh")(wave)
    coarse = L.MaxPooling1D(2)(L.Conv1D(30, 10, 2, activation="tanh")(coarse))
    fine = L.Conv1D(40, 6, activation="tanh")(L.Conv1D(50, 6, activation="tanh")(wave))
    fine = L.Conv1D(30, 6, activation="tanh")(L.MaxPooling1D(2)(fine))
    fine = L.MaxPooling1D(2)(L.Conv1D(30, 6, 2, activation="tanh")(fine))
    y = L.Permute((2, 1))(L.Multiply()([coarse, fine]))
    y = L.Dropout(0.5)(L.LSTM(30)(L.LSTM(60, return_sequences=True)(y)))
    return keras.Model(x, L.Dense(10, activation="softmax")(y), name="mcnn_lstm")


def windows(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """30 steps of a drifting, standardised measurement; to be given again."""
    slope = uniform(rng, count, -1.2, 1.2) * np.linspace(-1, 1, 30)
    curve = uniform(rng, count, -0.6, 0.6) * (np.linspace(-1, 1, 30) ** 2 - 0.3)
    x = uniform(rng, count, -1, 1) + slope + curve + 0.1 * wander(rng, (count, 30), 0.6)
    return real(x[..., None]), real(x[..., None])


def discharges(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """LG 18650HG2: 300 s of voltage, current and temperature in [0, 1]; the charge that is left."""
    current = -np.clip(smooth(2.2 * wander(rng, (count, 300), 0.97) + 2, 10), -2, 12)
    start, heat = uniform(rng, count, 0.12, 1), uniform(rng, count, 0, 25)
    charge = start + np.cumsum(current, 1) / (3 * 3600)
    still = 3.0 + 1.1 * charge + 0.12 * np.exp(-charge / 0.05) * -1
    cold = 0.03 + 0.0012 * (25 - heat)
    voltage = still + current * cold + 0.4 * smooth(current, 40) * cold
    warm = heat + np.cumsum(current**2, 1) * 2e-4
    x = np.stack([(voltage - 2.5) / 1.75, (current + 12) / 18, warm / 45], -1)
    return real(x + 0.002 * rng.normal(0, 1, x.shape)), real(charge[:, -1:])


def mains(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """100 samples of a house's power, and the last of one machine in it; shares of the largest."""
    t = np.arange(100)
    x = uniform(rng, count, 0.02, 0.08) + 0.01 * wander(rng, (count, 100), 0.95)
    for _ in range(3):  # what else runs
        at, lasts = uniform(rng, count, -30, 100), uniform(rng, count, 3, 40)
        x += uniform(rng, count, 0.02, 0.25) * ((t > at) & (t < at + lasts))
    at = uniform(rng, count, -20, 140)
    since = t - at
    washing = (since > 0) & (since < 70)
    heats = washing & ((since < 18) | ((since > 44) & (since < 56)))
    machine = washing * 0.05 + heats * uniform(rng, count, 0.33, 0.37)
    x += machine + 0.004 * rng.normal(0, 1, x.shape)
    return real(np.clip(x, 0, 1.2)[..., None]), real(machine[:, -1:])


def swings(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """32 steps of a pendulum's cosine, sine and noisy speed, and the torque that brings it up."""
    angle, speed = uniform(rng, count, -np.pi, np.pi), uniform(rng, count, -4, 4)
    seen = []
    torque = np.zeros_like(angle)
    for _ in range(32):
        energy = 0.5 * speed**2 + 10 * (np.cos(angle) - 1)
        near = np.cos(angle) > 0.86
        balance = -(14 * np.sin(angle) + 3 * speed)
        torque = np.tanh(np.where(near, balance, -0.25 * speed * energy) / 2)
        seen.append(np.concatenate([np.cos(angle), np.sin(angle), speed / 8], 1))
        speed = speed + 0.05 * (15 * np.sin(angle) * 0.66 + 6 * torque)
        speed = np.clip(speed, -8, 8)
        angle = angle + 0.05 * speed
    x = np.stack(seen, 1)
    return real(x + 0.02 * rng.normal(0, 1, x.shape)), real(torque)


def swings_twice(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    x, torque = swings(rng, count)
    return x, [torque, real(0.05 + 0.4 * np.abs(torque))]


@seeded
def policy() -> Any:
    x = keras.Input((None, 3), name="observations")
    y = L.Dense(256, activation="relu")(L.LSTM(256)(L.LSTM(256, return_sequences=True)(x)))
    mean, deviation = L.Dense(1, name="mu")(y), L.Dense(1, activation="softplus", name="sigma")(y)
    return keras.Model(x, (mean, deviation), name="policy")


MACHINES = (
    Architecture(
        "remaining flights, LSTM(100) and LSTM(50)",
        MAINTENANCE,
        GROUP,
        sequential(
            L.LSTM(100, return_sequences=True),
            L.Dropout(0.2),
            L.LSTM(50),
            L.Dropout(0.2),
            L.Dense(1, bias_initializer=keras.initializers.Constant(75)),
            L.Activation("linear"),
            shape=(50, 25),
            name="sensors",
        ),
        engines,
        "mse",
        12,
        samples=2000,
        rate=3e-2,
        note="gives flights, 0 to 150; seven inputs never change",
    ),
    Architecture(
        "remaining flights and failure, two heads",
        MAINTENANCE,
        GROUP,
        two_heads,
        engines_twice,
        {"fails_within_30_flights": "binary_crossentropy", "remaining_flights": "mse"},
        8,
        rate=1e-2,
        note="a dictionary of outputs; spaces in the name of the input; the source trains "
        "one model for each head",
    ),
    Architecture(
        "bearings, MCNN-LSTM",
        "https://github.com/Xiaohan-Chen/bear_fault_diagnosis/blob/master/mcnn_lstm_model.ipynb",
        GROUP,
        mcnn_lstm,
        bearings,
        CLASSES,
        8,
        note="`channels_first` in the source: the LSTMs run along 30 filters, behind a Permute",
    ),
    Architecture(
        "anomalies, LSTM(64) autoencoder",
        "https://github.com/curiousily/Deep-Learning-For-Hackers",
        GROUP,
        sequential(
            L.LSTM(64),
            L.Dropout(0.2),
            L.RepeatVector(30),
            L.LSTM(64, return_sequences=True),
            L.Dropout(0.2),
            L.TimeDistributed(L.Dense(1)),
            shape=(30, 1),
            name="window",
        ),
        windows,
        "mae",
        12,
        rate=8e-3,
        note="30 steps in, 30 steps out",
    ),
    Architecture(
        "battery charge, two LSTM(256) with SELU",
        "https://doi.org/10.1145/3462203.3475878",
        GROUP,
        sequential(
            L.LSTM(256, activation="selu", return_sequences=True),
            L.LSTM(256, activation="selu"),
            L.Dense(256, activation="selu"),
            L.Dense(128, activation="selu"),
            L.Dense(1, activation="linear"),
            shape=(300, 3),
            name="cell",
        ),
        discharges,
        "huber",
        3,
        samples=384,
        batch=32,
        rate=5e-4,
        tested=60,
        note="300 steps; the activation of the LSTMs is SELU",
    ),
    Architecture(
        "battery charge, GRU(256)",
        "https://doi.org/10.3390/en12091592",
        GROUP,
        sequential(L.GRU(256), L.Dense(1), shape=(300, 3), name="cell"),
        discharges,
        "mse",
        4,
        samples=600,
        batch=32,
        tested=100,
        note="300 steps; one GRU layer, its width a guess",
    ),
    Architecture(
        "appliance power, WindowGRU",
        "https://github.com/OdysseasKr/neural-disaggregator/blob/master/WindowGRU/"
        "windowgrudisaggregator.py",
        GROUP,
        sequential(
            L.Conv1D(16, 4, activation="relu", padding="same"),
            L.Bidirectional(L.GRU(64, activation="relu", return_sequences=True)),
            L.Dropout(0.5),
            L.Bidirectional(L.GRU(128, activation="relu")),
            L.Dropout(0.5),
            L.Dense(128, activation="relu"),
            L.Dropout(0.5),
            L.Dense(1, activation="linear"),
            shape=(100, 1),
            name="mains",
        ),
        mains,
        "mse",
        4,
        samples=1200,
        rate=2e-3,
        note="bidirectional GRUs with ReLU, 100 steps",
    ),
    Architecture(
        "pendulum, LSTM policy with two heads",
        "https://github.com/ArneKlages4444/Deep-Reinforcement-Learning/blob/main/Algorithms/PPO/"
        "GenericLSTMs.py",
        GROUP,
        policy,
        swings_twice,
        ["mse", "mse"],
        3,
        time_steps=32,
        samples=1000,
        rate=2e-3,
        note="open length; a softplus head; a tuple of outputs",
    ),
    Architecture(
        "pendulum, LSTM(128) with a tanh head",
        "https://arxiv.org/abs/1512.04455",
        GROUP,
        sequential(
            L.LSTM(128),
            L.Dense(1, activation="tanh"),
            shape=(32, 3),
            name="observations",
        ),
        swings,
        "mse",
        8,
        note="the action is bounded by tanh; widths are a guess",
    ),
)
