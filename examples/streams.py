"""What the examples of streams share: arguments, training, and what is measured."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import unspool
from unspool import deployment, firmware
from unspool.compilation import kinds
from unspool.report.as_json import as_json
from unspool.report.commands import Request
from unspool.report.making import of_deployment
from unspool.support import files
from unspool.support._tensorflow import keras

BATCH = 20


def asked(description: str, folder: str) -> argparse.Namespace:
    """What the user asked for: `out`, a folder that is there, and `quick`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(folder), help="folder for results")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see it run")
    options = parser.parse_args()
    files.output_folder(options.out)
    return options


def fit(
    model: keras.Model,
    data: np.ndarray,
    targets: Any,
    epochs: int,
    loss: Any,
    weights: Sequence[float] | None = None,
) -> None:
    """Train a model, at a rate that falls to 0.

    Args:
        model: is trained.
        data: sequences, (sequences, time, ...).
        targets: of the output, or of each of them.
        epochs: how often all sequences are seen.
        loss: Keras's name of the loss, or of each output's.
        weights: of these.
    """
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(data) // BATCH))
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss, loss_weights=weights)
    model.fit(data, targets, batch_size=BATCH, epochs=epochs, verbose=0)


def deployed(model: keras.Model, data: np.ndarray, steps: int) -> unspool.Deployment:
    """A trained model as a binary for an Ethos-U55 that takes so many time steps a call."""
    options = unspool.Options(remedy_seconds=0)
    return unspool.deploy_stream(model, data[:100], time_steps=steps, options=options)


@dataclass(frozen=True)
class Streamed:
    """What a binary gave, chunk by chunk, each sequence from its initial states.

    Attributes:
        outputs: in time, one array (sequences, steps, ...) each.
        calls: of the binary.
        equal: of these, how many gave TFLM's bytes in every output.
    """

    outputs: list[np.ndarray]
    calls: int
    equal: int


def streamed(done: unspool.Deployment, sequences: np.ndarray) -> Streamed:
    """Run sequences, (sequences, time, ...), through the binary in the simulator, and TFLM."""
    binary = unspool.Session(done.compiled.tflite, "npu").predict_calls(sequences)
    tflm = unspool.Session(done.quantized_tflite, "tflm").predict_calls(sequences)
    count, calls = binary[0].shape[:2]
    same = np.ones((count, calls), bool)
    for given, expected in zip(binary, tflm, strict=True):  # one scale: equal where bytes are
        same &= (given == expected).reshape(count, calls, -1).all(axis=2)
    outputs = [given.reshape(count, -1, *given.shape[3:]) for given in binary]
    return Streamed(outputs, same.size, int(same.sum()))


def save(done: unspool.Deployment, out: Path, name: str) -> None:
    """Write models, report and firmware to a folder."""
    sizes = deployment.save(done, out)
    request = Request(quantized=str(out / "model_int8.tflite"), out=str(out))
    files.write(out / "report.json", as_json(of_deployment(done, sizes, request)))
    firmware.write(unspool.bundle(done.quantized_tflite, done.compiled, name), out / "firmware")


_SHOWN = (kinds.NPU_OPERATORS, kinds.CPU_OPERATORS, kinds.FLASH, kinds.SRAM, kinds.CYCLES)


def tell(done: unspool.Deployment, run: Streamed, calls_a_second: float) -> None:
    """Print what a stream costs, as the report has it, and whether its bytes are TFLM's."""
    report = of_deployment(done, {}, Request(quantized="", out=""))
    figures = {figure.id: figure for figure in report.figures}
    for kind in _SHOWN:
        shown = figures[kind.id]
        print(f"{shown.label}: {shown.value:,.6g} {shown.unit} ({shown.origin}, {shown.how})")
    print(f"calls a second: {calls_a_second:g}")
    print(f"cycles a second: {figures[kinds.CYCLES.id].value * calls_a_second:,.0f} (estimated)")
    print(f"calls with TFLM's bytes: {run.equal:,} of {run.calls:,} (simulated)")
