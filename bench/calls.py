"""What several calls a sequence cost beside one: flash and cycles by the steps of a call.

Usage: python bench/calls.py [MODEL.keras ...] [--lengths 100 1000 3000]

GRU(32) over 8 features with a Dense of 6 behind it, at each length; then each model given, which
takes MNIST's images (`unspool mnist --epochs 5`, `unspool compress`). Compiled for ethos-u55-128;
flash is measured, cycles are Vela's estimate, the time adds 20 microseconds for each call. The
unrolled network stands first, deployed in the same run.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import unspool
from unspool import stages
from unspool.guide import mnist
from unspool.report.numbers import CALL_COLUMNS, call_numbers
from unspool.support._tensorflow import keras


def show(title: str, model: Any, data: np.ndarray, screen: Console) -> None:
    """A table of what each number of steps per call costs."""
    _, tflite = stages.quantized(model, data, stages.sequences())
    alone = unspool.compile(tflite, unspool.target())
    table = Table(title=title, title_justify="left", box=None)
    for heading in (*CALL_COLUMNS, "Cycles more"):
        table.add_column(heading, justify="right", no_wrap=True)
    kib = (alone.flash_kib, alone.command_stream_kib, alone.sram_kib)
    figures = (*(f"{value:,.1f}" for value in kib), f"{alone.cycles:,}")
    table.add_row("unrolled", "1", *figures, f"{alone.milliseconds:.2f}", "")
    for cost in unspool.call_costs(model, data):
        more = f"{100 * cost.cycles / alone.cycles - 100:+.1f} %"
        table.add_row(*call_numbers(cost), more)
    screen.print(table)


def gru(steps: int) -> Any:
    """The network that bench/steps.py unrolls."""
    keras.utils.set_random_seed(0)
    x = keras.Input((steps, 8), name="x")
    return keras.Model(x, keras.layers.Dense(6, activation="softmax")(keras.layers.GRU(32)(x)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--lengths", type=int, nargs="*", default=[100, 1000, 3000])
    arguments = parser.parse_args()
    screen = Console(width=110)
    rng = np.random.default_rng(0)
    for steps in arguments.lengths:
        data = rng.normal(0, 1, (20, steps, 8)).astype(np.float32)
        show(f"GRU(32), {steps:,} steps", gru(steps), data, screen)
    images = mnist.normalised(mnist.load().train_images[:200]) if arguments.models else None
    for path in arguments.models:
        assert images is not None
        show(path.stem, unspool.load(path), images, screen)


if __name__ == "__main__":
    main()
