"""Units taken out of two networks on data of people: accuracy, flash and cycles, before and after.

Usage: python bench/units.py    (espeak-ng speaks the words; some minutes)

Exercises on a smartwatch (Burns et al. 2018, in the package seglearn): windows of 96 steps, people
that were never trained on. Words in speech (examples/keyword_spotter.py, a quarter of its scenes,
2 s each): other voices than those trained on; every second 10 ms frame counts. Both networks are
trained, then deployed as they are and compressed; accuracy: int8 in LiteRT on the test samples,
beside the trained model in Keras; flash, SRAM and cycles: ethos-u55-128,
Ethos_U55_High_End_Embedded, Shared_Sram with resident weights, Vela's estimate.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import unspool
from unspool import FineTuning, KernelSetting, stages
from unspool.compilation.residency import compiling
from unspool.compilation.residency.keeping import keep_resident
from unspool.compilation.targets import target
from unspool.compilation.vela import compile
from unspool.runtime.evaluation import accuracy
from unspool.support._tensorflow import keras

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))


@dataclass(frozen=True)
class Work:
    """A network and its data.

    Attributes:
        model: trained, and compiled.
        data: (samples, time, features), and labels as the loss takes them.
        test: the same, of people or voices that were not trained on.
        settings: layer -> how far it is compressed.
        tuning: how that is fine-tuned.
    """

    model: Any
    data: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    settings: dict[str, KernelSetting]
    tuning: FineTuning


def exercises() -> Work:
    """Seven exercises: GRU(64) over 96 steps of six features."""
    import watch_exercises as watch

    train, test = watch.load()

    def windows(recordings: watch.Recordings) -> tuple[np.ndarray, np.ndarray]:
        pairs = [
            (signal[start : start + watch.WINDOW], exercise)
            for signal, exercise in zip(recordings.signals, recordings.exercises, strict=True)
            for start in range(0, len(signal) - watch.WINDOW + 1, watch.WINDOW // 4)
        ]
        return np.stack([w for w, _ in pairs]), np.array([label for _, label in pairs])

    data, held = windows(train), windows(test)
    x = keras.Input((watch.WINDOW, 6), name="motion")
    state = keras.layers.Dropout(0.3)(keras.layers.GRU(64, name="gru")(x))
    head = keras.layers.Dense(len(watch.NAMES), activation="softmax", name="exercise")
    model = keras.Model(x, head(state), name="exercises")
    _fit(model, *data, epochs=20)
    tuning = FineTuning(epochs=60, learning_rate=3e-3, batch_size=32, mixup=True)
    return Work(model, data, held, {"gru": KernelSetting(0.5, 16, units=24)}, tuning)


def words() -> Work:
    """Six words: convolutions and GRU(64) over 200 frames of 40 bands."""
    import keyword_spotter as spotter
    from sounds import check_speaker
    from words import OTHERS, TEST_OTHERS, TESTED, TRAINED

    check_speaker()

    def spoken(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        scenes, bands = spotter.heard(*arguments)
        steps = bands.shape[1] // 2
        labels = [s.labels(spotter.WORDS, steps, spotter.STEPS_A_SECOND, 0.3) for s in scenes]
        return bands, np.stack(labels)

    data = spoken(200, 2, OTHERS, TRAINED, 1)
    test = spoken(60, 2, TEST_OTHERS, TESTED, 3)
    open_ended = spotter.build(64, data[0])
    x = keras.Input(data[0].shape[1:], name="bands")
    model = keras.Model(x, _again(open_ended, x), name="words")
    _fit(model, *data, epochs=25)
    setting = KernelSetting(0.5, 16, units=0.375)
    tuning = FineTuning(epochs=40, learning_rate=2e-3, batch_size=20, mixup=True)
    return Work(model, data, test, {"gru": setting, "temporal": setting}, tuning)


def _again(model: Any, x: Any) -> Any:
    """The layers of a model of a sequence of layers, called on a tensor."""
    for layer in model.layers[1:]:
        x = layer(x)
    return x


def _fit(model: Any, data: np.ndarray, labels: np.ndarray, epochs: int) -> None:
    keras.utils.set_random_seed(0)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(data) // 32))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss, metrics=["accuracy"])
    model.fit(data, labels, batch_size=32, epochs=epochs, verbose=0)


def figures(model: Any, work: Work) -> tuple[float, float, float, int]:
    """Int8 accuracy in percent, flash and SRAM in KiB, cycles."""
    _, tflite = stages.quantized(model, work.data[0][:200], stages.sequences())
    percent = accuracy(tflite, *work.test, "litert").percent
    system = "Ethos_U55_High_End_Embedded"
    compiled = compile(tflite, target(system_config=system, memory_mode="Shared_Sram"))
    resident = keep_resident(compiled, tflite)
    cycles = compiling.cycles(compiled, resident)
    return percent, compiled.flash_kib, compiled.sram_kib + resident.kept_kib, cycles


def show(name: str, make: Callable[[], Work], screen: Console) -> None:
    """Train a network, compress it, and print both."""
    work = make()
    trained = accuracy(work.model, *work.test).percent
    start = time.perf_counter()
    done = unspool.compress(
        work.model,
        *work.data,
        setting=KernelSetting(0.5, 16),
        layers=work.settings,
        fine_tuning=work.tuning,
    )
    minutes = (time.perf_counter() - start) / 60
    table = Table(title=f"{name}: {trained:.2f} % trained (Keras)", title_justify="left", box=None)
    for heading in ("", "Accuracy, %", "Flash, KiB", "SRAM, KiB", "Cycles", "Parameters"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for title, model in (("as trained", work.model), ("fewer units", done.model)):
        percent, flash, sram, cycles = figures(model, work)
        numbers = (f"{percent:.2f}", f"{flash:.1f}", f"{sram:.1f}", f"{cycles:,}")
        table.add_row(title, *numbers, f"{model.count_params():,}")
    screen.print(table)
    left = ", ".join(f"{u.layer} {u.before} to {u.units}" for u in done.units)
    count = work.test[1].size
    screen.print(f"{count:,} test answers; units: {left}; fine-tuning {minutes:.1f} min\n")


def main() -> None:
    screen = Console(width=110)
    show("Exercises", exercises, screen)
    show("Words", words, screen)


if __name__ == "__main__":
    main()
