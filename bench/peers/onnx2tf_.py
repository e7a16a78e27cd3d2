"""onnx2tf: PyTorch's ONNX file in int8, with recurrent layers unrolled.

Usage, in an environment of onnx2tf[tensorflow]: python onnx2tf_.py FOLDER/gru ...

Of its two ways the one by TensorFlow's converter, unrolled (`-tb tf_converter -eru`). Its default,
flatbuffer_direct, makes a GRU's file that Vela refuses and whose outputs are 12 % off, and fails to
quantize an LSTM; without unrolling, TensorFlow's converter ends by a segmentation fault (2.6.9,
tried). Writes onnx2tf.tflite; the last line that it prints is JSON: seconds, with its start,
without Vela.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WAY = ("-tb", "tf_converter", "-eru", "-oiqt", "-iqd", "int8", "-oqd", "int8", "-n")


def main() -> None:
    """Convert and quantize, by its command."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        samples = Path(place) / "calibration.npy"
        np.save(samples, np.load(folder.parent / "data.npz")["calibration"])
        given = ["-i", str(folder / "model.onnx"), "-o", place, "-kat", "x"]
        given += ["-cind", "x", str(samples), "[[[0.0]]]", "[[[1.0]]]"]
        start = time.perf_counter()
        code = subprocess.run(["onnx2tf", *given, *WAY]).returncode
        if code:
            sys.exit(f"onnx2tf ended by signal {-code}" if code < 0 else code)
        seconds = time.perf_counter() - start
        made = Path(place) / "model_full_integer_quant.tflite"
        (folder / "onnx2tf.tflite").write_bytes(made.read_bytes())
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
