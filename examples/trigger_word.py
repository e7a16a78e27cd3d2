"""Hear one word in ten seconds of speech: the trigger-word network of a well-known course.

    pip install unspool                # and Debian's espeak-ng, which speaks
    python examples/trigger_word.py    # some minutes; --quick: some seconds

Its shape is that of Coursera's exercise "Trigger word detection": a convolution of 15 windows with
a stride of 4 over a spectrogram of 101 frequencies, two GRUs, and a Dense layer with a sigmoid for
each step. The convolution is causal here, so that the network runs on a stream: five steps, 0.1 s
of sound, a call. Voices, accents and most other words of the test are none of those trained on.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import detecting
import matplotlib.pyplot as plt
import numpy as np
import streams
from sounds import RATE, check_speaker, noisy, spectra
from words import OTHERS, TEST_OTHERS, TESTED, TRAINED, Scene, Voices, scene

import unspool
from unspool.support._tensorflow import keras

WORD, SECONDS = "activate", 10
WINDOW, HOP, FREQUENCIES = 200, 80, 101
STRIDE, FRAMES = 4, 20  # frames of a step, and of a call
STEPS_A_SECOND = RATE / HOP / STRIDE
ALIKE = ("activist", "active", "captivate", "actor", "motivate", "elevate")


@dataclass(frozen=True)
class Form:
    """How much of everything: the full form, and one that only shows that it runs."""

    scenes: int
    seconds: int
    epochs: int
    filters: int
    units: int
    tested: int


FULL = Form(scenes=400, seconds=SECONDS, epochs=25, filters=64, units=48, tested=60)
QUICK = Form(scenes=20, seconds=2, epochs=1, filters=8, units=8, tested=2)


def spectrogram(sound: np.ndarray) -> np.ndarray:
    """Logarithm of the power at 101 frequencies, for each 5 ms, (frames, 101)."""
    power = np.abs(spectra(sound, np.hanning(WINDOW), HOP, WINDOW)) ** 2
    logs: np.ndarray = np.log(power + 1e-3).astype(np.float32)
    return logs


def heard(
    count: int, seconds: float, others: Sequence[str], voices: Voices, seed: int
) -> tuple[list[Scene], np.ndarray]:
    """Scenes, and the spectrogram of each in noise at 5 to 30 dB, (scenes, frames, 101)."""
    rng = np.random.default_rng(seed)
    scenes = [
        scene(seconds, (WORD,), (*ALIKE, *others), voices, rng, share=0.3) for _ in range(count)
    ]
    heard = [spectrogram(noisy(each.sound, rng.uniform(5, 30), rng)) for each in scenes]
    return scenes, np.stack(heard)


def build(form: Form, spectrograms: np.ndarray) -> keras.Model:
    """(time, 101) -> the probability, for each four frames, that the word has just been said."""
    layers = keras.layers
    x = keras.Input((None, FREQUENCIES), name="spectrogram")
    mean, variance = spectrograms.mean(axis=(0, 1)), spectrograms.var(axis=(0, 1))
    h = layers.Normalization(mean=mean, variance=variance)(x)  # where the input is quantized
    h = layers.Conv1D(form.filters, 15, strides=STRIDE, padding="causal", name="conv")(h)
    h = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization()(h)))
    for name in ("gru1", "gru2"):
        h = layers.GRU(form.units, return_sequences=True, name=name)(h)
        h = layers.BatchNormalization()(layers.Dropout(0.2)(h))
    said = layers.TimeDistributed(layers.Dense(1, activation="sigmoid"), name="said")(h)
    return keras.Model(x, said, name="trigger_word")


def train(scenes: list[Scene], spectrograms: np.ndarray, form: Form) -> keras.Model:
    """A model that says so for 0.4 s after the word."""
    keras.utils.set_random_seed(0)
    model = build(form, spectrograms)
    steps = spectrograms.shape[1] // STRIDE
    labels = np.stack([each.labels([WORD], steps, STEPS_A_SECOND, 0.4) for each in scenes])[
        :, :, None
    ]
    streams.fit(model, spectrograms, labels, form.epochs, "binary_crossentropy")
    return model


def activations(model: keras.Model, spectrograms: np.ndarray) -> np.ndarray:
    """What the trained model says of each step, (scenes, steps, 1)."""
    given: np.ndarray = model.predict(spectrograms, batch_size=16, verbose=0)
    return given


def draw(one: Scene, spectrogram: np.ndarray, given: list[np.ndarray], path: Path) -> None:
    """Ten seconds: the spectrogram, and the activations in float and in int8."""
    seconds = len(one.sound) / RATE
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(12, 5), layout="constrained")
    extent = (0, seconds, 0, RATE / 2000)
    above.imshow(spectrogram.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
    above.set_ylabel("kHz")
    names = (("float, Keras", 2.5), ("int8, the binary simulated", 1))
    for (name, width), activations in zip(names, given, strict=True):
        times = np.arange(1, len(activations) + 1) / STEPS_A_SECOND
        below.plot(times, activations[:, 0], label=name, linewidth=width)
    for word in one.words:
        if word.text == WORD:
            below.axvspan(word.start, word.end, color="0.9")
    below.set(xlabel=f"s; shaded: {WORD!r} is said", ylabel="activation", xlim=(0, seconds))
    below.set_ylim(0, 1.02)
    below.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2, frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Train, deploy with states, stream scenes in chunks, and draw one."""
    options = streams.asked(__doc__, "trigger-out")
    form = QUICK if options.quick else FULL
    check_speaker()
    scenes, spectrograms = heard(form.scenes, form.seconds, OTHERS, TRAINED, seed=1)
    model = train(scenes, spectrograms, form)
    done = streams.deployed(model, spectrograms, FRAMES)
    streams.save(done, options.out, "trigger")

    tried, given = heard(form.tested // 2, form.seconds, OTHERS, TRAINED, seed=2)
    threshold = detecting.best_threshold([WORD], tried, activations(model, given), STEPS_A_SECOND)
    tested, given = heard(form.tested, form.seconds, TEST_OTHERS, TESTED, seed=3)
    run = streams.streamed(done, given)
    both = [activations(model, given), run.outputs[0]]
    detecting.tell([WORD], tested, both, STEPS_A_SECOND, threshold)
    streams.tell(done, run, RATE / HOP / FRAMES)
    said = [sum(word.text == WORD for word in each.words) for each in tested]
    most = int(np.argmax(said))
    drawn = [each[most] for each in both]
    draw(tested[most], given[most], drawn, options.out / "trigger.png")
    print(f"written to {options.out}: models, report, firmware and trigger.png")


if __name__ == "__main__":
    try:
        main()
    except unspool.UnspoolError as error:
        print(f"trigger_word: error: {error}", file=sys.stderr)
        sys.exit(2)
