"""What quantization costs each cell, by how ranges are chosen and what is kept in 16 bits.

Usage: python bench/accuracy.py [--cells gru,lstm,simple] [--epochs 1,5] [--images 200]

Accuracy in percent on all 10,000 test images in LiteRT; models as `bench.py` trains them.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from litert_quantizer import quantizer
from rich.console import Console
from rich.table import Table

from bench import OUT, trained
from unspool.guide import mnist
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import _recipe, quantize
from unspool.quantization.ranges import METHODS, Range
from unspool.runtime.evaluation import accuracy
from unspool.support.quiet import quiet
from unspool.tflite import flatbuffer
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

CELL_PATH = r"step_\d+/(fc|ig|c|act_c)(;|$)"


def cell_path_in_int16(float_tflite: bytes, ranges: Mapping[str, Range]) -> bytes:
    """int8, but for the LSTM's cell state: c, what is added to it, and its tanh."""
    recipe = _recipe("int8", ())
    wide = _recipe("int16", ())[0]
    recipe += [{**wide, "regex": CELL_PATH, "operation": kind} for kind in ("ADD", "MUL", "TANH")]
    statistics = {
        name: {"min": np.array(r.minimum, np.float32), "max": np.array(r.maximum, np.float32)}
        for name, r in ranges.items()
    }
    with quiet():
        result = quantizer.Quantizer(bytearray(float_tflite), recipe).quantize(
            statistics, enable_progress_bar=False, enable_progress_report=False
        )
    return flatbuffer.write(flatbuffer.read(bytes(result.quantized_model)))


def bias_corrected(float_tflite: bytes, ranges: Mapping[str, Range], images: np.ndarray) -> bytes:
    """Shift each bias by the mean error that its products have after quantization.

    Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction",
    section 4.2, with measured means; a bias that steps share is shifted by the mean over them.
    """
    model = flatbuffer.read(float_tflite)
    graph = model.subgraphs[0]
    products = [
        op
        for op in graph.operators
        if flatbuffer.operator_kind(model, op) == "FULLY_CONNECTED" and op.inputs[2] >= 0
    ]
    names = [graph.tensors[op.outputs[0]].name.decode() for op in products]
    wanted = _means(float_tflite, names, images)
    quantized_means = _means(quantize(float_tflite, ranges), names, images)
    shifts: dict[int, list[np.ndarray]] = {}
    for op, name in zip(products, names, strict=True):
        shifts.setdefault(int(op.inputs[2]), []).append(wanted[name] - quantized_means[name])
    for index, errors in shifts.items():
        buffer = model.buffers[graph.tensors[index].buffer]
        bias = np.frombuffer(bytes(buffer.data), np.float32) + np.mean(errors, axis=0)
        buffer.data = np.frombuffer(bias.astype(np.float32).tobytes(), np.uint8)
    return quantize(flatbuffer.write(model), ranges)


def _means(tflite: bytes, names: list[str], images: np.ndarray) -> dict[str, np.ndarray]:
    """Mean over samples and rows of the named tensors, per channel, in real values."""
    with quiet():
        interpreter = Interpreter(
            model_content=tflite,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    details = {d["name"]: d for d in interpreter.get_tensor_details()}
    source = interpreter.get_input_details()[0]
    sums: dict[str, Any] = dict.fromkeys(names, 0.0)
    for image in images:
        scale, zero = source["quantization"]
        stored = np.clip(np.rint(image / scale) + zero, -128, 127) if scale else image
        interpreter.set_tensor(source["index"], stored[None].astype(source["dtype"]))
        interpreter.invoke()
        for name in names:
            scale, zero = details[name]["quantization"]
            values = interpreter.get_tensor(details[name]["index"]).astype(np.float64)
            sums[name] = sums[name] + ((values - zero) * scale if scale else values).mean(axis=0)
    return {name: total / len(images) for name, total in sums.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", default="gru,lstm,simple")
    parser.add_argument("--epochs", default="1,5")
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    data = mnist.load()
    images = mnist.normalised(data.train_images[: arguments.images])
    test = mnist.normalised(data.test_images), data.test_labels
    ways = [*METHODS, "mse, bias corrected", "mse, cell path int16", "mse, int16"]
    table = Table("model", "float", *ways, title="accuracy, %, LiteRT, 10,000 test images")
    console = Console(width=140)
    for cell in arguments.cells.split(","):
        for epochs in arguments.epochs.split(","):
            model = trained(cell, int(epochs))
            float_tflite = convert(unroll(model))
            ranges = {way: calibrate(float_tflite, images, way).ranges for way in METHODS}
            files = [quantize(float_tflite, ranges[way]) for way in METHODS]
            files.append(bias_corrected(float_tflite, ranges["mse"], images))
            files.append(cell_path_in_int16(float_tflite, ranges["mse"]) if cell == "lstm" else b"")
            files.append(quantize(float_tflite, ranges["mse"], "int16"))
            row = [f"{accuracy(file, *test).percent:.2f}" if file else "" for file in files]
            table.add_row(f"{cell}, {epochs}", f"{accuracy(model, *test).percent:.2f}", *row)
    console.print(table)


if __name__ == "__main__":
    main()
