"""A bundle of a network that is called several times for a sequence: `<name>_run` in C."""

import ctypes as c
import re
from pathlib import Path
from typing import Any

import in_qemu
import numpy as np
import pytest
import tflm_npu
from in_c import address, build

import unspool
from unspool import Deployment, Options, Session
from unspool.firmware import bundle, write
from unspool.support._tensorflow import keras
from unspool.tflite import ends, flatbuffer

L = keras.layers
STEPS, PER_CALL = 60, 12
NAME = "kws"
Invoke = c.CFUNCTYPE(c.c_int, c.c_void_p)


@pytest.fixture(scope="module")
def data() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = ((20, STEPS, 7), (20, 3), (20, 10))
    return [rng.normal(0, 1, shape).astype(np.float32) for shape in shapes]


@pytest.fixture(scope="module")
def done(data: list[np.ndarray]) -> Deployment:
    """An output in time, and one that is not; an input in time, one that is not, and a state."""
    keras.utils.set_random_seed(3)
    x, still = keras.Input((STEPS, 7), name="x"), keras.Input((3,), name="still")
    first = keras.Input((10,), name="first")
    sequence = L.GRU(10, return_sequences=True)(x, initial_state=first)
    last = L.Concatenate()([L.LSTM(6)(sequence), still])
    model = keras.Model(
        [x, still, first], [L.Dense(4, name="y")(sequence), L.Dense(2, name="z")(last)]
    )
    return unspool.deploy(model, data, steps_per_call=PER_CALL, options=Options(remedy_seconds=0))


@pytest.fixture(scope="module")
def made(done: Deployment) -> dict[str, str]:
    return bundle(done.quantized_tflite, done.compiled, NAME)


def stored(done: Deployment, data: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One sequence as the device has it: what goes in, and what TFLM gives for it."""
    sample = [array[:1] for array in data]
    session = Session(done.quantized_tflite, "tflm")
    given = session.predict(sample)
    outputs = [t.quantize(values)[0] for t, values in zip(session.outputs, given, strict=True)]
    return [t.quantize(a)[0] for t, a in zip(session.inputs, sample, strict=True)], outputs


def test_a_sequence_gives_pythons_bytes(
    done: Deployment, made: dict[str, str], data: list[np.ndarray], tmp_path: Path
) -> None:
    taken, expected = stored(done, data)
    library = build(made, tmp_path)
    size = re.search(r"KWS_ARENA_SIZE (\d+)", made["kws_model.h"])
    assert size and "#define KWS_CALLS 5\n" in made["kws_io.h"]
    board = tflm_npu.Device(
        done.compiled.tflite, int(size[1]), tflm_npu.network(done.quantized_tflite)
    )
    calls = 0

    def invoke(_: Any) -> int:
        nonlocal calls
        calls += 1
        board.invoke()
        return 0

    places = [(c.c_void_p * len(each))(*each) for each in (board.inputs, board.outputs)]
    for _ in range(2):  # the second sequence begins as the first
        given = [np.empty_like(values) for values in expected]
        status = library.kws_run(*places, Invoke(invoke), None, *map(address, (*taken, *given)))
        assert status == 0
        for got, wanted in zip(given, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    assert calls == 2 * STEPS // PER_CALL


def test_a_call_that_fails_ends_the_sequence(
    done: Deployment, made: dict[str, str], data: list[np.ndarray], tmp_path: Path
) -> None:
    taken, expected = stored(done, data)
    library = build(made, tmp_path)
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(done.quantized_tflite))
    rooms = [[np.zeros(t.shape, t.dtype) for t in each] for each in (inputs, outputs)]
    places = [(c.c_void_p * len(each))(*(a.ctypes.data for a in each)) for each in rooms]
    statuses = iter((0, 0, 7))
    given = [np.empty_like(values) for values in expected]
    invoke = Invoke(lambda _: next(statuses))
    assert library.kws_run(*places, invoke, None, *map(address, (*taken, *given))) == 7
    assert list(statuses) == []


def test_the_readme_runs_it(made: dict[str, str]) -> None:
    readme = made["README.md"]
    assert "A sequence takes 5 calls of the network" in readme
    assert "static int8_t x_in[KWS_INPUT_X_COUNT * KWS_CALLS];\n" in readme
    assert "static int8_t still_in[KWS_INPUT_STILL_COUNT];\n" in readme
    assert "static int8_t first_in[KWS_INPUT_FIRST_COUNT];\n" in readme
    assert "x_in, still_in, first_in, y_out, z_out) != 0)" in readme
    assert "`first` begins with what `kws_run` is given." in readme
    assert "| calls of an inference | 5 |" in readme


def test_it_runs_on_a_cortex_m55(
    done: Deployment, made: dict[str, str], data: list[np.ndarray], tmp_path: Path
) -> None:
    """As real target code, in QEMU, which has no NPU: recorded calls stand in for it.

    A call whose inputs are not the recorded ones, to the byte, ends the sequence.
    """
    taken, expected = stored(done, data)
    write(made, tmp_path)
    calls = in_qemu.recorded(done, [each[:1] for each in data])
    rest = in_qemu.of_a_sequence(taken, expected)
    program = in_qemu.program(made["kws_io.h"], calls, rest)
    write({"main.c": program}, tmp_path)
    in_qemu.compile_(["main.c", "kws_io.c"], at=tmp_path)
    ended = in_qemu.run("it.elf", at=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, b"5 calls, all bytes equal\n"), ended.stderr
