"""What a longer sequence costs: seconds, memory, flash and cycles of GRU(32), by its steps.

Usage: python bench/steps.py [--steps 10 30 100 ...] [--before SOURCES] [--plot FILE.svg]

A GRU with 32 units over 8 features and a Dense of 6 behind it, calibrated with 100 samples. Each
length is taken from Keras to the compiled file for ethos-u55-128 in a process of its own, which
measures wall-clock seconds and its largest memory. With --before, the same is done with the
sources of another commit (`git worktree add SOURCES COMMIT`), one after the other in the same run.
Flash is the compiled file; of its parts, weights and cycles are Vela's figures, the command stream
is measured.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

STAGES = ("unroll", "convert", "calibrate", "quantize")

ONE = """
import json, resource, sys, time
import numpy as np
import unspool
from unspool.support._tensorflow import keras

steps = int(sys.argv[1])
keras.utils.set_random_seed(0)
x = keras.Input((steps, 8), name="x")
model = keras.Model(x, keras.layers.Dense(6, activation="softmax")(keras.layers.GRU(32)(x)))
data = np.random.default_rng(0).normal(0, 1, (100, steps, 8)).astype(np.float32)
seconds, start = {}, time.perf_counter()

def done(stage):
    global start
    now = time.perf_counter()
    seconds[stage], start = now - start, now

deploy_model = unspool.unroll(model)
done("unroll")
tflite = unspool.convert(deploy_model)
done("convert")
calibration = unspool.calibrate(tflite, data)
done("calibrate")
quantized = unspool.quantize(tflite, calibration.ranges)
done("quantize")
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
compiled = unspool.compile(quantized, unspool.target())
done("Vela")
print(json.dumps({
    "seconds": seconds,
    "memory_mib": memory,
    "flash_kib": len(compiled.tflite) / 1024,
    "constants_kib": compiled.constants_kib,
    "cycles": compiled.cycles,
}))
"""


def measured(steps: int, sources: Path) -> dict[str, Any]:
    """The figures of one length, with the package in a folder of sources."""
    environment = {**os.environ, "PYTHONPATH": str(sources)}
    run = subprocess.run(
        [sys.executable, "-c", ONE, str(steps)], capture_output=True, text=True, env=environment
    )
    if run.returncode:
        raise SystemExit(f"{steps} steps: {run.stderr[-500:]}")
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def seconds(figures: dict[str, Any]) -> float:
    """From Keras to the int8 .tflite, without Vela."""
    return float(sum(figures["seconds"][stage] for stage in STAGES))


def plot(
    measurements: dict[int, dict[str, Any]], before: dict[int, dict[str, Any]], path: Path
) -> None:
    """Seconds over steps, both on logarithmic axes."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5))
    for name, rows in (("before", before), ("now", measurements)):
        if rows:
            axes.loglog([*rows], [seconds(row) for row in rows.values()], "o-", label=name)
    axes.set_xlabel("steps")
    axes.set_ylabel("from Keras to int8 .tflite, s")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 30, 100, 300, 1000])
    parser.add_argument("--before", type=Path, help="the folder src of another commit")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    now, before = {}, {}
    table = Table("steps", "to int8, s", "Vela, s", "memory, MiB", "flash, KiB", "cycles")
    for steps in arguments.steps:
        if arguments.before:
            before[steps] = measured(steps, arguments.before)
        row = now[steps] = measured(steps, Path(__file__).parents[1] / "src")
        old = before.get(steps)

        def both(value: float, other: float | None, form: str = ".1f") -> str:
            text = f"{value:{form}}"
            return (
                text if other is None else f"{text} (before: {other:{form}}, x {other / value:.1f})"
            )

        table.add_row(
            str(steps),
            both(seconds(row), seconds(old) if old else None),
            both(row["seconds"]["Vela"], old["seconds"]["Vela"] if old else None),
            both(row["memory_mib"], old["memory_mib"] if old else None, ".0f"),
            f"{row['flash_kib']:.1f}, of which weights and constants {row['constants_kib']:.1f}",
            f"{row['cycles']:,}",
        )
    Console(width=None if os.isatty(1) else 160).print(table)
    if arguments.plot:
        plot(now, before, arguments.plot)


if __name__ == "__main__":
    main()
