"""Networks that read the motion of people and vehicles."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from zoo.core import CLASSES, SHORT, Architecture, logits, seeded, sequential
from zoo.signals import (
    FIXED,
    classes,
    column,
    real,
    shifted,
    smooth,
    templates,
    uniform,
    wander,
)

L = keras.layers
GROUP = "Motion"
GRAVITY = 9.81


def activities(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """UCI HAR: 128 samples at 50 Hz of body and total acceleration (g) and turn rate (rad/s)."""
    y = classes(rng, count, 6)  # walking, upstairs, downstairs, sitting, standing, laying
    t = np.arange(128) / 50
    rate = np.array([1.9, 1.6, 2.2, 0.3, 0.3, 0.3])[y][:, None] * rng.normal(1, 0.07, (count, 1))
    force = np.array([0.26, 0.24, 0.42, 0.015, 0.012, 0.008])[y][:, None, None]
    axes = np.random.default_rng(FIXED).uniform(0.3, 1.0, (6, 2, 6))[y]
    phase = 2 * np.pi * rate * t + uniform(rng, count, 0, 2 * np.pi)
    waves = np.stack([np.sin(phase + k) for k in range(6)], -1) * axes[:, :1]
    steps = np.stack([np.sin(2 * phase + 2 * k) for k in range(6)], -1) * axes[:, 1:]
    motion = force * rng.normal(1, 0.2, (count, 1, 1)) * (waves + 0.6 * steps)
    motion += 0.02 * rng.normal(0, 1, motion.shape)
    down = np.array([[1, 0, 0]] * 3 + [[0.86, 0.4, 0.3], [0.97, 0.15, 0.1], [0.1, -0.5, -0.85]])
    tilt = down[y] + rng.normal(0, 0.09, (count, 3))
    tilt /= np.linalg.norm(tilt, axis=1, keepdims=True)
    body, turning = motion[..., :3], 1.6 * motion[..., 3:]
    return real(np.concatenate([body, turning, body + tilt[:, None]], -1)), y


def activity_blocks(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = activities(rng, count)
    return x.reshape(count, 4, 32, 9), y


@seeded
def residual() -> Any:
    """Two blocks, each the sum of two bidirectional LSTMs behind ReLU layers, then normalised."""
    x = keras.Input((128, 9), name="signals")
    y = x
    for _ in range(2):
        ways = [
            L.Bidirectional(L.LSTM(14, return_sequences=True))(L.Dense(28, "relu")(y))
            for _ in range(2)
        ]
        y = L.BatchNormalization(momentum=SHORT)(L.Add()(ways))
    return keras.Model(x, L.Dense(6)(y[:, -1]), name="residual_har")


def opportunity(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """OPPORTUNITY: 24 samples at 30 Hz of 113 body-worn channels in [0, 1]; 18 gestures."""
    y = classes(rng, count, 18)
    shape = templates(18, 24, 113)[y] * rng.normal(1, 0.2, (count, 1, 1))
    noise = wander(rng, (count, 24, 113), 0.8)
    return real(0.5 + 0.12 * (shifted(shape, rng.integers(-2, 3, count)) + 0.7 * noise)), y


@seeded
def deep_conv_lstm() -> Any:
    x = keras.Input((24, 113), name="sensors")
    y = L.Reshape((24, 113, 1))(x)
    for _ in range(4):
        y = L.Conv2D(64, (5, 1), activation="relu")(y)
    y = L.Reshape((8, 113 * 64))(y)
    y = L.LSTM(128)(L.Dropout(0.5)(L.LSTM(128, return_sequences=True)(y)))
    y = L.Dense(18, activation="softmax")(L.Dropout(0.5)(y))
    return keras.Model(x, y, name="deep_conv_lstm")


def wand(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A wand's acceleration in mg, 128 samples at 25 Hz: wing, ring, slope, or none of them."""
    y = classes(rng, count, 4)
    u = (np.arange(128) / 25 - uniform(rng, count, 0.2, 1.5)) / uniform(rng, count, 1.6, 3.0)
    held = ((u > 0) & (u < 1)).astype(float)
    wing = np.stack([np.sin(2 * np.pi * u), np.sign(np.sin(4 * np.pi * u)), 0.2 * u], -1)
    ring = np.stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u), 0.1 * np.sin(4 * u)], -1)
    slope = np.stack([np.where(u < 0.5, -1, 0.8), np.where(u < 0.5, 0.6, -0.2), -0.3 * u], -1)
    none = wander(rng, (count, 128, 3), 0.9)
    moved = (
        np.select([(y == k)[:, None, None] for k in range(4)], [wing, ring, slope, 0.6 * none])
        * np.where(y == 3, 1, held.T).T[..., None]
    )
    down = np.array([0.1, -0.2, 0.97]) + rng.normal(0, 0.1, (count, 1, 3))
    sent = 1000 * down + 750 * moved * rng.normal(1, 0.2, (count, 1, 1))
    return real(np.round(sent + rng.normal(0, 30, sent.shape))), y


def walks(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """2 s of a handheld IMU at 100 Hz, and the way (m) and the turn (quaternion) in that time."""
    t = np.arange(200) / 100
    speed = uniform(rng, count, 0.3, 1.8)
    rate = 0.9 + 0.65 * speed
    phase = 2 * np.pi * rate * t + uniform(rng, count, 0, 2 * np.pi)
    turning = smooth(uniform(rng, count, -0.9, 0.9) + 0.3 * wander(rng, (count, 200), 0.97), 20)
    climb = uniform(rng, count, -0.25, 0.25)
    heading = np.cumsum(turning, axis=1) / 100
    forward, sway = speed * np.sin(2 * phase), speed * np.sin(phase)
    acceleration = np.stack(
        [
            1.1 * forward + GRAVITY * np.sin(climb),
            0.7 * sway + speed * turning,
            GRAVITY * np.cos(climb) + 2.2 * speed * np.sin(2 * phase + 0.8),
        ],
        -1,
    )
    spin = np.stack([0.5 * sway, 0.35 * forward, turning], -1)
    x = np.concatenate([spin, acceleration], -1) + rng.normal(0, 0.05, (count, 200, 6))
    way = np.stack(
        [
            speed[:, 0] * np.cos(heading).mean(1) * 2,
            speed[:, 0] * np.sin(heading).mean(1) * 2,
            2 * speed[:, 0] * np.sin(climb[:, 0]),
        ],
        -1,
    )
    half = heading[:, -1] / 2
    turn = np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], -1)
    turn += rng.normal(0, 0.005, turn.shape)
    return real(x), [real(way), real(turn)]


@seeded
def odometry() -> Any:
    x = keras.Input((200, 6), name="inp")
    y = L.Dropout(0.25)(L.Bidirectional(L.LSTM(128, return_sequences=True))(x))
    y = L.Dropout(0.25)(L.Bidirectional(L.LSTM(128))(y))
    return keras.Model(x, [L.Dense(3)(y), L.Dense(4)(y)], name="odometry")


def driving(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """UAH-DriveSet: g, degrees, metres ahead, vehicles, km/h; normal, aggressive or drowsy."""
    y = classes(rng, count, 3)
    hard = np.array([0.05, 0.17, 0.05])[y][:, None, None] * rng.normal(1, 0.2, (count, 1, 1))
    push = hard * wander(rng, (count, 64, 3), 0.9) + rng.normal(0, 0.02, (count, 64, 3))
    lane = np.array([0.6, 1.4, 2.6])[y][:, None] * wander(rng, (count, 64), 0.97)
    turns = np.stack([0.4 * lane, 2 * push[..., 0], lane], -1) + rng.normal(0, 0.2, (count, 64, 3))
    ahead = np.array([45, 18, 40])[y][:, None] + 8 * wander(rng, (count, 64), 0.95)
    seen = np.round(np.clip(2 + wander(rng, (count, 64), 0.98), 0, 6))
    speed = np.array([95, 122, 88])[y][:, None] + 9 * wander(rng, (count, 64), 0.98)
    rest = np.stack([np.clip(ahead, 2, 120), seen, speed], -1)
    return real(np.concatenate([push, turns, rest], -1)), y


def typing(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """50 keystrokes of one of 20 people: four latencies in seconds, and the key."""
    y = classes(rng, count, 20)
    fixed = np.random.default_rng(FIXED)
    hold, gap = fixed.uniform(0.05, 0.18, 20)[y], fixed.uniform(0.06, 0.4, 20)[y]
    uneven = fixed.uniform(0.1, 0.3, (20, 2))[y]
    per_key = fixed.normal(0, 0.2, (20, 30))[y]
    key = rng.integers(0, 30, (count, 50))
    habit = np.take_along_axis(per_key, key, 1)
    held = column(hold) * np.exp(uneven[:, :1] * rng.normal(0, 0.6, (count, 50)) + 0.5 * habit)
    pause = column(gap) * np.exp(uneven[:, 1:] * rng.normal(0, 1, (count, 50)) - 0.5 * habit)
    press = held + pause
    release = np.concatenate([press[:, 1:], press[:, :1]], 1) - held * 0.5
    return real(np.stack([held, pause, press, release, (key + 65) / 255], -1)), y


def gait(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two IMUs on shank and foot, 2 s at 100 Hz, and the ankle's angle in the 0.2 s after it."""
    t = np.arange(220) / 100
    cadence, depth = uniform(rng, count, 0.75, 1.15), uniform(rng, count, 0.7, 1.1)
    phase = 2 * np.pi * (cadence * t + uniform(rng, count, 0, 1))
    angle = depth * (
        0.35 * np.sin(phase) + 0.3 * np.sin(2 * phase + 1.1) + 0.12 * np.sin(3 * phase)
    )
    mixing = np.random.default_rng(FIXED).normal(0, 0.35, (6, 16))
    parts = np.stack(
        [np.sin(phase), np.cos(phase), np.sin(2 * phase), np.cos(2 * phase), angle, 0 * angle], -1
    )
    x = np.clip(depth[..., None] * (parts @ mixing), -1, 1)[:, :200]
    return real(x + rng.normal(0, 0.03, x.shape)), real(angle[:, 200:])


@seeded
def ankle() -> Any:
    x = keras.Input((200, 16), name="input")
    y = L.ReLU()(L.TimeDistributed(L.Dense(64))(x))
    y = L.LayerNormalization()(L.Bidirectional(L.LSTM(64, return_sequences=True))(y))
    y = L.Bidirectional(L.LSTM(32))(L.Dropout(0.3)(y))
    return keras.Model(x, L.Dense(20, activation="linear")(L.Dropout(0.3)(y)), name="BiLSTM_reg")


MOTION = (
    Architecture(
        "activity, two LSTM(32)",
        "https://github.com/guillaume-chevalier/LSTM-Human-Activity-Recognition",
        GROUP,
        sequential(
            L.Dense(32, activation="relu"),
            L.LSTM(32, return_sequences=True),
            L.LSTM(32),
            L.Dense(6),
            shape=(128, 9),
            name="signals",
        ),
        activities,
        logits(),
        8,
        rate=1e-2,
        note="128 steps, gives logits",
    ),
    Architecture(
        "activity, two LSTM(64)",
        "https://github.com/musthafa145/sensor_classification_lstm/blob/main/lstm_model.py",
        GROUP,
        sequential(
            L.LSTM(64, return_sequences=True),
            L.LSTM(64),
            L.Dense(128, activation="relu"),
            L.Dropout(0.5),
            L.Dense(6, activation="softmax"),
            shape=(128, 9),
            name="signals",
        ),
        activities,
        CLASSES,
        10,
        rate=8e-3,
        note="128 steps",
    ),
    Architecture(
        "activity, CNN-LSTM(100)",
        "https://machinelearningmastery.com/how-to-develop-rnn-models-for-human-activity-"
        "recognition-time-series-classification/",
        GROUP,
        sequential(
            L.TimeDistributed(L.Conv1D(64, 3, activation="relu")),
            L.TimeDistributed(L.Conv1D(64, 3, activation="relu")),
            L.TimeDistributed(L.Dropout(0.5)),
            L.TimeDistributed(L.MaxPooling1D(2)),
            L.TimeDistributed(L.Flatten()),
            L.LSTM(100),
            L.Dropout(0.5),
            L.Dense(100, activation="relu"),
            L.Dense(6, activation="softmax"),
            shape=(4, 32, 9),
            name="blocks",
        ),
        activity_blocks,
        CLASSES,
        6,
        quick=True,
        note="four blocks of 32 samples, a CNN for each",
    ),
    Architecture(
        "activity, residual BiLSTM",
        "https://github.com/guillaume-chevalier/HAR-stacked-residual-bidir-LSTMs",
        GROUP,
        residual,
        activities,
        logits(),
        5,
        samples=1200,
        note="2 x 2 of 14 + 14 units; Keras's BatchNormalization in place of its own; one ReLU "
        "layer for both directions; no ReLU on the logits",
    ),
    Architecture(
        "DeepConvLSTM",
        "https://doi.org/10.3390/s16010115",
        GROUP,
        deep_conv_lstm,
        opportunity,
        CLASSES,
        4,
        samples=720,
        batch=36,
        rate=2e-3,
        tested=100,
        note="7,232 features into LSTM(128)",
    ),
    Architecture(
        "magic wand, BiLSTM(22)",
        "https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/examples/"
        "magic_wand/train/train.py",
        GROUP,
        sequential(
            L.Bidirectional(L.LSTM(22)),
            L.Dense(4, activation="sigmoid"),
            shape=(128, 3),
            name="acceleration",
        ),
        wand,
        CLASSES,
        6,
        rate=1e-2,
        note="inputs in mg, up to 2,000; four sigmoids are taken for classes",
    ),
    Architecture(
        "inertial odometry, BiLSTM(128) x 2",
        "https://github.com/jpsml/6-DOF-Inertial-Odometry/blob/master/model.py",
        GROUP,
        odometry,
        walks,
        ["mse", "mse"],
        4,
        samples=640,
        note="two heads in metres and as a quaternion, of which two parts hardly move; 800 steps",
    ),
    Architecture(
        "driving style, two LSTM(100)",
        "https://github.com/KhaledSaleh/driving_behaviour_classification",
        GROUP,
        sequential(
            L.Dense(100, activation="relu"),
            L.LSTM(100, return_sequences=True),
            L.LSTM(100),
            L.Dense(3),
            shape=(64, 9),
            name="sensors",
        ),
        driving,
        logits(),
        4,
        samples=1500,
        note="g, degrees, metres and km/h side by side; how the source scaled them is not known",
    ),
    Architecture(
        "keystrokes, TypeNet",
        "https://arxiv.org/abs/2101.05570",
        GROUP,
        sequential(
            L.BatchNormalization(momentum=SHORT),
            L.LSTM(128, recurrent_dropout=0.2, return_sequences=True),
            L.Dropout(0.5),
            L.BatchNormalization(momentum=SHORT),
            L.LSTM(128, recurrent_dropout=0.2),
            L.Dense(20, activation="softmax"),
            shape=(50, 5),
            name="keys",
        ),
        typing,
        CLASSES,
        6,
        samples=1200,
        note="BatchNormalization first; without its Masking, 20 people",
    ),
    Architecture(
        "gait, BiLSTM with LayerNormalization",
        "https://github.com/Omidzarexz/AnkleBiLSTMJointPrediction",
        GROUP,
        ankle,
        gait,
        "mse",
        5,
        samples=800,
        note="20 values ahead",
    ),
)
