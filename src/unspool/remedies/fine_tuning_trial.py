"""Quantization-aware fine-tuning of a model on its own outputs, in a process that can be stopped.

    python -m unspool.remedies.fine_tuning_trial FOLDER

reads the model and what `give` wrote to the folder, and writes the int8 file there.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MODEL, RESULT = "model.keras", "int8.tflite"
_SAMPLES, _OPTIONS = "samples.npz", "options.json"
_EPOCHS = 30
_BATCH = 32


def give(folder: Path, samples: Sequence[np.ndarray], time_steps: int | None) -> None:
    """Write samples, one array (samples, ...) per input, and options to a folder."""
    np.savez(folder / _SAMPLES, *samples, allow_pickle=False)
    (folder / _OPTIONS).write_text(json.dumps({"time_steps": time_steps}))


def main(folder: Path) -> None:
    """Fine-tune the model in a folder."""
    from unspool import stages
    from unspool.compression.compressing import compress
    from unspool.compression.fine_tuning_run import FineTuning
    from unspool.compression.kernels import UNTOUCHED
    from unspool.frontend.keras_file import load
    from unspool.runtime.evaluation import predict

    with np.load(folder / _SAMPLES, allow_pickle=False) as loaded:
        data = [loaded[name] for name in loaded.files]
    time_steps = json.loads((folder / _OPTIONS).read_text())["time_steps"]
    model = load(folder / MODEL)
    labels = predict(model, data)
    way = stages.sequences(time_steps, allow_cpu=True)  # `deploy` has asked for the user's word
    model.compile(loss=["mse"] * len(labels) if len(labels) > 1 else "mse")
    compressed = compress(
        model,
        data,
        labels if len(labels) > 1 else labels[0],
        setting=UNTOUCHED,
        calibration=data,
        way=way,
        fine_tuning=FineTuning(quantized_epochs=_EPOCHS, batch_size=min(_BATCH, len(data[0]))),
    )
    _, tflite = stages.quantized(compressed.model, data, way)
    (folder / RESULT).write_bytes(tflite)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
