"""How long a sweep takes, beside one Vela process per target one after the other.

Usage: python bench/sweep.py [MODEL.keras]    (by default the guide's GRU(256), untrained)

Seconds are wall-clock, measured on this machine; the sequential figure is from every tenth target.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from unspool.compilation import vela
from unspool.compilation.sweeping import sweep
from unspool.compilation.target_selection import all_targets
from unspool.frontend.keras_file import load
from unspool.guide.model import build
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

EVERY = 10


def main() -> None:
    model = load(Path(sys.argv[1])) if len(sys.argv) > 1 else build("gru", 256)
    float_tflite = convert(unroll(model))
    samples = np.random.default_rng(0).random((20, *model.inputs[0].shape[1:]), np.float32)
    tflite = quantize(float_tflite, calibrate(float_tflite, samples).ranges)
    targets = all_targets()

    start = time.perf_counter()
    outcome = sweep(tflite, targets)
    swept = time.perf_counter() - start
    failed = sum(1 for trial in outcome.trials if trial.cost is None)

    start = time.perf_counter()
    for target in targets[::EVERY]:
        vela.compile(tflite, target)
    each = (time.perf_counter() - start) / len(targets[::EVERY])

    print(f"{len(targets)} targets, {failed} refused, {os.cpu_count()} cores")
    print(f"sweep: {swept:.1f} s; one process per target, one after the other: {each:.2f} s each")
    print(f"ratio: x {swept / (each * len(targets)):.2f}")


if __name__ == "__main__":
    main()
