"""Foreign files with TFLM's own LSTM: its states are variable tensors, kept by what runs it.

Expected values are TFLM's (its own interpreter, not our engine): the compiled binary, simulated,
gives its bytes.
"""

from pathlib import Path
from typing import Any

import foreign
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from commands import unspool

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.errors import UnspoolError
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session

LSTMS = ["lstm_int8", "stream_int8", "two_int8"]
COUNT = 40


def samples(name: str) -> np.ndarray:
    """Random samples, (samples, steps, features), some of them out of range."""
    steps = 1 if name.startswith("stream") else 4
    return np.random.default_rng(2).normal(size=(COUNT, steps, 5)).astype(np.float32)


def tflm(tflite: bytes, calls: np.ndarray, *, alone: bool) -> np.ndarray:
    """What TFLM gives for calls (calls, steps, features), its states reset before each or not."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(tflite, arena_size=200_000)
    outputs = []
    for call in calls:
        if alone:
            interpreter.reset()
        taken, given = (interpreter.get_input_details(0), interpreter.get_output_details(0))
        values = quantized(call, taken) if taken["dtype"] is np.int8 else call
        interpreter.set_input(values[None], 0)
        interpreter.invoke()
        outputs.append(real(interpreter.get_output(0)[0], given))
    return np.stack(outputs)


def scaling(details: dict[str, Any]) -> tuple[np.float32, int]:
    """(scale, zero point) of an int8 tensor."""
    parameters = details["quantization_parameters"]
    return np.float32(parameters["scales"][0]), int(parameters["zero_points"][0])


def quantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero = scaling(details)
    return np.asarray(np.clip(np.rint(values / scale) + zero, -128, 127), np.int8)


def real(stored: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    if details["dtype"] is np.float32:
        return stored
    scale, zero = scaling(details)
    return np.asarray((stored.astype(np.float32) - zero) * scale, np.float32)


@pytest.fixture(scope="module", params=["ethos-u55-128", "ethos-u65-512"])
def accelerator(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", LSTMS)
def test_the_binary_gives_tflms_bytes(name: str, accelerator: str) -> None:
    tflite, data = foreign.files()[name], samples(name)
    binary = vela.compile(tflite, target(accelerator)).tflite
    expected = tflm(tflite, data, alone=True)
    for session in (Session(binary, "npu"), Session(tflite, "tflm")):
        np.testing.assert_array_equal(session.predict(data)[0], expected)
        np.testing.assert_array_equal(session.predict(data[::-1])[0], expected[::-1])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", LSTMS)
def test_states_go_on_from_call_to_call(name: str) -> None:
    tflite, data = foreign.files()[name], samples(name)
    expected = tflm(tflite, data, alone=False)
    assert (expected != tflm(tflite, data, alone=True)).any()
    binary = vela.compile(tflite, target()).tflite
    for session in (Session(binary, "npu"), Session(tflite, "tflm")):
        for call, output in zip(data[:5], expected[:5], strict=True):
            np.testing.assert_array_equal(session.step(call)[0], output)
        session.predict(data)  # has states of its own
        np.testing.assert_array_equal(session.run(np.concatenate(data[5:]))[0], expected[5:])
        session.reset()
        np.testing.assert_array_equal(session.step(data[0])[0], expected[0])


def test_a_sequence_is_several_calls() -> None:
    """Two sequences of 20 steps of the network that takes one; each begins from nothing."""
    tflite, calls = foreign.files()["stream_int8"], samples("stream_int8")
    sequences = calls.reshape(2, 20, 5)
    expected = np.stack([tflm(tflite, part, alone=False) for part in np.split(calls, 2)])
    binary = vela.compile(tflite, target()).tflite
    for session in (Session(binary, "npu"), Session(tflite, "tflm")):
        assert session.is_stream
        np.testing.assert_array_equal(session.predict_calls(sequences)[0], expected)
        np.testing.assert_array_equal(session.predict(sequences)[0], expected[:, -1])


def test_float_samples_do_not_depend_on_each_other_in_litert() -> None:
    tflite, data = foreign.files()["lstm_float"], samples("lstm_float")
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    expected = []
    for sample in data:
        interpreter.reset_all_variables()
        interpreter.set_tensor(given["index"], sample[None])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(taken["index"])[0])
    np.testing.assert_allclose(Session(tflite).predict(data)[0], expected, atol=1e-6)
    np.testing.assert_allclose(tflm(tflite, data, alone=True), expected, atol=1e-6)


@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_resource_variables_are_states_too(runtime: str) -> None:
    """A stateful layer of Keras: LiteRT resets its own only with a new interpreter."""
    tflite, data = foreign.files()["stateful_float"], samples("stream")
    alone, streamed = (tflm(tflite, data, alone=alone) for alone in (True, False))
    assert np.abs(alone - streamed).max() > 0.1
    session = Session(tflite, runtime)
    np.testing.assert_allclose(session.predict(data)[0], alone, atol=1e-6)
    np.testing.assert_allclose(session.run(np.concatenate(data))[0], streamed, atol=1e-6)


def test_processes_for_many_samples_give_the_same() -> None:
    tflite = foreign.files()["lstm_int8"]
    many = np.tile(samples("lstm_int8"), (15, 1, 1))
    expected = np.tile(tflm(tflite, many[:COUNT], alone=True), (15, 1))
    np.testing.assert_array_equal(predict(tflite, many, "tflm")[0], expected)


def test_states_cannot_be_taken_out(tmp_path: Path) -> None:
    session = Session(foreign.files()["stream_int8"], "tflm")
    for use in (lambda: session.states, lambda: session.save_states(tmp_path / "s.bin")):
        with pytest.raises(UnspoolError, match=r"keeps them in variables.*reset\(\)"):
            use()


@pytest.mark.parametrize("extra", [(), ("--resident-weights",)])
def test_compile_and_simulate_it(tmp_path: Path, extra: tuple[str, ...]) -> None:
    tflite, data = foreign.files()["lstm_int8"], samples("lstm_int8")
    expected = tflm(tflite, data, alone=True)
    (tmp_path / "lstm.tflite").write_bytes(tflite)
    np.save(tmp_path / "x.npy", data)
    np.save(tmp_path / "y.npy", expected.argmax(1))
    run = unspool("compile", tmp_path / "lstm.tflite", "--out", tmp_path / "out", *extra)
    assert run.returncode == 0, run.stderr
    assert "operators run on the NPU" in run.stdout
    assert "Note: 2 variables keep a state from one inference to the next" in run.stdout
    binary = tmp_path / "out" / "lstm_vela.tflite"
    asked = ("simulate", binary, "--data", tmp_path / "x.npy")
    run = unspool(*asked, "--out", tmp_path / "out.npz")
    assert run.returncode == 0, run.stderr
    (outputs,) = np.load(tmp_path / "out.npz").values()
    np.testing.assert_array_equal(outputs[:, 0], expected)
    assert unspool("disassemble", binary).stdout.count("\nvariable ") == 2
    run = unspool(*asked)
    assert f"({COUNT}, 1, 3): {COUNT} sequences, 1 call each" in run.stdout
    run = unspool(*asked, "--labels", tmp_path / "y.npy")
    assert f"accuracy: 100.00 %, {COUNT} of {COUNT} samples" in run.stdout


@pytest.mark.parametrize(
    ("name", "accelerator", "reason"),
    [
        ("lstm_int8", "ethos-u85-256", "the stream is for ethos-u85, expected ethos-u55"),
        ("words_int8", "ethos-u85-256", "the stream is for ethos-u85, expected ethos-u55"),
        ("words_int8", "ethos-u55-128", "1 operator stays on the CPU (GATHER)"),
        ("lstm_ends", "ethos-u55-128", "2 operators stay on the CPU (DEQUANTIZE, QUANTIZE)"),
        (
            "loop_float",
            "ethos-u55-128",
            "the file has 3 subgraphs, expected 1: loops are not simulated",
        ),
        ("gru_dynamic", "ethos-u55-128", "or all of it was left on the CPU"),
    ],
)
def test_what_is_not_simulated_is_told_in_one_line(
    name: str, accelerator: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "file.tflite").write_bytes(foreign.files()[name])
    np.save(tmp_path / "x.npy", samples(name))
    run = unspool("compile", tmp_path / "file.tflite", "--target", accelerator, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    run = unspool("simulate", tmp_path / "file_vela.tflite", "--data", tmp_path / "x.npy")
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith("unspool: error: ") and reason in line
