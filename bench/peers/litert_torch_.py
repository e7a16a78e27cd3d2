"""litert-torch, and Google's ai-edge-quantizer behind it: int8 weights and activations.

Usage, in an environment of litert-torch: python litert_torch_.py FOLDER/gru ...

The quantizer works on the converted file, by its own recipe, static_wi8_ai8. litert-torch's PT2E
quantizer is none for recurrent layers: it fails at an nn.GRU that is given no state, and leaves an
nn.LSTM in float (0.10.0, tried). Writes litert_torch.tflite; the last line that it prints is JSON:
seconds, without Vela.
"""

import json
import sys
import time
from pathlib import Path

import litert_torch
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from network import example, trained


def quantized(path: Path, calibration: np.ndarray) -> bytes:
    """A float file in int8, calibrated sample by sample."""
    ((name, signature),) = Interpreter(str(path)).get_signature_list().items()
    samples = [{signature["inputs"][0]: sample[None]} for sample in calibration]
    worker = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
    return bytes(worker.quantize(worker.calibrate({name: samples})).quantized_model)


def main() -> None:
    """Convert and quantize."""
    folder = Path(sys.argv[1])
    calibration, model = np.load(folder.parent / "data.npz")["calibration"], trained(folder)
    start = time.perf_counter()
    in_float = folder / "litert_torch_float.tflite"
    litert_torch.convert(model, example()).export(str(in_float))
    (folder / "litert_torch.tflite").write_bytes(quantized(in_float, calibration))
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
