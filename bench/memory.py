"""What stays in memory of a process that deploys one network after the other.

Usage: python bench/memory.py [--deployments 100] [--streams]

Each network is new: a GRU of 8 to 40 units over 10 to 30 steps, built, calibrated with 50 samples,
deployed for ethos-u55-128 and simulated, and then forgotten. Printed is the resident memory of the
process (Linux's VmRSS, MiB) after each tenth, beside what building and predicting the same networks
in Keras alone leaves, in a process of its own, and how much the last is above the tenth.
"""

import argparse
import gc
import subprocess
import sys
from pathlib import Path

import numpy as np

EVERY = 10


def resident() -> float:
    """MiB of this process that are in memory."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def run(count: int, deploys: bool, streams: bool) -> None:
    """Print the resident memory after each tenth network."""
    import unspool
    from unspool.support._tensorflow import keras

    options, rng = unspool.Options(remedy_seconds=0), np.random.default_rng(0)
    for number in range(1, count + 1):
        units, steps = int(rng.integers(8, 41)), int(rng.integers(10, 31))
        x = keras.Input((steps, 6), name="x")
        model = keras.Model(x, keras.layers.Dense(4)(keras.layers.GRU(units)(x)))
        data = rng.normal(0, 1, (50, steps, 6)).astype(np.float32)
        if not deploys:
            model.predict(data, verbose=0)
        elif streams:
            unspool.deploy_stream(model, data, time_steps=1, options=options)
        else:
            unspool.deploy(model, data, options=options)
        if number % EVERY == 0:
            gc.collect()
            print(number, f"{resident():.1f}", flush=True)


def measured(count: int, what: list[str]) -> dict[int, float]:
    """Networks so far -> MiB, in a process of its own."""
    command = [sys.executable, __file__, "--deployments", str(count), *what]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    return {int(n): float(mib) for n, mib in (line.split() for line in lines if line)}


def main() -> None:
    """Measure both, and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployments", type=int, default=100)
    parser.add_argument("--streams", action="store_true", help="with states in and out")
    parser.add_argument("--alone", choices=("keras", "unspool"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        run(given.deployments, given.alone == "unspool", given.streams)
        return
    streams = ["--streams"] * given.streams
    sides = {
        side: measured(given.deployments, ["--alone", side, *streams])
        for side in ("unspool", "keras")
    }
    print("networks  Unspool, MiB  Keras alone, MiB")
    for number in sides["unspool"]:
        print(f"{number:8}  {sides['unspool'][number]:12.1f}  {sides['keras'][number]:16.1f}")
    for side, sizes in sides.items():
        first, last = sizes[EVERY], sizes[max(sizes)]
        print(f"{side}: {100 * (last / first - 1):+.1f} % from the tenth to the last")


if __name__ == "__main__":
    main()
