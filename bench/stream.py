"""What a stream costs beside the same network on sliding windows, as people run it today.

Usage: python bench/stream.py

A keyword spotter over 40 bands in frames of 10 ms: a convolution over time and frequency with a
stride of 2, causal in time, and a GRU(48); random weights. The window is one second, computed anew
for each new chunk, or, as people do today, for each new frame; the stream carries rows and states
and computes the chunk alone. Compiled for ethos-u55-128: cycles are Vela's estimate, flash is
measured.
"""

import numpy as np
from rich.console import Console
from rich.table import Table

import unspool
from unspool import Options
from unspool.support._tensorflow import keras

FRAMES_PER_SECOND = 100
OPTIONS = Options(remedy_seconds=0)


def spotter(steps: int) -> keras.Model:
    """The network, for windows of so many frames."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = keras.Input((steps, 40), name="bands")
    image = layers.ZeroPadding2D(((9, 0), (2, 2)))(layers.Reshape((steps, 40, 1))(x))
    h = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, (10, 5), (2, 2))(image)))
    h = layers.GRU(48)(layers.Reshape((steps // 2, -1))(h))
    return keras.Model(x, layers.Dense(12, activation="softmax", name="word")(h))


def main() -> None:
    model = spotter(FRAMES_PER_SECOND)
    data = np.random.default_rng(0).normal(0, 1, (60, FRAMES_PER_SECOND, 40)).astype(np.float32)
    window = unspool.deploy(model, data, options=OPTIONS).compiled
    table = Table(box=None)
    for heading in ("frames a chunk", "cycles a chunk", "Mcycles a second", "of windows a chunk"):
        table.add_column(heading, justify="right")
    for heading in ("of windows a frame", "SRAM, KiB", "flash, KiB", "TFLM's bytes"):
        table.add_column(heading, justify="right")
    for steps in (2, 4, 10, 20, 50):
        done = unspool.deploy_stream(model, data, time_steps=steps, options=OPTIONS)
        stream, chunks = done.compiled, FRAMES_PER_SECOND // steps
        table.add_row(
            str(steps),
            f"{stream.cycles:,}",
            f"{stream.cycles * chunks / 1e6:.2f}",
            f"1 / {window.cycles / stream.cycles:.1f}",
            f"1 / {window.cycles * steps / stream.cycles:.1f}",
            f"{stream.sram_kib:.1f}",
            f"{stream.flash_kib:.1f}",
            f"{done.simulation.equal} of {done.simulation.samples}",
        )
    screen = Console(width=120)
    screen.print(table)
    screen.print(
        f"a window: {window.cycles:,} cycles, {window.sram_kib:.1f} KiB of SRAM, "
        f"{window.flash_kib:.1f} KiB of flash"
    )


if __name__ == "__main__":
    main()
