"""Networks that listen: keywords, voices, noise, music."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from zoo.core import SHORT, seeded
from zoo.signals import (
    FIXED,
    bump,
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
GROUP = "Sound"
HELLO_EDGE = "https://github.com/ARM-software/ML-KWS-for-MCU/blob/master/train_commands.txt"
MFCC = np.array([14, 7, 5, 4, 3, 2.6, 2.3, 2, 1.8, 1.6])


def keywords(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Google Speech Commands: 49 frames of ten MFCCs as they are, 12 words."""
    y = classes(rng, count, 12)
    said = shifted(templates(12, 49, 10)[y], rng.integers(-6, 7, count))
    said *= rng.normal(1, 0.2, (count, 1, 1))
    voice = 0.6 * rng.normal(0, 1, (count, 1, 10)) + 0.7 * wander(rng, (count, 49, 10), 0.6)
    return real((said + voice) * MFCC - np.array([9.0] + [0.0] * 9)), y


def wake(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """29 frames of 13 MFCCs: the wake word, or something else."""
    y = classes(rng, count, 2)
    kind = np.where(y == 1, 0, rng.integers(1, 9, count))
    said = shifted(templates(9, 29, 13)[kind], rng.integers(-2, 3, count))
    said *= rng.normal(1, 0.2, (count, 1, 1))
    return real(1.5 * (said + 1.6 * wander(rng, (count, 29, 13), 0.6))), y[:, None]


def filterbanks(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same words as 49 frames of 40 log-mel values."""
    y = classes(rng, count, 12)
    said = shifted(templates(12, 49, 40)[y], rng.integers(-6, 7, count))
    noise = 0.6 * rng.normal(0, 1, (count, 1, 40)) + 0.8 * wander(rng, (count, 49, 40), 0.6)
    return real(2 * (said + noise) - 3), y


def spectrograms(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """125 frames of 80 mel values of 36 words, normalised."""
    y = classes(rng, count, 36)
    said = shifted(templates(36, 125, 80)[y], rng.integers(-9, 10, count))
    return real(said + 0.8 * wander(rng, (count, 125, 80), 0.7))[..., None], y


def words(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """One second at 8 kHz in [-1, 1]: a voice whose two formants glide as the word says."""
    y = classes(rng, count, 10)
    t = np.arange(8000)[None, :] / 8000
    at = uniform(rng, count, 0.3, 0.6)
    loud = bump(t, at, uniform(rng, count, 0.1, 0.15))
    fixed = np.random.default_rng(FIXED)
    low, high = fixed.uniform(250, 800, (10, 2))[y], fixed.uniform(900, 2600, (10, 2))[y]
    along = np.clip((t - at) / 0.4 + 0.5, 0, 1)
    x = 0.02 * wander(rng, (count, 8000), 0.5)
    for ends, level in ((low, 0.4), (high, 0.25)):
        tone = column(ends[:, 0]) * (1 - along) + column(ends[:, 1]) * along
        tone = tone * rng.normal(1, 0.03, (count, 1))
        x += level * loud * np.sin(2 * np.pi * np.cumsum(tone, 1) / 8000)
    return real(np.clip(x * uniform(rng, count, 0.5, 1.2), -1, 1)[..., None]), y


def bands(rng: np.random.Generator, count: int, steps: int, width: int) -> tuple[np.ndarray, ...]:
    """Log energies of speech and of noise in bands, and whether there is speech, (count, steps)."""
    talks = smooth(rng.normal(0, 1, (count, steps)), 12) > -0.05
    vowels = templates(8, 40, width)[rng.integers(0, 8, count)]
    vowels = np.tile(vowels, (1, -(-steps // 40), 1))[:, :steps]
    slope = np.linspace(1, -1, width)
    speech = np.where(talks[..., None], 2.2 * vowels + 1.5 + slope, -6)
    speech = np.clip(smooth(speech, 3) + 0.3 * rng.normal(0, 1, speech.shape), -6, 6)
    noise = 1.2 * rng.normal(0, 1, (count, 1, width)) + uniform(rng, count, -2.5, 1.5)[..., None]
    noise = np.clip(noise + 0.4 * wander(rng, (count, steps, width), 0.8), -5, 5)
    return speech, noise, talks.astype(int)


def noisy_speech(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """RNNoise: 42 features of 100 frames; the gains of 22 bands, and whether somebody speaks."""
    speech, noise, talks = bands(rng, count, 100, 22)
    power = np.exp(speech) + np.exp(noise)
    cepstrum = np.cos(np.pi / 22 * (np.arange(22)[:, None] + 0.5) * np.arange(22)) * np.sqrt(2 / 22)
    features = np.log10(0.01 + power) @ cepstrum - np.array([12.0, 4.0] + [0.0] * 20)
    first = np.diff(features[..., :6], axis=1, prepend=features[:, :1, :6])
    second = np.diff(first, axis=1, prepend=first[:, :1])
    pitch = talks[..., None] * 0.8 + 0.2 * rng.normal(0, 1, (count, 100, 8))
    x = np.concatenate([features, first, second, pitch], -1)
    return real(x), [real(np.sqrt(np.exp(speech) / power)), talks[..., None]]


@seeded
def rnnoise() -> Any:
    old = {"return_sequences": True, "reset_after": False}  # Keras 2's GRU
    x = keras.Input((None, 42), name="main_input")
    dense = L.Dense(24, activation="tanh", name="input_dense")(x)
    vad = L.GRU(24, activation="relu", name="vad_gru", **old)(dense)
    noise = L.Concatenate()([dense, vad, x])
    noise = L.GRU(48, activation="relu", name="noise_gru", **old)(noise)
    denoise = L.Concatenate()([vad, noise, x])
    denoise = L.GRU(96, activation="relu", name="denoise_gru", **old)(denoise)
    gains = L.Dense(22, activation="sigmoid", name="denoise_output")(denoise)
    return keras.Model(x, [gains, L.Dense(1, activation="sigmoid", name="vad_output")(vad)])


def magnitudes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """64 frames of 257 magnitudes of noisy speech, and the mask that leaves the speech."""
    speech, noise, _ = bands(rng, count, 64, 257)
    pitch = np.rint(uniform(rng, count, 4, 9))[..., None]
    comb = 0.55 + 0.45 * np.cos(2 * np.pi * np.arange(257) / pitch)
    clean, rest = np.exp(speech / 2) * comb, np.exp(noise / 2)
    return real(clean + rest), real(clean / (clean + rest))


def core(x: Any, width: int) -> Any:
    """DTLN's separation core: two LSTMs and a mask."""
    y = L.Dropout(0.25)(L.LSTM(128, return_sequences=True)(x))
    y = L.LSTM(128, return_sequences=True)(y)
    return L.Activation("sigmoid")(L.Dense(width)(y))


@seeded
def dtln_first() -> Any:
    x = keras.Input((None, 257), name="magnitude")
    return keras.Model(x, core(x, 257), name="dtln_1")


def frames(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """40 frames of 512 samples at 16 kHz, each 128 on from the last: with noise, and without."""
    t = np.arange(128 * 39 + 512)[None, :] / 16000
    tone = uniform(rng, count, 90, 250)
    phase = 2 * np.pi * (tone * t + 0.3 * np.sin(2 * np.pi * 4 * t))
    voiced = np.repeat(smooth(rng.normal(0, 1, (count, 44)), 8) > 0, 128, axis=1)[:, : t.shape[1]]
    parts = [uniform(rng, count, 0.1, 1) / k * np.sin(k * phase) for k in range(1, 9)]
    clean = 0.25 * smooth(voiced.astype(float), 200) * sum(parts)
    noisy = clean + uniform(rng, count, 0.02, 0.2) * wander(rng, t.repeat(count, 0).shape, 0.3)
    cut = np.arange(40)[:, None] * 128 + np.arange(512)
    return real(noisy[:, cut]), real(clean[:, cut])


@seeded
def dtln_second() -> Any:
    x = keras.Input((None, 512), name="frame")
    encoded = L.Conv1D(256, 1, use_bias=False)(x)
    mask = core(L.LayerNormalization(epsilon=1e-7)(encoded), 256)
    estimated = L.Multiply()([encoded, mask])
    return keras.Model(
        x, L.Conv1D(512, 1, padding="causal", use_bias=False)(estimated), name="dtln"
    )


def voices(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """30 frames of 12 MFCCs and their slopes; speech or not in each."""
    speech, noise, talks = bands(rng, count, 30, 12)
    level = np.log(np.exp(speech) + np.exp(noise))
    x = np.concatenate([level, np.diff(level, axis=1, prepend=level[:, :1])], -1)
    return real(x), talks


def music(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """GTZAN: 3 s as 130 frames of 13 MFCCs as librosa gives them, c0 down to -400; 10 genres."""
    y = classes(rng, count, 10)
    fixed = np.random.default_rng(FIXED)
    timbre = fixed.normal(0, 1, (10, 13))[y] + 0.8 * rng.normal(0, 1, (count, 13))
    tempo = fixed.uniform(1.2, 3.0, 10)[y] * rng.normal(1, 0.05, count)
    beat = np.sin(2 * np.pi * (column(tempo) * np.arange(130) / 43 + uniform(rng, count, 0, 1)))
    hit = fixed.normal(0, 1, (10, 13))[y]
    x = timbre[:, None] + 0.5 * beat[..., None] * hit[:, None]
    x = x + 0.9 * wander(rng, (count, 130, 13), 0.7)
    scale = np.array([70, 40, 25, 20, 16, 14, 12, 11, 10, 9, 9, 8, 8])
    return real(x * scale + np.array([-130, 90, -10] + [5] * 10)), y


def events(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """TUT sound events: 256 frames of 40 log-mel bands, normalised; which of six go on in each."""
    patterns = templates(6, 40, 1, rank=6)[..., 0]
    x = 0.5 * wander(rng, (count, 256, 40), 0.7)
    y = np.zeros((count, 256, 6), int)
    for kind in range(6):
        at, lasts = uniform(rng, count, 0, 256), uniform(rng, count, 20, 120)
        on = (np.arange(256) > at) & (np.arange(256) < at + lasts)
        on &= rng.uniform(0, 1, (count, 1)) < 0.7
        y[..., kind] = on
        x += 1.3 * on[..., None] * patterns[kind]
    return real(x[..., None]), y


@seeded
def sed_crnn() -> Any:
    x = keras.Input((256, 40, 1), name="mel")
    y = x
    for pool in (5, 2, 2):
        y = L.Activation("relu")(
            L.BatchNormalization(momentum=SHORT)(L.Conv2D(128, 3, padding="same")(y))
        )
        y = L.Dropout(0.5)(L.MaxPooling2D((1, pool))(y))
    y = L.Reshape((256, 2 * 128))(y)
    for _ in range(2):
        y = L.Bidirectional(L.GRU(32, return_sequences=True), merge_mode="mul")(y)
    y = L.Dropout(0.5)(L.TimeDistributed(L.Dense(32))(y))
    y = L.Activation("sigmoid", name="strong_out")(L.TimeDistributed(L.Dense(6))(y))
    return keras.Model(x, y, name="sed_crnn")


def guitar(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The last 300 samples of a guitar in [-1, 1], and what a valve amplifier makes of them now."""
    t = np.arange(300)[None, :] / 44100
    x = np.zeros((count, 300))
    for part in range(1, 6):
        level = uniform(rng, count, 0, 0.8) / part
        x += level * np.sin(
            2 * np.pi * (uniform(rng, count, 82, 700) * part * t + rng.random((count, 1)))
        )
    x = np.clip(x * uniform(rng, count, 0.1, 0.7), -1, 1)
    heard = (x * np.exp(-np.arange(300)[::-1] / 25)).sum(1, keepdims=True) / 25
    y = np.tanh(5 * heard + 0.3) - np.tanh(0.3) - 0.2 * x[:, -1:]
    return real(x[..., None]), real(y)


@seeded
def attention_rnn() -> Any:
    x = keras.Input((125, 80, 1), name="mel_stft")
    y = L.BatchNormalization(momentum=SHORT)(
        L.Conv2D(10, (5, 1), activation="relu", padding="same")(x)
    )
    y = L.BatchNormalization(momentum=SHORT)(
        L.Conv2D(1, (5, 1), activation="relu", padding="same")(y)
    )
    y = L.Reshape((125, 80))(y)
    for _ in range(2):
        y = L.Bidirectional(L.LSTM(64, return_sequences=True))(y)
    query = L.Dense(128)(y[:, -1])
    scores = L.Softmax(name="attSoftmax")(L.Dot(axes=[1, 2])([query, y]))
    y = L.Dense(32)(L.Dense(64, activation="relu")(L.Dot(axes=[1, 1])([scores, y])))
    return keras.Model(x, L.Dense(36, activation="softmax", name="output")(y), name="att_rnn")
