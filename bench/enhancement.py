"""Speech enhancement: how far an LSTM network shrinks, as in TinyLSTMs, and what it then loses.

Usage: python bench/enhancement.py    (espeak-ng speaks; some 25 minutes on two cores)

TinyLSTMs (Fedorov et al. 2020, arXiv 2005.11138) made a network for speech enhancement 11.9 times
smaller, with 2.9 times fewer operations, for 0.55 dB of SDR. Here a network of that kind, two
LSTM(256) and two dense layers over 128 mel bands, learns to take noise out of what espeak-ng says
(the sounds of examples/noise_suppressor.py), is deployed as a stream of one frame a call for
ethos-u55-128, and again after `unspool.compress`; the last row is as small from the start. Their
sounds are other ones, of people: decibels cannot be laid side by side.

Weights: of the Keras model, 4 bytes each. Flash: the compiled file. Multiply-accumulates: of the
matrix products in the int8 graph, a frame. Cycles: Vela's estimate, a frame. SI-SDR: what is added
to that of the noisy sound, mean over scenes of voices and sentences that were never trained on;
trained models in Keras, int8 in TFLM.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import unspool
from unspool import FineTuning, KernelSetting
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from noise_suppressor import TESTED_SENTENCES, TRAINED_SENTENCES, mixtures, si_sdr
from sounds import RATE, check_speaker, mel_filters, spectra
from words import OTHERS, TESTED, TRAINED

BANDS, HOP, WINDOW, BINS = 128, 256, 512, 513  # 16 ms a frame, bins of 15.6 Hz: every band has some
FILTERS = mel_filters(BANDS, BINS, 0, RATE / 2)
SHARES = FILTERS / np.maximum(FILTERS.sum(axis=0), 1e-3)  # of a bin, among the bands
SHAPE = np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)  # its square adds up to 1
BATCH = 32
EPOCHS, CALIBRATED = 25, 50
SETTINGS = {
    "3 of 8 units": KernelSetting(0.5, 16, units=0.375),
    "a quarter": KernelSetting(0.5, 16, units=0.25),
}
TUNING = FineTuning(epochs=40, learning_rate=5e-3, batch_size=BATCH)


@dataclass(frozen=True)
class Scenes:
    """Speech in noise.

    Attributes:
        clean: (scenes, samples).
        noisy: the same in noise.
        inputs: what the network takes, (scenes, frames, bands).
        gains: what it should give: by how much each band is to shrink.
    """

    clean: np.ndarray
    noisy: np.ndarray
    inputs: np.ndarray
    gains: np.ndarray

    def added(self, gains: np.ndarray) -> np.ndarray:
        """SI-SDR that gains add to each scene, dB."""
        triples = zip(self.noisy, gains, self.clean, strict=True)
        after = [si_sdr(suppressed(sound, each), clean) for sound, each, clean in triples]
        gained: np.ndarray = np.array(after) - self.before
        return gained

    @property
    def before(self) -> np.ndarray:
        """SI-SDR of each noisy scene, dB."""
        return np.array([si_sdr(*pair) for pair in zip(self.noisy, self.clean, strict=True)])


def _spectra(sound: np.ndarray) -> np.ndarray:
    return spectra(sound, SHAPE, HOP, 2 * BINS - 2)


def suppressed(sound: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """A sound with each frame's bands multiplied by its gains, (samples,)."""
    frames = np.fft.irfft(_spectra(sound) * (gains @ SHARES))[:, :WINDOW] * SHAPE
    # Each frame ends with its own samples: the second half of one and the first of the next meet.
    parts = np.concatenate([frames[:-1, HOP:] + frames[1:, :HOP], frames[-1:, HOP:]])
    return parts.ravel()


def _heard(clean: np.ndarray, noisy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of a scene, and the gains whose squared error in each band is the least."""
    right, heard = _spectra(clean), _spectra(noisy)
    energies = np.abs(heard) ** 2 @ FILTERS.T
    gains = ((right * heard.conj()).real @ FILTERS.T) / (energies + 1e-6)
    return np.log(energies + 1e-3), np.clip(gains, 0, 1)


def scenes(count: int, seconds: int, *what: Any) -> Scenes:
    """Sentences in noise at -5 to 15 dB, those left out in which nobody speaks."""
    made = mixtures(count, seconds, *what)
    spoken = (made.clean != 0).mean(axis=1) > 0.25
    clean, noisy = (part[spoken, : part.shape[1] // HOP * HOP] for part in (made.clean, made.noisy))
    pairs = [_heard(*pair) for pair in zip(clean, noisy, strict=True)]
    inputs, gains = (np.stack(part).astype(np.float32) for part in zip(*pairs, strict=True))
    return Scenes(clean, noisy, inputs, gains)


def sentences(count: int) -> tuple[str, ...]:
    """So many made up of random words, and those of the example."""
    rng = np.random.default_rng(0)
    made = (" ".join(rng.choice(OTHERS, rng.integers(4, 9))) for _ in range(count))
    return (*made, *TRAINED_SENTENCES)


def build(inputs: np.ndarray, units: int, width: int) -> Any:
    """(time, bands) -> gains of the bands in each frame."""
    layers = keras.layers
    x = keras.Input((None, BANDS), name="bands")
    mean, variance = inputs.mean(axis=(0, 1)), inputs.var(axis=(0, 1))
    h = layers.Normalization(mean=mean, variance=variance)(x)  # where the input is quantized
    for name in ("lstm1", "lstm2"):
        h = layers.LSTM(units, return_sequences=True, name=name)(h)
    h = layers.Dense(width, activation="relu", name="dense")(h)
    return keras.Model(x, layers.Dense(BANDS, activation="sigmoid", name="gains")(h))


def trained(data: Scenes, epochs: int, units: int, width: int, peak: float = 2e-3) -> Any:
    """The network, trained at a rate that falls to 0."""
    keras.utils.set_random_seed(0)
    model = build(data.inputs, units, width)
    rate = keras.optimizers.schedules.CosineDecay(peak, epochs * -(-len(data.inputs) // BATCH))
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), "mean_squared_error")
    model.fit(data.inputs, data.gains, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def products(tflite: bytes) -> int:
    """Multiply-accumulates of the matrix products of a graph: each weight once a row."""
    model = flatbuffer.look(tflite)
    tensors, count = model.subgraphs[0].tensors, 0
    for op in model.subgraphs[0].operators:
        if flatbuffer.operator_kind(model, op) == "FULLY_CONNECTED":
            weights, given = tensors[op.inputs[1]].shape, tensors[op.outputs[0]].shape
            count += int(np.prod(given)) * int(weights[-1])
    return count


@dataclass(frozen=True)
class Row:
    """A form of the network, and what it takes and gives.

    Attributes:
        name: of the form.
        kib: of weights, or of the compiled file.
        products: multiply-accumulates of a frame.
        cycles: of a frame; None where it runs on no NPU.
        added: SI-SDR that it adds to each scene, dB.
    """

    name: str
    kib: float
    products: int
    cycles: int | None
    added: np.ndarray


def deployed(name: str, model: Any, data: Scenes, test: Scenes, refine: bool = True) -> Row:
    """A model as a stream of one frame a call; refused if the binary gives other bytes."""
    options = unspool.Options(refine=refine, remedy_seconds=0)
    done = unspool.deploy_stream(model, data.inputs[:CALIBRATED], time_steps=1, options=options)
    (calls,) = unspool.Session(done.quantized_tflite, "tflm").predict_calls(test.inputs)
    (binary,) = unspool.Session(done.compiled.tflite, "npu").predict_calls(test.inputs)
    assert np.array_equal(calls, binary), "the simulated binary gives other bytes than TFLM"
    assert not done.compiled.cpu_operators
    added = test.added(calls.reshape(test.gains.shape))
    tflite, compiled = done.quantized_tflite, done.compiled
    return Row(name, compiled.flash_kib, products(tflite), compiled.cycles, added)


def table(rows: list[Row]) -> Table:
    """Rows beside the first of them, which is the trained model."""
    shown = Table(box=None)
    for heading in ("", "KiB", "smaller", "MACs", "fewer", "cycles", "fewer", "SI-SDR, dB", "lost"):
        shown.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    first, slowest = rows[0], rows[1]
    for row in rows:
        numbers = [f"{row.kib:,.1f}", f"{first.kib / row.kib:.1f} x"]
        numbers += [f"{row.products:,}", f"{first.products / row.products:.2f} x"]
        cycles, few = row.cycles, (slowest.cycles or 0) / (row.cycles or 1)
        numbers += [f"{cycles:,}", f"{few:.2f} x"] if cycles else ["", ""]
        lost = first.added - row.added
        error = lost.std(ddof=1) / len(lost) ** 0.5
        numbers += [f"+{row.added.mean():.2f}", f"{lost.mean():.2f} ± {error:.2f}"]
        shown.add_row(row.name, *numbers)
    return shown


def main() -> None:
    check_speaker()
    screen = Console(width=120)
    data = scenes(1200, 2, sentences(300), TRAINED, 1)
    test = scenes(100, 4, TESTED_SENTENCES, TESTED, 3)
    start = time.perf_counter()
    model = trained(data, EPOCHS, 256, 128)
    screen.print(f"trained in {(time.perf_counter() - start) / 60:.1f} min")
    rows = [
        deployed("int8, as trained", model, data, test, refine=False),
        deployed("int8, as trained, refined", model, data, test),
    ]
    for name, setting in SETTINGS.items():
        done = unspool.compress(model, data.inputs, data.gains, setting=setting, fine_tuning=TUNING)
        rows.append(deployed(name, done.model, data, test))
        units = ", ".join(f"{u.layer} {u.before} to {u.units}" for u in done.units)
        left = f"{done.model.count_params():,} parameters of {model.count_params():,}"
        screen.print(f"{name}: {units}; {left}; fine-tuned in {done.seconds / 60:.1f} min")
    alone = trained(data, EPOCHS + TUNING.epochs, 64, 32, TUNING.learning_rate)
    rows.append(deployed("a quarter from the start", alone, data, test))
    added = test.added(model.predict(test.inputs, verbose=0))
    kib = 4 * model.count_params() / 1024
    whole = Row("float32, trained", kib, rows[0].products, None, added)
    screen.print(table([whole, *rows]))
    count, frames = test.inputs.shape[:2]
    screen.print(
        f"{count} scenes of {frames} frames; SI-SDR of what is heard {test.before.mean():.2f} dB, "
        f"added by the best gains {test.added(test.gains).mean():+.2f} dB; every frame of every "
        "binary, simulated, has TFLM's bytes"
    )


if __name__ == "__main__":
    main()
