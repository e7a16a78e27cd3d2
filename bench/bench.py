"""Arm's guide's flow beside ours: same weights, same calibration images, same Vela, one run.

Usage: python bench/bench.py [--models gru:1,gru:5,lstm:1,lstm:5,simple:1]    (cell:epochs)

Accuracies are measured on all 10,000 test images, seconds on this machine; flash, cycles and
operators are Vela's for ethos-u55-128 with Ethos_U55_High_End_Embedded. GRU and LSTM of 5 epochs
are compressed too, with all their units and with fewer. Trained and compressed models and the
results go to bench-out/; what is there already is used again, with the time that it took then.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import guide_flow
import numpy as np
from rich.console import Console
from rich.table import Table

from unspool import Options, call_costs
from unspool.compilation import vela
from unspool.compilation.call_costs import CallCost
from unspool.compilation.residency.keeping import keep_resident
from unspool.compilation.targets import target
from unspool.compression.compressing import compress
from unspool.compression.fine_tuning_run import FineTuning
from unspool.compression.kernels import KernelSetting
from unspool.frontend.keras_file import load
from unspool.guide import mnist
from unspool.guide.model import build, train
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.runtime.evaluation import accuracy
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

OUT = Path("bench-out")
UNITS = 256
CALIBRATION_IMAGES = {"guide": 50, "unspool": 200}  # each flow's own default


@dataclass(frozen=True)
class Flow:
    """What one flow gave for one model."""

    accuracy_litert: float
    accuracy_tflm: float
    flash_kib: float
    constants_kib: float
    cycles_shared_sram: int
    cycles_sram_only: int
    cycles_resident: int
    flash_kib_one_step: float
    cycles_one_step: int
    npu_operators: int
    cpu_operators: int
    file_kib: float
    seconds: float


COMPRESSION = {
    ("gru", 5): {
        "compressed": (KernelSetting(0.9, 16), FineTuning(epochs=8)),
        "fewer units": (
            KernelSetting(0.5, 16, units=56),
            FineTuning(epochs=60, learning_rate=3e-3, batch_size=128, mixup=True),
        ),
    },
    ("lstm", 5): {
        "compressed": (
            KernelSetting(0.81, 16),
            FineTuning(epochs=10, learning_rate=2e-3, distillation=10.0),
        ),
        "fewer units": (
            KernelSetting(0.5, 16, units=64),
            FineTuning(epochs=40, learning_rate=3e-3, batch_size=128, mixup=True),
        ),
    },
}
"""(cell, epochs) of a trained model -> name of a recipe -> how it is compressed."""

ROWS = {
    "accuracy_litert": ("int8 accuracy, LiteRT, 10,000 images", "%", "{:.2f}"),
    "accuracy_tflm": ("int8 accuracy, TFLM, 10,000 images", "%", "{:.2f}"),
    "flash_kib": ("flash, the whole file", "KiB", "{:.1f}"),
    "constants_kib": ("weights and constants", "KiB", "{:.1f}"),
    "cycles_shared_sram": ("cycles, Shared_Sram", "cycles", "{:,}"),
    "cycles_sram_only": ("cycles, Sram_Only", "cycles", "{:,}"),
    "cycles_resident": ("cycles, Shared_Sram, resident weights", "cycles", "{:,}"),
    "flash_kib_one_step": ("flash, 28 calls of one step", "KiB", "{:.1f}"),
    "cycles_one_step": ("cycles, 28 calls of one step", "cycles", "{:,}"),
    "npu_operators": ("operators on the NPU", "", "{}"),
    "cpu_operators": ("operators on the CPU", "", "{}"),
    "file_kib": ("int8 .tflite", "KiB", "{:.1f}"),
    "seconds": ("after training, accuracy runs left out", "s", "{:.1f}"),
}


def measure(
    int8: Callable[[], bytes], images: np.ndarray, labels: np.ndarray, one_step: CallCost | None
) -> Flow:
    """Time a flow up to and with Vela, then measure what it made.

    Args:
        int8: makes its int8 file.
        images: of the test set.
        labels: of them.
        one_step: of calls of one step; None for a flow that has none.
    """
    start = time.perf_counter()
    tflite = int8()
    shared = vela.compile(tflite, target(memory_mode="Shared_Sram"))
    seconds = time.perf_counter() - start
    alone = vela.compile(tflite, target(memory_mode="Sram_Only"))
    # The guide's file is converted anew, and in some runs leaves operators to the CPU.
    resident = None if shared.cpu_operators else keep_resident(shared, tflite).cycles
    return Flow(
        accuracy_litert=accuracy(tflite, images, labels, "litert").percent,
        accuracy_tflm=accuracy(tflite, images, labels, "tflm").percent,
        flash_kib=shared.flash_kib,
        constants_kib=shared.constants_kib,
        cycles_shared_sram=shared.cycles,
        cycles_sram_only=alone.cycles,
        cycles_resident=resident or shared.cycles,
        flash_kib_one_step=one_step.flash_kib if one_step else shared.flash_kib,
        cycles_one_step=one_step.cycles if one_step else shared.cycles,
        npu_operators=shared.npu_operators,
        cpu_operators=len(shared.cpu_operators),
        file_kib=len(tflite) / 1024,
        seconds=seconds,
    )


def trained(cell: str, epochs: int) -> Any:
    """The guide's model, trained once and kept in bench-out/."""
    path = OUT / f"{cell}-{UNITS}-{epochs}.keras"
    if path.is_file():
        return load(path)
    data = mnist.load()
    keras.utils.set_random_seed(0)
    model = build(cell, UNITS)
    images = mnist.normalised(data.train_images)
    train(model, images, data.train_labels, cell=cell, epochs=epochs)
    model.save(path)
    return model


def compressed(cell: str, epochs: int, name: str, model: Any) -> tuple[Any, float]:
    """A trained model compressed, once, and kept in bench-out/; and the seconds that it took."""
    path = OUT / f"{cell}-{UNITS}-{epochs}-{name.replace(' ', '-')}.keras"
    seconds = path.with_suffix(".seconds")
    if not path.is_file():
        data = mnist.load()
        setting, fine_tuning = COMPRESSION[cell, epochs][name]
        images, labels = mnist.normalised(data.train_images), data.train_labels
        done = compress(model, images, labels, setting=setting, fine_tuning=fine_tuning)
        done.model.save(path)
        seconds.write_text(f"{done.seconds}\n")
    return load(path), float(seconds.read_text())


def one_step(model: Any, calibration: np.ndarray) -> CallCost:
    """What 28 calls of one step cost, with Ethos_U55_High_End_Embedded and Shared_Sram."""
    costs = call_costs(
        model, calibration, options=Options(target=target(memory_mode="Shared_Sram"))
    )
    return next(cost for cost in costs if cost.steps_per_call == 1)


def int8(model: Any, calibration: np.ndarray) -> bytes:
    """Our flow, up to Vela."""
    float_tflite = convert(unroll(model))
    return quantize(float_tflite, calibrate(float_tflite, calibration).ranges)


def compare(cell: str, epochs: int, console: Console) -> dict[str, Any]:
    """Both flows on one trained model; prints a table and returns the figures."""
    data = mnist.load()
    calibration = mnist.normalised(data.train_images[:200])
    images, labels = mnist.normalised(data.test_images), data.test_labels
    model = trained(cell, epochs)

    def guides() -> bytes:
        few = calibration[: CALIBRATION_IMAGES["guide"]]
        with contextlib.redirect_stdout(io.StringIO()):
            return guide_flow.convert(guide_flow.deployment_ready(cell, UNITS, model), few)

    def ours() -> bytes:
        return int8(model, calibration[: CALIBRATION_IMAGES["unspool"]])

    keras_accuracy = accuracy(model, images, labels).percent
    flows = {
        "guide": measure(guides, images, labels, None),
        "unspool": measure(ours, images, labels, one_step(model, calibration)),
    }
    seconds = {}
    for name in COMPRESSION.get((cell, epochs), {}):
        small, seconds[name] = compressed(cell, epochs, name, model)

        def smaller(small: Any = small) -> bytes:
            return int8(small, calibration)

        flows[name] = measure(smaller, images, labels, one_step(small, calibration))
    title = f"{cell.upper()}({UNITS}), {epochs} epoch{'s' * (epochs > 1)}: "
    table = Table(title=title + f"{keras_accuracy:.2f} % trained (Keras)", title_justify="left")
    columns = [{"guide": "guide's flow"}.get(name, name) for name in flows]
    for column in ("figure", "unit", *columns, f"{columns[-1]} to guide's"):
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for name, (label, unit, form) in ROWS.items():
        values = [getattr(flow, name) for flow in flows.values()]
        a, b = values[0], values[-1]
        ratio = f"x {b / a:.3f}" if a else f"{b - a:+}"
        change = f"{b - a:+.2f} points" if unit == "%" else ratio
        table.add_row(label, unit, *map(form.format, values), change)
    console.print(table)
    for name, taken in seconds.items():
        console.print(f"fine-tuning, {name}: {taken / 60:.1f} min")
    return {
        "cell": cell,
        "epochs": epochs,
        "accuracy_keras": keras_accuracy,
        "fine_tuning_seconds": seconds,
        **{name: asdict(flow) for name, flow in flows.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="gru:1,gru:5,lstm:1,lstm:5,simple:1")
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    console = Console(width=None if os.isatty(1) else 120)
    results = [
        compare(cell, int(epochs), console)
        for cell, epochs in (model.split(":") for model in arguments.models.split(","))
    ]
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    console.print(f"measured on {machine}; flash, cycles and operators: Vela's estimate")
    (OUT / "bench.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
