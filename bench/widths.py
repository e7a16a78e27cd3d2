"""How many cycles each width of a recurrent layer takes, on one size of each accelerator or more.

Usage: python bench/widths.py [--cells gru,lstm] [--widths 24,32,...] [--sizes all|one]

The network is the guide's on MNIST, untrained, with all of its weights, in int8; cycles are Vela's
estimate for each target's default configuration. `--units 0.4` rounds to widths that lie below a
step (docs/compression.md); after each table stand those that it rounds to and that a wider one
beats.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from unspool.compilation.sweeping import sweep
from unspool.compilation.targets import ACCELERATORS, Target, target
from unspool.guide.model import build
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

WIDTHS = "24,32,40,48,56,64,72,80,96,104,112,128,160"
ONE_OF_EACH = ("ethos-u55-128", "ethos-u65-512", "ethos-u85-256")


def int8(cell: str, units: int) -> bytes:
    """The guide's model of this width, untrained."""
    keras.utils.set_random_seed(0)
    float_tflite = convert(unroll(build(cell, units)))
    samples = np.random.default_rng(0).random((20, 28, 28), np.float32)
    return quantize(float_tflite, calibrate(float_tflite, samples).ranges)


def cycles(cell: str, units: int, targets: Sequence[Target]) -> list[int]:
    """The cycles of a width, on each target."""
    costs = [trial.cost for trial in sweep(int8(cell, units), targets).trials]
    assert all(costs), "a target has refused the network"
    return [cost.cycles for cost in costs if cost]


def is_rounded_to(units: int) -> bool:
    """Whether a share of units is rounded to this width."""
    return units % (8 if units <= 64 else 32) == 0


def table(cell: str, widths: Sequence[int], targets: Sequence[Target]) -> tuple[Table, list[str]]:
    """The cycles of each width on each target, and which of them a wider one beats."""
    columns = {units: cycles(cell, units, targets) for units in widths}
    shown = Table("units", *map(str, widths), title=f"{cell}: thousands of cycles, Vela's estimate")
    beaten = []
    for row, each in enumerate(targets):
        counts = [columns[units][row] for units in widths]
        shown.add_row(each.accelerator, *(f"{count / 1000:,.0f}" for count in counts))
        for place, units in enumerate(widths):
            least = min(counts[place:])
            if is_rounded_to(units) and least < counts[place]:
                wider = widths[counts.index(least)]
                less = 100 * (1 - least / counts[place])
                beaten.append(
                    f"{each.accelerator}: {wider} units take {less:.1f} % less than {units}"
                )
    return shown, beaten


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", default="gru,lstm")
    parser.add_argument("--widths", default=WIDTHS)
    parser.add_argument("--sizes", choices=["all", "one"], default="all")
    asked = parser.parse_args()
    names = ACCELERATORS if asked.sizes == "all" else ONE_OF_EACH
    widths = sorted(map(int, asked.widths.split(",")))
    for cell in asked.cells.split(","):
        shown, beaten = table(cell, widths, [target(name) for name in names])
        Console(width=160).print(shown)
        print("\n".join(beaten) or "no width that a share is rounded to is beaten by a wider one")


if __name__ == "__main__":
    main()
