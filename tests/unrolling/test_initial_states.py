"""Initial states that a cell gives itself: on the device a stream starts from them."""

from pathlib import Path

import in_c
import numpy as np
import pytest
from cases import chain, trained
from cases.cells import CELL
from cases.core import Case, L
from cases.own_cells import Learned

import unspool
from unspool import Options, Session
from unspool.firmware import bundle

T = 12


@pytest.fixture(scope="module")
def done() -> unspool.Deployment:
    stack = L.RNN([Learned(6), L.LSTMCell(4)], return_sequences=True, name="rnn")
    model = trained(Case(CELL, "", chain(stack, shape=(None, 5)), is_open=True))
    x = np.random.default_rng(0).normal(0, 1, (40, T, 5)).astype(np.float32)
    return unspool.deploy_stream(model, x, time_steps=3, options=Options(remedy_seconds=0))


def test_a_stream_starts_from_them(done: unspool.Deployment) -> None:
    x = np.random.default_rng(1).normal(0, 1, (5, T, 5)).astype(np.float32)
    session = Session(done.float_tflite)
    exact = done.trained.predict(x, verbose=0)
    (each,) = session.predict_calls(x)
    np.testing.assert_allclose(each.reshape(exact.shape), exact, atol=1e-6)
    first = np.asarray(done.trained.get_layer("rnn").cell.cells[0].first)
    np.testing.assert_array_equal(session.real_states()[0][0], first)
    session.run(x[0])
    session.reset()
    np.testing.assert_array_equal(session.real_states()[0][0], first)
    assert done.simulation.equal == done.simulation.samples > 0


def test_firmware_resets_to_them(done: unspool.Deployment, tmp_path: Path) -> None:
    made = bundle(done.quantized_tflite, done.compiled, "net")
    assert "sets them to what they start with" in made["README.md"]
    library = in_c.build(made, tmp_path)
    session = Session(done.quantized_tflite)
    buffers = [np.full(64, 77, np.int8) for _ in range(1 + len(session.state_names))]
    pointers = np.array([in_c.address(buffer).value for buffer in buffers], np.uintp)
    library.net_reset_states(in_c.address(pointers))
    for stored in session.initial_states(1):
        assert stored.tobytes() in [buffer[: stored.size].tobytes() for buffer in buffers]
