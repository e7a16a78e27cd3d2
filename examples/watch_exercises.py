"""Recognise shoulder exercises on a smartwatch, one motion sample after the other.

    pip install 'unspool[examples]'
    python examples/watch_exercises.py --out watch-out     # about a minute; --quick: 20 seconds

A GRU is trained on seven physiotherapy exercises, deployed with its state as an input and an
output, and fed recordings of people that it has never met, call by call, through the binary that
Vela compiled, in Unspool's simulator.

The data (Burns et al. 2018, doi:10.1088/1361-6579/aacfd9) ships inside the package `seglearn`,
BSD-3-Clause: 140 recordings of 10 people, each about 20 repetitions of one exercise with one arm;
accelerometer (g) and gyroscope (rad/s) of a smartwatch at 50 Hz.
"""

import argparse
import pickle
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.console import Console

import unspool
from unspool import deployment, firmware
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.making import Beside, of_deployment
from unspool.report.terminal.report import as_table
from unspool.runtime.drift import drift
from unspool.support import files
from unspool.support._tensorflow import keras

NAMES = (
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)
TEST_PEOPLE = (8, 9, 10)  # never trained on; settings were chosen on the other seven alone
AVERAGED = 4  # samples: 50 Hz become 12.5 Hz
RATE = 50 / AVERAGED
WINDOW = 96  # steps of a training window, 7.7 s
UNITS, EPOCHS, QUICK_EPOCHS = 64, 20, 2


@dataclass(frozen=True)
class Recordings:
    """Recordings (time, 6) float32 at 12.5 Hz, normalised; the exercise of each, 0 to 6."""

    signals: list[np.ndarray]
    exercises: np.ndarray

    def cut(self, steps: int) -> np.ndarray:
        """The first steps of each, (recordings, steps, 6)."""
        return np.stack([signal[:steps] for signal in self.signals])


def load() -> tuple[Recordings, Recordings]:
    """Recordings to train on and to test with; no person is in both."""
    raw = _read(_data_file())
    signals = [_averaged(np.asarray(signal, np.float32)) for signal in raw["X"]]
    tested = np.isin(raw["subject"], TEST_PEOPLE)
    seen = np.concatenate([s for s, test in zip(signals, tested, strict=True) if not test])
    mean, width = seen.mean(axis=0), 2 * seen.std(axis=0)  # what firmware has to apply, too
    # Clipped: int8 would spend its 256 levels on a few jerks.
    signals = [np.clip((signal - mean) / width, -2, 2) for signal in signals]

    def chosen(wanted: np.ndarray) -> Recordings:
        kept = np.flatnonzero(wanted)
        return Recordings([signals[i] for i in kept], np.asarray(raw["y"], np.int64)[kept])

    return chosen(~tested), chosen(tested)


def _averaged(signal: np.ndarray) -> np.ndarray:
    steps = len(signal) // AVERAGED
    averaged: np.ndarray = signal[: steps * AVERAGED].reshape(steps, AVERAGED, -1).mean(axis=1)
    return averaged


def _data_file() -> Path:
    package = find_spec("seglearn")
    if package is None or package.origin is None:
        raise unspool.UnspoolError(
            "the data is in the package seglearn: pip install 'unspool[examples]'"
        )
    return Path(package.origin).parent / "data" / "watch_dataset.npy"


class _ArraysOnly(pickle.Unpickler):
    """The file is a pickled dictionary; this reads arrays and refuses whatever else could run."""

    def find_class(self, module: str, name: str) -> object:
        allowed = {
            "_reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
            "ndarray": np.ndarray,
            "dtype": np.dtype,
            "encode": lambda text, coding: text.encode(coding),
        }
        if name not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not an array")
        return allowed[name]


def _read(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        content: dict[str, np.ndarray] = _ArraysOnly(file, encoding="latin1").load().item()
    return content


def build(every_step: bool) -> keras.Model:
    """(time, 6) -> probabilities of the exercises, after the last step or after every step."""
    motion = keras.Input((None, 6), name="motion")
    state = keras.layers.GRU(UNITS, return_sequences=every_step, name="gru")(motion)
    state = keras.layers.Dropout(0.3)(state)
    exercise = keras.layers.Dense(len(NAMES), activation="softmax", name="exercise")(state)
    return keras.Model(motion, exercise, name="watch_exercises")


def train(recordings: Recordings, epochs: int) -> keras.Model:
    """A model that says after every step which exercise it has seen so far."""
    keras.utils.set_random_seed(0)
    windows, labels = [], []
    for signal, exercise in zip(recordings.signals, recordings.exercises, strict=True):
        for start in range(0, len(signal) - WINDOW + 1, WINDOW // 2):
            windows.append(signal[start : start + WINDOW])
            labels.append(np.full(WINDOW, exercise))
    # Two seconds are hardly one repetition: mistakes there count little.
    weights = np.where(np.arange(WINDOW) < WINDOW // 4, 0.2, 1.0)
    steps = epochs * -(-len(windows) // 32)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps * 9 // 10, warmup_target=5e-3, warmup_steps=steps // 10
    )
    model = build(every_step=True)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), "sparse_categorical_crossentropy")
    model.fit(
        np.stack(windows),
        np.stack(labels),
        sample_weight=np.tile(weights, (len(windows), 1)),
        batch_size=32,
        epochs=epochs,
        verbose=0,
    )
    return model


def live(binary: unspool.Session, signal: np.ndarray, exercise: int) -> np.ndarray:
    """Feed one recording step by step and say now and then what is seen; (steps, 7)."""
    print(f"\nA recording of {NAMES[exercise]!r}, through the binary (simulated):")
    binary.reset()
    outputs = []
    for step, motion in enumerate(signal, 1):
        (probabilities,) = binary.step(motion[None])  # 1 step of 6 values; the state is carried
        outputs.append(probabilities)
        if step in (1, 2) or step % 50 == 0:
            best = int(np.argmax(probabilities))
            print(f"  {step / RATE:5.1f} s: {NAMES[best]}, {100 * probabilities[best]:.0f} %")
    return np.stack(outputs)


def streamed(session: unspool.Session, recordings: Recordings) -> list[np.ndarray]:
    """Outputs of all recordings, each from a zero state, (steps, 7) each."""
    outputs = []
    for signal in recordings.signals:
        session.reset()
        outputs += session.run(signal)
    return outputs


def accuracy(outputs: list[np.ndarray], recordings: Recordings, after: float = 4.0) -> str:
    """Share of steps with the right answer, from so many seconds on."""
    right = [
        output[int(after * RATE) :].argmax(axis=1) == exercise
        for output, exercise in zip(outputs, recordings.exercises, strict=True)
    ]
    steps = np.concatenate(right)
    return f"{100 * steps.mean():.1f} % of {len(steps):,} steps"


def main() -> None:
    """Train, deploy with states, and run the stream."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("watch-out"), help="folder for results")
    parser.add_argument("--target", default="ethos-u55-32", help="accelerator")
    parser.add_argument("--quick", action="store_true", help="two epochs, fewer recordings")
    options = parser.parse_args()
    target = unspool.target(options.target)
    train_set, test_set = load()
    files.output_folder(options.out)
    if options.quick:
        test_set = Recordings(test_set.signals[:8], test_set.exercises[:8])
    steps = min(map(len, train_set.signals + test_set.signals))

    start = time.perf_counter()
    model = train(train_set, QUICK_EPOCHS if options.quick else EPOCHS)
    seconds = {"train": time.perf_counter() - start}
    print(f"trained on {len(train_set.signals)} recordings of 7 people: {seconds['train']:.0f} s")
    trained = build(every_step=False)
    trained.set_weights(model.get_weights())

    done = unspool.deploy_stream(
        trained,
        train_set.cut(steps)[:: 4 if options.quick else 1],
        time_steps=1,
        test=(test_set.cut(steps), test_set.exercises),
        options=unspool.Options(target=target),
    )
    # The worst case for the state: three people one after the other, and never a reset.
    stream = np.concatenate(test_set.signals)[: 1_000 if options.quick else None]
    sizes = deployment.save(done, options.out)
    strayed = drift(done.float_tflite, done.quantized_tflite, stream)
    request = Request(quantized=str(options.out / "model_int8.tflite"), out=str(options.out))
    report = of_deployment(done, sizes, request, beside=Beside(seconds=seconds, drift=strayed))
    files.write(options.out / "report.json", as_json(report))
    sources = unspool.bundle(done.quantized_tflite, done.compiled, "watch")
    firmware.write(sources, options.out / "firmware")
    Console(highlight=False, width=None if Console().is_terminal else 140).print(as_table(report))

    binary = unspool.Session(done.compiled.tflite, "npu")
    signal, exercise = test_set.signals[0], int(test_set.exercises[0])
    if options.quick:
        signal = signal[:60]
    simulated = live(binary, signal, exercise)

    tflm = streamed(unspool.Session(done.quantized_tflite, "tflm"), test_set)
    keras_outputs = [model.predict(s[None], verbose=0)[0] for s in test_set.signals]
    same = np.array_equal(simulated, tflm[0][: len(simulated)])
    gap = np.abs(np.concatenate(tflm) - np.concatenate(keras_outputs))
    print(f"  {'the same values as' if same else 'DIFFERS FROM'} the int8 model in TFLM")
    print(f"\n{len(tflm)} recordings of people {TEST_PEOPLE}, each from a zero state, after 4 s:")
    print(f"  right, trained model in Keras (measured): {accuracy(keras_outputs, test_set)}")
    print(f"  right, int8 step by step in TFLM (measured): {accuracy(tflm, test_set)}")
    print(f"  mean difference of a probability (measured): {gap.mean():.4f}")
    print(f"\nwritten to {options.out}: {', '.join([*sizes, 'report.json', 'firmware/'])}")


if __name__ == "__main__":
    try:
        main()
    except unspool.UnspoolError as error:
        print(f"watch_exercises: error: {error}", file=sys.stderr)
        sys.exit(2)
