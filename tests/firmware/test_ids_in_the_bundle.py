"""A bundle of a network that takes token ids: they are stored as they are."""

import ctypes as c
import re
from pathlib import Path

import numpy as np
import tflm_npu
from in_c import address, build

from unspool import Options, Session, deploy_stream, target
from unspool.deployment import Deployment
from unspool.firmware import bundle
from unspool.runtime import engines
from unspool.support._tensorflow import keras
from unspool.tflite import ends, flatbuffer

L = keras.layers


def deployed() -> Deployment:
    """On a target whose NPU looks ids up."""
    keras.utils.set_random_seed(5)
    ids = keras.Input((12,), dtype="int32", name="words")
    table = L.Embedding(20, 6, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.5))
    model = keras.Model(ids, L.Dense(3, name="y")(L.GRU(8, name="gru")(table(ids))))
    words = np.random.default_rng(0).integers(0, 20, (30, 12))
    options = Options(target=target("ethos-u85-256"), remedy_seconds=0)
    return deploy_stream(model, words, options=options)


def pointers(addresses: list[int]) -> c.Array[c.c_void_p]:
    return (c.c_void_p * len(addresses))(*addresses)


def test_firmware_gives_pythons_bytes(tmp_path: Path) -> None:
    done = deployed()
    made = bundle(done.quantized_tflite, done.compiled, "kws")
    header, library = made["kws_io.h"], build(made, tmp_path)
    assert "ids, from 0 to 19, stored as they are" in header
    assert "KWS_INPUT_WORDS_SCALE" not in header and "quantize_words" not in header
    assert "| input(0) | `words` | int32 | (1, 1) | ids below 20 | |" in made["README.md"]

    engine = engines.tflm(done.quantized_tflite)
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(done.quantized_tflite))

    def network(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        stored["words"] = np.clip(stored["words"], 0, 19)  # anything, before the first are put in
        results = engine([stored[tensor.name] for tensor in inputs])
        return {tensor.name: result for tensor, result in zip(outputs, results, strict=True)}

    size = re.search(r"KWS_ARENA_SIZE (\d+)", made["kws_model.h"])
    assert size
    board = tflm_npu.Device(done.compiled.tflite, int(size[1]), network)
    index = {name: int(i) for name, i in re.findall(r"KWS_(\w+)_INDEX (\d+)", header)}
    library.kws_reset_states(pointers(board.inputs))
    words, given = np.random.default_rng(1).integers(0, 20, 12).astype(np.int32), []
    for word in words:
        y = np.empty(3, np.float32)
        library.kws_put_words(address(word[None]), c.c_void_p(board.inputs[index["INPUT_WORDS"]]))
        board.invoke()
        library.kws_dequantize_y(c.c_void_p(board.outputs[index["OUTPUT_Y"]]), address(y))
        library.kws_copy_states(pointers(board.inputs), pointers(board.outputs))
        given.append(y)
    (expected,) = Session(done.quantized_tflite, "tflm").run(words)
    np.testing.assert_array_equal(given, expected)
