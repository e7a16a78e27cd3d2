"""Silero's voice detector, called once a frame, from its ONNX file to the NPU: int8 and int16.

Usage: python bench/silero.py [--minutes 11]

Needs Debian's espeak-ng, `pip install 'unspool[onnx]'`, and `pip download`, which fetches the file
(package silero-vad, MIT). Speech of espeak-ng with noise at 0 to 20 dB; the spectrum and the
probabilities that are compared with are onnxruntime's, frame after frame with the states carried.
The binary runs in the simulator on every frame, beside TFLM.
"""

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table
from speech import downloaded, recorded

import unspool

FILE = "silero_vad/data/silero_vad_openvino_16k.onnx"
SPECTRUM = "F0::If_0_then_branch__Inline_0__/stft/Sqrt_output_0"
RATE, FRAME, CONTEXT = 16_000, 512, 64
STEPS = 1875  # of a calibration sequence: a minute
KINDS = (("int8", False), ("int8", True), ("int16", False), ("int16", True))
"""Type of the activations, and whether `--refine` was given."""


def model_file(folder: Path) -> Path:
    """The detector's file, from its package."""
    with ZipFile(downloaded("silero-vad", folder)) as archive:
        return Path(archive.extract(FILE, folder))


def heard(path: Path, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra, (frames, 129, 4), and probabilities, (frames,), of onnxruntime."""
    model = onnx.load(str(path))
    model.graph.output.append(onnx.helper.make_tensor_value_info(SPECTRUM, 1, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32)
    spectra, probabilities = [], []
    for frame in sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME):
        fed = np.concatenate([context, frame])
        context = fed[-CONTEXT:]
        probability, state, spectrum = session.run(None, {"input": fed[None], "state": state})
        spectra.append(spectrum[0])
        probabilities.append(probability[0, 0])
    return np.stack(spectra), np.array(probabilities)


def measured(
    model: Any, options: unspool.Options, calibration: np.ndarray, test: tuple[np.ndarray, ...]
) -> list[str]:
    """Deploy, and what is left of the probabilities."""
    spectra, expected = test
    deployment = unspool.deploy_stream(model, calibration, options=options)
    compiled = deployment.compiled
    (outputs,) = unspool.Session(deployment.quantized_tflite, "tflm").run(spectra)
    (simulated,) = unspool.Session(compiled.tflite, "npu").run(spectra)
    errors = np.abs(outputs.ravel() - expected)
    same = (outputs.ravel() > 0.5) == (expected > 0.5)
    equal = (outputs == simulated).reshape(len(spectra), -1).all(axis=1)  # one scale: so are bytes
    return [
        f"{compiled.npu_operators} / {len(compiled.cpu_operators)}",
        f"{len(compiled.tflite) / 1024:.1f}",
        f"{compiled.cycles:,}",
        f"{100 * same.mean():.2f}",
        f"{errors.mean():.4f}, {errors.max():.3f}",
        f"{equal.sum():,}",
    ]


ROWS = (
    "operators on the NPU / CPU (Vela)",
    "flash, the whole compiled file, KiB",
    "cycles of a frame (Vela's estimate)",
    "frames decided as in float, at 0.5, %",
    "mean and largest error of the probability",
    "frames with TFLM's bytes in the simulator",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=11.0, help="of speech that is tested")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", unspool.UnspoolWarning)  # of the states that are left out
        path = model_file(Path(folder))
        spectra, _ = heard(path, recorded(5, 2, RATE))
        count = len(spectra) // STEPS
        calibration = spectra[: count * STEPS].reshape(count, STEPS, *spectra.shape[1:])
        test = heard(path, recorded(minutes, 1, RATE))
        model = unspool.load(path, from_tensor=SPECTRUM)
        columns = [
            measured(
                model,
                unspool.Options(activations=kind, refine=refine, remedy_seconds=0),
                calibration,
                test,
            )
            for kind, refine in KINDS
        ]
    names = [kind + ", --refine" * refine for kind, refine in KINDS]
    table = Table("ethos-u55-128", *names, title=f"{len(test[0]):,} frames")
    for name, *values in zip(ROWS, *columns, strict=True):
        table.add_row(name, *values)
    Console().print(table)


if __name__ == "__main__":
    main()
