"""The simulator beside TFLM: MNIST test images with equal bytes, and seconds, per target.

Usage: python bench/simulator.py [--images 10000] [--cells gru] [--states]

Models as `bench.py` trains them, int8 as `unspool mnist` makes them. With --states the network is
fed row by row, 28 calls an image.
"""

import argparse
import time
from itertools import product

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import OUT, trained
from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.guide import mnist
from unspool.quantization.calibration import calibrate, calibrate_stream
from unspool.quantization.quantizer import quantize
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll
from unspool.unrolling.stream_model import unroll_stream

ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--cells", default="gru")
    parser.add_argument("--states", action="store_true")
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    data = mnist.load()
    calibration = mnist.normalised(data.train_images[:200])
    images = mnist.normalised(data.test_images[: arguments.images])
    labels = data.test_labels[: arguments.images]
    console = Console(width=120)
    for cell in arguments.cells.split(","):
        model = trained(cell, 1)
        if arguments.states:
            float_tflite = convert(unroll_stream(model))
            ranges = calibrate_stream(float_tflite, calibration).ranges
        else:
            float_tflite = convert(unroll(model))
            ranges = calibrate(float_tflite, calibration).ranges
        int8 = quantize(float_tflite, ranges)
        start = time.perf_counter()
        expected = predict(int8, images, "tflm")
        seconds = time.perf_counter() - start
        right = 100 * (expected[0].argmax(1) == labels).mean()
        title = f"{cell}, {len(images):,} images; TFLM: {right:.2f} %, {seconds:.1f} s"
        table = Table("target", "equal to TFLM", "s", "s, one image", title=title)
        for accelerator, mode in product(ACCELERATORS, ("Shared_Sram", "Sram_Only")):
            binary = vela.compile(int8, target(accelerator, memory_mode=mode)).tflite
            start = time.perf_counter()
            outputs = predict(binary, images, "npu")
            seconds = time.perf_counter() - start
            session = Session(binary, "npu")
            session.predict(images[:1])
            start = time.perf_counter()
            session.predict(images[1:2])
            one = time.perf_counter() - start
            equal = int(np.all(outputs[0] == expected[0], axis=1).sum())
            table.add_row(f"{accelerator}, {mode}", f"{equal:,}", f"{seconds:.1f}", f"{one:.3f}")
        console.print(table)


if __name__ == "__main__":
    main()
