"""A bundle of a stream whose windows are not full at first: states wait, in C as in Python."""

import ctypes as c
import re
from pathlib import Path

import in_qemu
import numpy as np
import pytest
import tflm_npu
from in_c import build

import unspool
from unspool import Deployment, Options, Session
from unspool.firmware import bundle, write
from unspool.support._tensorflow import keras
from unspool.tflite import ends, flatbuffer

L = keras.layers
STEPS, FEATURES = 40, 7


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (20, STEPS, FEATURES)).astype(np.float32)


def since_reset(data: np.ndarray) -> Deployment:
    """A mean over what has come since the reset: a state says which rows are still empty."""
    keras.utils.set_random_seed(3)
    x = keras.Input((STEPS, FEATURES), name="x")
    h = L.Conv1D(8, 7, activation="relu")(x)
    model = keras.Model(x, L.Dense(4, name="y")(L.GlobalAveragePooling1D()(h)))
    options = Options(remedy_seconds=0)
    return unspool.deploy_stream(
        model, data, time_steps=2, pool_window=STEPS, pool_since_reset=True, options=options
    )


def deployed(data: np.ndarray, activations: str) -> Deployment:
    """Convolutions whose first windows are not full; two recurrent layers wait, one longer."""
    keras.utils.set_random_seed(3)
    x = keras.Input((STEPS, FEATURES), name="x")
    first = L.GRU(6, return_sequences=True)(L.Conv1D(8, 5, activation="relu")(x))
    second = L.LSTM(5)(L.Conv1D(8, 3, activation="tanh")(first))
    model = keras.Model(x, L.Dense(4, name="y")(second))
    return unspool.deploy_stream(
        model, data, time_steps=2, options=Options(activations=activations, remedy_seconds=0)
    )


@pytest.fixture(scope="module")
def done(data: np.ndarray) -> Deployment:
    return deployed(data, "int8")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("which", ["int8", "int16", "since reset"])
def test_a_stream_gives_pythons_bytes(
    which: str, data: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if which == "int8":
        done = request.getfixturevalue("done")
    else:
        done = since_reset(data) if which == "since reset" else deployed(data, which)
    made = bundle(done.quantized_tflite, done.compiled, "kws")
    assert "#define KWS_WARM_UP 3\n" in made["kws_io.h"]
    library, session = build(made, tmp_path), Session(done.quantized_tflite, "tflm")
    size = re.search(r"KWS_ARENA_SIZE (\d+)", made["kws_model.h"])
    assert size
    network = tflm_npu.network(done.quantized_tflite)
    board = tflm_npu.Device(done.compiled.tflite, int(size[1]), network)
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(done.compiled.tflite))
    places = [(c.c_void_p * len(each))(*each) for each in (board.inputs, board.outputs)]
    (x,) = (i for i, tensor in enumerate(inputs) if tensor.name == "x")
    (y,) = (i for i, tensor in enumerate(outputs) if tensor.name == "y")
    for sequence in data[:2]:  # the second begins as the first
        session.reset()
        library.kws_reset_states(places[0])
        for part in sequence.reshape(-1, 1, 2, FEATURES):
            stored = inputs[x].quantize(part)
            tflm_npu.view(board.inputs[x], stored.shape, stored.dtype)[...] = stored
            board.invoke()
            got = tflm_npu.view(board.outputs[y], outputs[y].shape, outputs[y].dtype).copy()
            library.kws_copy_states(*places)
            (wanted,) = session.step(part[0])
            np.testing.assert_array_equal(outputs[y].dequantize(got)[0], wanted)


def test_it_runs_on_a_cortex_m55(done: Deployment, data: np.ndarray, tmp_path: Path) -> None:
    """As real target code, in QEMU, which has no NPU: recorded calls stand in for it."""
    made = bundle(done.quantized_tflite, done.compiled, "kws")
    write(made, tmp_path)
    calls = in_qemu.recorded(done, [data[:1]])
    rest = in_qemu.of_a_stream(made["kws_io.h"], len(calls))
    write({"main.c": in_qemu.program(made["kws_io.h"], calls, rest)}, tmp_path)
    in_qemu.compile_(["main.c", "kws_io.c"], at=tmp_path)
    ended = in_qemu.run("it.elf", at=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, b"20 calls, all bytes equal\n"), ended.stderr


def test_the_readme_says_how_many_are_of_no_use(done: Deployment) -> None:
    readme = bundle(done.quantized_tflite, done.compiled, "kws")["README.md"]
    assert (
        "The outputs of the first 3 inferences after that, `KWS_WARM_UP`, are of no use" in readme
    )
