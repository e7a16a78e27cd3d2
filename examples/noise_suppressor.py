"""Take noise out of speech, frame by frame: the network of RNNoise on an Ethos-U55.

    pip install unspool                    # and Debian's espeak-ng, which speaks
    python examples/noise_suppressor.py    # some minutes; --quick: some seconds

As in RNNoise since 0.2: two convolutions of 3 frames, three GRUs, and all of their outputs together
give a gain for each of 32 bands and whether somebody speaks. It is trained as RNNoise is, with
convolutions that are "valid", and deployed with the same weights in causal ones, 10 ms a call. The
sound has 16 kHz, there is no pitch beside the bands, the network is far smaller and trained for
minutes: it shows the way, not what RNNoise can do.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import streams
from sounds import RATE, check_speaker, mel_filters, noisy, spectra
from words import TESTED, TRAINED, Voices, scene

import unspool
from unspool.support._tensorflow import keras

BANDS, HOP, WINDOW = 32, 160, 320
FILTERS = mel_filters(BANDS, WINDOW // 2 + 1, 0, RATE / 2)
SHAPE = np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)  # its square adds up to 1
LATE = 4  # frames that two valid convolutions of 3 take from a sequence
TRAINED_SENTENCES = (
    "Turn the light on in the kitchen, please.",
    "There is a train to the coast at a quarter past nine.",
    "She sells sea shells by the sea shore, and nobody minds.",
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "Rain in the west, sunshine in the south, and fog in the morning.",
    "Could you tell me where I find the next post office?",
    "We had fish and chips for dinner, and went home early.",
    "My brother has bought an old house with a large garden.",
)
TESTED_SENTENCES = (
    "The meeting has been moved to Thursday afternoon.",
    "I have never seen such a beautiful bird before.",
    "Please leave your name and number after the tone.",
    "Most of the children walk to school every day.",
)


@dataclass(frozen=True)
class Form:
    """How much of everything: the full form, and one that only shows that it runs."""

    mixtures: int
    seconds: int
    epochs: int
    conditions: int
    units: int
    tested: int


FULL = Form(mixtures=400, seconds=4, epochs=20, conditions=48, units=64, tested=40)
QUICK = Form(mixtures=20, seconds=1, epochs=1, conditions=8, units=8, tested=2)


@dataclass(frozen=True)
class Mixtures:
    """Speech and the same in noise, (mixtures, samples) each."""

    clean: np.ndarray
    noisy: np.ndarray

    def bands(self, of: np.ndarray) -> np.ndarray:
        """Energies in the bands, (mixtures, frames, 32)."""
        energies = [np.abs(spectra(each, SHAPE, HOP, WINDOW)) ** 2 @ FILTERS.T for each in of]
        return np.stack(energies).astype(np.float32)

    @property
    def inputs(self) -> np.ndarray:
        """What the network takes, (mixtures, frames, 32)."""
        return np.log(self.bands(self.noisy) + 1e-3)

    @property
    def gains(self) -> np.ndarray:
        """What it should give: by how much each band's amplitude is to shrink."""
        ratio = (self.bands(self.clean) + 1e-6) / (self.bands(self.noisy) + 1e-6)
        return np.sqrt(np.minimum(1, ratio))

    @property
    def voiced(self) -> np.ndarray:
        """And whether somebody speaks, (mixtures, frames, 1)."""
        energy = self.bands(self.clean).sum(axis=2, keepdims=True)
        voiced: np.ndarray = energy > 1e-3 * energy.max(axis=1, keepdims=True)
        return voiced.astype(np.float32)


def mixtures(
    count: int, seconds: int, sentences: tuple[str, ...], voices: Voices, seed: int
) -> Mixtures:
    """Sentences in noise at -5 to 15 dB."""
    rng = np.random.default_rng(seed)
    length, parts = seconds * RATE, np.zeros((0, seconds * RATE), np.float32)
    while len(parts) < count:
        speech = scene(30, (), sentences, voices, rng, share=0).sound
        cut = speech[: len(speech) // length * length].reshape(-1, length)
        parts = np.concatenate([parts, cut])
    clean = parts[:count]
    return Mixtures(clean, np.stack([noisy(part, rng.uniform(-5, 15), rng) for part in clean]))


def build(form: Form, inputs: np.ndarray, padding: str) -> keras.Model:
    """(time, 32) -> gains of the bands and the probability of voice, for each frame."""
    layers = keras.layers
    x = keras.Input((None, BANDS), name="bands")
    mean, variance = inputs.mean(axis=(0, 1)), inputs.var(axis=(0, 1))
    h = layers.Normalization(mean=mean, variance=variance)(x)  # where the input is quantized
    h = layers.Conv1D(form.conditions, 3, padding=padding, activation="tanh", name="conv1")(h)
    h = layers.Conv1D(form.units, 3, padding=padding, activation="tanh", name="conv2")(h)
    parts = [h]
    for name in ("gru1", "gru2", "gru3"):
        parts.append(layers.GRU(form.units, return_sequences=True, name=name)(parts[-1]))
    joined = layers.Concatenate()(parts)
    gains = layers.Dense(BANDS, activation="sigmoid", name="gains")(joined)
    voice = layers.Dense(1, activation="sigmoid", name="voice")(joined)
    return keras.Model(x, [gains, voice], name="noise_suppressor")


def train(data: Mixtures, form: Form) -> keras.Model:
    """Train with valid convolutions; the model with causal ones."""
    keras.utils.set_random_seed(0)
    inputs = data.inputs
    valid, causal = (build(form, inputs, padding) for padding in ("valid", "causal"))
    targets = [data.gains[:, LATE:], data.voiced[:, LATE:]]
    losses = ["mean_squared_error", "binary_crossentropy"]
    streams.fit(valid, inputs, targets, form.epochs, losses, [1.0, 0.05])
    causal.set_weights(valid.get_weights())
    return causal


def suppressed(sound: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """A sound with each frame's bands multiplied by its gains, (samples,)."""
    share = FILTERS / np.maximum(FILTERS.sum(axis=0), 1e-3)  # of a bin, among the bands
    frames = np.fft.irfft(spectra(sound, SHAPE, HOP, WINDOW) * (gains @ share), WINDOW) * SHAPE
    # Each frame ends with its own samples: the second half of one and the first of the next meet.
    parts = np.concatenate([frames[:-1, HOP:] + frames[1:, :HOP], frames[-1:, HOP:]])
    return parts.ravel()


def si_sdr(sound: np.ndarray, clean: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio, dB."""
    target = clean * (sound @ clean) / (clean @ clean)
    return float(10 * np.log10((target @ target) / ((sound - target) @ (sound - target))))


def gained(data: Mixtures, gains: np.ndarray) -> float:
    """Mean SI-SDR that gains add, dB."""
    added = [
        si_sdr(suppressed(sound, each), clean) - si_sdr(sound, clean)
        for clean, sound, each in zip(data.clean, data.noisy, gains, strict=True)
    ]
    return float(np.mean(added))


def tell_speech(data: Mixtures, floats: list[np.ndarray], ints: list[np.ndarray]) -> None:
    """Print what was gained, and how often voice was told from none."""
    count, samples = data.noisy.shape
    before = np.mean([si_sdr(*pair) for pair in zip(data.noisy, data.clean, strict=True)])
    print(f"{count} mixtures of {samples // RATE} s, of voices and sentences never trained on:")
    print(f"  SI-SDR of what is heard: {before:.2f} dB on average")
    rows = (("ideal gains", data.gains), ("float, Keras (measured)", floats[0]))
    for name, gains in (*rows, ("int8, frame by frame (simulated)", ints[0])):
        print(f"  gained with {name}: {gained(data, gains):.2f} dB")
    for name, voice in (("float, Keras (measured)", floats[1]), ("int8 (simulated)", ints[1])):
        right = 100 * ((voice > 0.5) == (data.voiced > 0.5)).mean()
        print(f"  voice or none, {name}: {right:.2f} % of {voice.size:,} frames")
    difference = np.abs(ints[0] - floats[0])
    print(f"  difference of a gain: mean {difference.mean():.4f} (simulated)")


def draw(data: Mixtures, floats: list[np.ndarray], ints: list[np.ndarray], path: Path) -> None:
    """The first mixture: what is heard, what is left of it, and where somebody speaks."""
    first, seconds = data.noisy[0], data.noisy.shape[1] / RATE
    sounds = {
        "in noise": first,
        "float": suppressed(first, floats[0][0]),
        "int8, simulated": suppressed(first, ints[0][0]),
        "clean": data.clean[0],
    }
    figure, axes = plt.subplots(5, sharex=True, figsize=(10, 9), layout="constrained")
    for axis, (name, sound) in zip(axes, sounds.items(), strict=False):
        levels = 20 * np.log10(np.abs(spectra(sound, SHAPE, HOP, WINDOW)).T + 1e-3)
        extent = (0, seconds, 0, RATE / 2000)
        shown = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": -40, "vmax": 30}
        axis.imshow(levels, extent=extent, **shown)
        axis.set_ylabel(f"{name}\nkHz")
    times = (np.arange(floats[1].shape[1]) + 1) * HOP / RATE
    axes[4].fill_between(times, data.voiced[0, :, 0], color="0.9", label="somebody speaks")
    axes[4].plot(times, floats[1][0], label="float, Keras", linewidth=2.5)
    axes[4].plot(times, ints[1][0], label="int8, simulated", linewidth=1)
    axes[4].set(xlabel="s", ylabel="probability\nof voice", ylim=(0, 1.05), xlim=(0, seconds))
    axes[4].legend(loc="lower right")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Train, deploy with states, stream mixtures frame by frame, and draw one."""
    options = streams.asked(__doc__, "noise-out")
    form = QUICK if options.quick else FULL
    check_speaker()
    data = mixtures(form.mixtures, form.seconds, TRAINED_SENTENCES, TRAINED, seed=1)
    model = train(data, form)
    done = streams.deployed(model, data.inputs, 1)
    streams.save(done, options.out, "noise")

    tested = mixtures(form.tested, form.seconds, TESTED_SENTENCES, TESTED, seed=2)
    floats = model.predict(tested.inputs, batch_size=8, verbose=0)
    run = streams.streamed(done, tested.inputs)
    tell_speech(tested, floats, run.outputs)
    streams.tell(done, run, RATE / HOP)
    draw(tested, floats, run.outputs, options.out / "noise.png")
    print(f"written to {options.out}: models, report, firmware and noise.png")


if __name__ == "__main__":
    try:
        main()
    except unspool.UnspoolError as error:
        print(f"noise_suppressor: error: {error}", file=sys.stderr)
        sys.exit(2)
