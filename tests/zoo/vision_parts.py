"""Networks that read images, drawings, letters, words, radio and fields seen from space."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unspool.guide import mnist
from unspool.support._tensorflow import keras
from zoo.core import SHORT, seeded
from zoo.signals import FIXED, classes, column, one_hot, real, smooth, uniform, wander

L = keras.layers
GROUP = "Images, text and radio"
TEXT = Path(__file__).parents[2] / "LICENSE"
LETTERS = 57


def moving_lines(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """50 frames of 50 x 50 pixels, a line that grows to the right or to the left."""
    y = classes(rng, count, 2)
    rows = np.clip(25 + np.cumsum(rng.integers(-1, 2, (count, 50)), 1), 0, 49)
    columns = np.where(y[:, None] == 1, np.arange(50), np.arange(49, -1, -1))
    x = np.zeros((count, 50, 50, 50), np.float32)
    x[np.arange(count)[:, None], np.arange(50), rows, columns] = 1
    return np.cumsum(x, axis=1)[..., None], y[:, None]


def numbers(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Four handwritten digits side by side, 128 x 32, and the digit at each of 32 frames."""
    data = mnist.load()
    chosen = rng.integers(0, len(data.train_images), (count, 4))
    x = np.zeros((count, 128, 32, 1), np.float32)
    y = np.zeros((count, 32), int)
    frame = 4 * np.arange(32) + 2
    for place in range(4):
        at = 4 + 31 * place + rng.integers(-3, 4, count)
        for sample in range(count):
            digit = data.train_images[chosen[sample, place]].T / 255
            x[sample, at[sample] : at[sample] + 28, 2:30, 0] = digit[: 128 - at[sample]]
        here = np.abs(frame[None, :] - at[:, None] - 14) < 8
        y = np.where(here, 1 + data.train_labels[chosen[:, place]][:, None].astype(int), y)
    return x, y


@seeded
def handwriting() -> Any:
    x = keras.Input((128, 32, 1), name="image")
    y = L.Conv2D(32, 3, activation="relu", padding="same", name="Conv1")(x)
    y = L.Conv2D(64, 3, activation="relu", padding="same")(L.MaxPooling2D(2, name="pool1")(y))
    y = L.Reshape((32, 8 * 64), name="reshape")(L.MaxPooling2D(2, name="pool2")(y))
    y = L.Dropout(0.2)(L.Dense(64, activation="relu", name="dense1")(y))
    y = L.Bidirectional(L.LSTM(128, return_sequences=True, dropout=0.25))(y)
    y = L.Bidirectional(L.LSTM(64, return_sequences=True, dropout=0.25))(y)
    y = L.Dense(81, activation="softmax", name="dense2")(y)
    return keras.Model(x, y, name="handwriting_recognizer")


def drawings(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Quick, Draw!: up to 100 strokes (dx, dy, pen lifted), zeros behind; eight kinds."""
    y = classes(rng, count, 8)
    u = np.linspace(0, 1, 101)[None, :]
    turn = 2 * np.pi * u
    saw = 2 * np.abs((u * 4) % 1 - 0.5) - 0.5
    corners = [(3, 0.0), (4, 0.8), (5, 0.3)]
    round_ = [np.cos(turn), np.sin(turn)]
    shapes = [
        round_,
        [2 * u - 1, 2 * saw],
        [2 * u * np.cos(2.5 * turn), 2 * u * np.sin(2.5 * turn)],
    ]
    shapes.append([np.sin(turn), np.sin(2 * turn)])
    shapes.append([2 * u - 1, np.sin(turn)])
    for sides, first in corners:
        place = u * sides
        here, part = np.floor(place), place % 1
        ends = [2 * np.pi * k / sides + first for k in (here, here + 1)]
        shapes.append([np.cos(ends[0]) * (1 - part) + np.cos(ends[1]) * part])
        shapes[-1].append(np.sin(ends[0]) * (1 - part) + np.sin(ends[1]) * part)
    path = np.stack([np.concatenate(s) for s in shapes])[y].transpose(0, 2, 1)
    angle, size = uniform(rng, count, -0.5, 0.5), rng.uniform(0.3, 0.5, (count, 1, 2))
    spin = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1)
    path = (path @ spin.reshape(count, 2, 2)) * size + 0.06 * wander(rng, (count, 101, 2), 0.9)
    length = rng.integers(60, 101, count)
    lifted = (np.arange(100) == length[:, None] - 1).astype(float)
    x = np.concatenate([np.diff(path, axis=1), lifted[..., None]], -1)
    return real(10 * x * (np.arange(100) < length[:, None])[..., None]), y


@seeded
def quick_draw() -> Any:
    x = keras.Input((100, 3), name="ink")
    y = x
    for filters, width in ((48, 5), (64, 5), (96, 3)):
        y = L.Dropout(0.3)(L.Conv1D(filters, width, padding="same")(y))
    for _ in range(3):
        y = L.Bidirectional(L.LSTM(128, return_sequences=True))(y)
    return keras.Model(x, L.Dense(8)(keras.ops.sum(y, axis=1)), name="quick_draw")


@cache
def letters() -> np.ndarray:
    """The licence, in lower case, as numbers of 57 characters."""
    text = TEXT.read_text().lower()
    kinds = sorted(set(text), key=lambda c: -text.count(c))[:LETTERS]
    return np.array([kinds.index(c) for c in text if c in kinds])


def next_letter(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """40 letters of a text, and the next."""
    starts = rng.integers(0, len(letters()) - 41, count)
    cut = letters()[starts[:, None] + np.arange(41)]
    return one_hot(cut[:, :40], LETTERS), cut[:, 40]


def sums(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """ "543+21", reversed and filled with spaces, and the digits of the sum."""
    marks = "0123456789+ "
    pairs = rng.integers(0, 1000, (count, 2))
    asked = [f"{a}+{b}".ljust(7)[::-1] for a, b in pairs]
    answers = [str(a + b).ljust(4) for a, b in pairs]
    x, y = (np.array([[marks.index(c) for c in s] for s in kind]) for kind in (asked, answers))
    return one_hot(x, 12), y


def reviews(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """IMDB: 200 words of 20,000; some of them are said by those who liked it, some by others."""
    y = classes(rng, count, 2)
    x = np.minimum(rng.zipf(1.2, (count, 200)), 19_999)
    said = rng.random((count, 200)) < 0.15
    liked = np.where(rng.random((count, 200)) < 0.7, y[:, None], 1 - y[:, None])
    x = np.where(said, 500 + 60 * liked + rng.integers(0, 60, x.shape), x)
    return x.astype(np.int32), y[:, None]


def sentences(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """75 words of 35,179, and a tag of 17 for each: of the word, and of the one before it."""
    x = np.minimum(rng.zipf(1.3, (count, 75)), 35_177)
    named = rng.random(x.shape) < 0.25
    kind = rng.integers(0, 8, x.shape)
    x = np.where(named, 1000 + 100 * kind + rng.integers(0, 100, x.shape), x)
    again = np.concatenate([np.zeros((count, 1), bool), named[:, :-1]], 1)
    y = np.where(named, 1 + 2 * kind + again, 0)
    length = rng.integers(10, 60, (count, 1))
    return np.where(np.arange(75) < length, x, 35_178).astype(np.int32), y * (
        np.arange(75) < length
    )


def embedded(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """50 word vectors of 100 values; a few words say which of three kinds the sentence is."""
    y = classes(rng, count, 3)
    fixed = np.random.default_rng(FIXED)
    meanings = fixed.normal(0, 0.4, (3, 8, 100))
    x = rng.normal(0, 0.4, (count, 50, 100))
    for _ in range(3):
        at, word = rng.integers(0, 50, count), rng.integers(0, 8, count)
        x[np.arange(count), at] = meanings[y, word] + 0.2 * rng.normal(0, 1, (count, 100))
    return real(x), y


@seeded
def attention() -> Any:
    x = keras.Input((50, 100), name="words")
    seen = L.LSTM(64, return_sequences=True)(x)
    weights = L.Flatten()(L.TimeDistributed(L.Dense(1, activation="tanh"))(seen))
    weights = L.Permute([2, 1])(L.RepeatVector(64)(L.Activation("softmax")(weights)))
    pooled = keras.ops.sum(L.Multiply()([seen, weights]), axis=1)
    return keras.Model(x, L.Dense(3, activation="softmax")(pooled), name="attention")


def radio(rng: np.random.Generator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """RadioML 2016: 128 complex samples of one of eleven modulations, of unit energy."""
    y = classes(rng, count, 11)
    grids = [np.exp(2j * np.pi * np.arange(n) / n) for n in (2, 4, 8)]  # phase keying
    for size in (4, 8):  # amplitude in two directions
        levels = np.arange(size) - (size - 1) / 2
        grids.append((levels[:, None] + 1j * levels).ravel())
    grids.append(np.arange(4) - 1.5 + 0j)  # in one
    symbols = np.zeros((count, 16), complex)
    for kind, grid in enumerate(grids):
        symbols[y == kind] = rng.choice(grid, (int((y == kind).sum()), 16))
    shaped = smooth(np.repeat(symbols, 8, axis=1), 5)
    voice = smooth(wander(rng, (count, 128), 0.9), 5)
    bits = np.repeat(rng.choice([-1.0, 1.0], (count, 16)), 8, axis=1)
    turns = np.cumsum(
        np.select(
            [column(y == 6), column(y == 7)], [0.2 * smooth(bits, 8), 0.25 * bits], 0.6 * voice
        ),
        1,
    )
    side = voice + 1j * np.roll(voice, 2, axis=1)
    rest = np.select(
        [column(y == 8), column(y == 9)], [1 + 0.6 * voice + 0j, side], np.exp(1j * turns)
    )
    x = np.where(column(y < 6), shaped, rest)
    carrier = uniform(rng, count, -0.02, 0.02) * np.arange(128) + uniform(rng, count, 0, 2 * np.pi)
    x = x / np.sqrt((np.abs(x) ** 2).sum(1, keepdims=True)) * np.exp(1j * carrier)
    x = x + 0.009 * (rng.normal(0, 1, x.shape) + 1j * rng.normal(0, 1, x.shape))
    both = np.stack([x.real, x.imag], 1)[..., None]
    inputs = {"I and Q": real(both), "I channel": real(both[:, 0]), "Q channel": real(both[:, 1])}
    return inputs, y


@seeded
def mcldnn() -> Any:
    both = keras.Input((2, 128, 1), name="I and Q")
    ways = [keras.Input((128, 1), name=name) for name in ("I channel", "Q channel")]
    a = L.Conv2D(50, (2, 8), padding="same", activation="relu")(both)
    b = [
        L.Reshape((1, 128, 50))(L.Conv1D(50, 8, padding="causal", activation="relu")(way))
        for way in ways
    ]
    b = L.Conv2D(50, (1, 8), padding="same", activation="relu")(L.Concatenate(axis=1)(b))
    y = L.Conv2D(100, (2, 5), activation="relu")(L.Concatenate()([a, b]))
    y = L.LSTM(128)(L.LSTM(128, return_sequences=True)(L.Reshape((124, 100))(y)))
    for _ in range(2):
        y = L.Dropout(0.5)(L.Dense(128, activation="selu")(y))
    return keras.Model([both, *ways], L.Dense(11, activation="softmax")(y), name="mcldnn")


def fields(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """46 satellite images of a field in three bands, standardised; 13 crops."""
    y = classes(rng, count, 13)
    fixed = np.random.default_rng(FIXED)
    day = np.linspace(0, 1, 46)
    up, down = fixed.uniform(0.1, 0.5, 13)[y], fixed.uniform(0.45, 0.95, 13)[y]
    speed, peak = fixed.uniform(8, 30, (2, 13))[:, y], fixed.uniform(0.4, 0.9, 13)[y]
    up, down = up + 0.03 * rng.normal(0, 1, count), down + 0.03 * rng.normal(0, 1, count)
    green = column(peak) / (1 + np.exp(-column(speed[0]) * (day - column(up))))
    green = green / (1 + np.exp(column(speed[1]) * (day - column(down))))
    soil = fixed.uniform(-0.5, 0.5, (13, 3))[y][:, None] + 0.2 * rng.normal(0, 1, (count, 1, 3))
    x = green[..., None] * np.array([3.2, -2.2, -0.8]) + soil
    cloud = (rng.random((count, 46, 1)) < 0.12) * uniform(rng, count, 1, 3)[..., None]
    return real(x + cloud + 0.25 * rng.normal(0, 1, x.shape)), y


@seeded
def crops() -> Any:
    x = keras.Input((46, 3), name="series")
    y = x
    for more in (True, True, False):
        y = L.Dropout(0.5)(L.Bidirectional(L.GRU(64, return_sequences=more))(y))
    y = L.Dropout(0.5)(L.Activation("relu")(L.BatchNormalization(momentum=SHORT)(L.Dense(256)(y))))
    return keras.Model(x, L.Dense(13, activation="softmax")(y), name="Archi_3GRU64BI_1FC256")
