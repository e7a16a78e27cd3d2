"""Hear six words in a stream of speech: a convolutional recurrent network on an Ethos-U55.

    pip install unspool                  # and Debian's espeak-ng, which speaks
    python examples/keyword_spotter.py   # some minutes; --quick: some seconds

The network takes 40 log-mel bands of each 10 ms of sound; `log_mel/log_mel.c` computes them on the
device. Convolutions that look back, over time and frequency, are in front of a GRU; all are called
for 40 ms at a time, with their rows and state as inputs and outputs. Voices, accents and other
words of the test are none of those trained on.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import detecting
import matplotlib.pyplot as plt
import numpy as np
import streams
from sounds import RATE, check_speaker, mel_filters, noisy, spectra
from words import OTHERS, TEST_OTHERS, TESTED, TRAINED, Scene, Voices, scene

import unspool
from unspool.support._tensorflow import keras

BANDS, HOP, WINDOW, SIZE, FLOOR = 40, 160, 400, 512, 1e-3  # as in log_mel/log_mel.c
FRAMES = 4  # of a call
STEPS_A_SECOND = RATE / HOP / 2  # the first convolution has a stride of 2
WORDS = ("yes", "stop", "left", "right", "seven", "house")


@dataclass(frozen=True)
class Form:
    """How much of everything: the full form, and one that only shows that it runs."""

    scenes: int
    seconds: int
    epochs: int
    units: int
    tried: tuple[int, int]  # scenes to choose the threshold with, and seconds of each
    tested: tuple[int, int]


FULL = Form(scenes=800, seconds=6, epochs=25, units=64, tried=(4, 60), tested=(10, 60))
QUICK = Form(scenes=20, seconds=2, epochs=1, units=8, tried=(1, 2), tested=(2, 4))


def log_mel(sound: np.ndarray) -> np.ndarray:
    """40 log-mel bands of each 10 ms, (frames, 40)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(spectra(sound, window, HOP, SIZE)) ** 2
    bands: np.ndarray = np.log(power @ mel_filters(BANDS, SIZE // 2 + 1).T + FLOOR)
    return bands.astype(np.float32)


def heard(
    count: int, seconds: float, others: Sequence[str], voices: Voices, seed: int
) -> tuple[list[Scene], np.ndarray]:
    """Scenes, and the bands of each in noise at 5 to 30 dB, (scenes, frames, 40)."""
    rng = np.random.default_rng(seed)
    scenes = [scene(seconds, WORDS, others, voices, rng) for _ in range(count)]
    bands = [log_mel(noisy(each.sound, rng.uniform(5, 30), rng)) for each in scenes]
    return scenes, np.stack(bands)


def build(units: int, bands: np.ndarray) -> keras.Model:
    """(time, 40) -> probabilities of no word and of each word, for each two frames."""
    layers = keras.layers
    x = keras.Input((None, BANDS), name="bands")
    mean, variance = bands.mean(axis=(0, 1)), bands.var(axis=(0, 1))
    h = layers.Normalization(mean=mean, variance=variance)(x)  # where the input is quantized
    h = layers.ZeroPadding2D(((4, 0), (2, 2)))(layers.Reshape((-1, BANDS, 1))(h))
    h = layers.Conv2D(16, (5, 5), strides=(2, 2), use_bias=False, name="spectral")(h)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.Reshape((-1, BANDS // 2 * 16))(h)
    h = layers.Conv1D(units, 3, padding="causal", use_bias=False, name="temporal")(h)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.GRU(units, return_sequences=True, name="gru")(layers.Dropout(0.2)(h))
    words = layers.Dense(1 + len(WORDS), activation="softmax", name="words")(layers.Dropout(0.2)(h))
    return keras.Model(x, words, name="keyword_spotter")


def train(scenes: list[Scene], bands: np.ndarray, form: Form) -> keras.Model:
    """A model that says for 0.3 s after a word which one it was."""
    keras.utils.set_random_seed(0)
    model = build(form.units, bands)
    labels = np.stack([s.labels(WORDS, bands.shape[1] // 2, STEPS_A_SECOND, 0.3) for s in scenes])
    streams.fit(model, bands, labels, form.epochs, "sparse_categorical_crossentropy")
    return model


def probabilities(model: keras.Model, bands: np.ndarray) -> np.ndarray:
    """What the trained model says of each word, (scenes, steps, words)."""
    given: np.ndarray = model.predict(bands, batch_size=4, verbose=0)[:, :, 1:]
    return given


def draw(one: Scene, bands: np.ndarray, given: Sequence[np.ndarray], path: Path) -> None:
    """Twenty seconds: the bands, and what float and int8 say of them."""
    seconds = min(20, len(one.sound) // RATE)
    figure, axes = plt.subplots(3, sharex=True, figsize=(12, 7), layout="constrained")
    extent = (0, seconds, 0, BANDS)
    shown = bands[: seconds * RATE // HOP].T
    axes[0].imshow(shown, origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes[0].set_ylabel("band")
    names = ("float, Keras", "int8, the binary simulated")
    for axis, name, probabilities in zip(axes[1:], names, given, strict=True):
        times = np.arange(1, len(probabilities) + 1) / STEPS_A_SECOND
        for number, word in enumerate(WORDS):
            axis.plot(times, probabilities[:, number], label=word, linewidth=1.2)
        for said in one.words:
            color = f"C{WORDS.index(said.text)}" if said.text in WORDS else "0.6"
            axis.axvspan(said.start, said.end, color=color, alpha=0.15, linewidth=0)
        axis.set(ylabel=f"probability\n{name}", ylim=(0, 1.02), xlim=(0, seconds))
    axes[1].legend(loc="upper left", bbox_to_anchor=(0, 1.2), ncols=len(WORDS), frameon=False)
    axes[2].set_xlabel("s; shaded: where a word is said, grey where it is none of these")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Train, deploy with states, stream minutes of speech, and draw some of it."""
    options = streams.asked(__doc__, "keywords-out")
    form = QUICK if options.quick else FULL
    check_speaker()
    scenes, bands = heard(form.scenes, form.seconds, OTHERS, TRAINED, seed=1)
    model = train(scenes, bands, form)
    done = streams.deployed(model, bands, FRAMES)
    streams.save(done, options.out, "keywords")

    tried, tried_bands = heard(*form.tried, OTHERS, TRAINED, seed=2)
    given = probabilities(model, tried_bands)
    threshold = detecting.best_threshold(WORDS, tried, given, STEPS_A_SECOND)
    tested, test_bands = heard(*form.tested, TEST_OTHERS, TESTED, seed=3)
    run = streams.streamed(done, test_bands)
    both = [probabilities(model, test_bands), run.outputs[0][:, :, 1:]]
    detecting.tell(WORDS, tested, both, STEPS_A_SECOND, threshold)
    streams.tell(done, run, RATE / HOP / FRAMES)
    draw(tested[0], test_bands[0], [each[0] for each in both], options.out / "keywords.png")
    print(f"written to {options.out}: models, report, firmware and keywords.png")


if __name__ == "__main__":
    try:
        main()
    except unspool.UnspoolError as error:
        print(f"keyword_spotter: error: {error}", file=sys.stderr)
        sys.exit(2)
