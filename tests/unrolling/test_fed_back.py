"""States by hand: an input that goes into `initial_state=`, an output that is the state after."""

import ctypes
from pathlib import Path
from typing import Any

import in_c
import numpy as np
import pytest

import unspool
from unspool import Options, Session, UnspoolError
from unspool.firmware import bundle
from unspool.support._tensorflow import keras

L = keras.layers
QUICK = Options(remedy_seconds=0)


def step_model() -> Any:
    """One step of a stack: an LSTM whose states come in and go out, and a GRU's, by other names."""
    keras.utils.set_random_seed(4)
    x = keras.Input((1, 5), name="x")
    h, c, g = (keras.Input((8,), name=name) for name in ("h", "memory", "g"))
    y, h_after, c_after = L.LSTM(8, return_sequences=True, return_state=True, name="lstm")(
        x, initial_state=[h, c]
    )
    z = L.GRU(8, name="gru")(y, initial_state=g)
    outputs = {"y": L.Dense(3)(z), "next_h": h_after, "next_memory": c_after}
    return keras.Model([x, h, c, g], {**outputs, "next_g": L.Dropout(0.1)(z)})


def samples(count: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = {"h": 0.5, "memory": 1.0, "g": 0.7}
    states = {name: rng.normal(0, size, (count, 8)) for name, size in sizes.items()}
    return {"x": rng.normal(0, 1, (count, 1, 5)), **states}


@pytest.fixture(scope="module")
def done() -> unspool.Deployment:
    return unspool.deploy(step_model(), samples(), options=QUICK)


def test_what_goes_in_has_the_scale_of_what_comes_out(done: unspool.Deployment) -> None:
    session = Session(done.quantized_tflite)
    forms = {t.name: (t.scale, t.zero_point) for t in (*session.inputs, *session.outputs)}
    for before, after in (("h", "next_h"), ("memory", "next_memory"), ("g", "next_g")):
        assert forms[before] == forms[after]
    assert len({*forms.values()}) == 5  # and no other
    assert done.simulation.equal == 60


def test_it_is_told() -> None:
    details = {verdict.layer: verdict.detail for verdict in unspool.inspect(step_model())}
    assert details["lstm"] == (
        "its state 'h' comes out as 'next_h' and 'memory' comes out as 'next_memory': one scale, "
        "fed back as bytes"
    )
    assert details["gru"] == "its state 'g' comes out as 'next_g': one scale, fed back as bytes"


def test_firmware_feeds_the_bytes_back(done: unspool.Deployment, tmp_path: Path) -> None:
    made = bundle(done.quantized_tflite, done.compiled, "net")
    library = in_c.build(made, tmp_path)
    assert "net_quantize_h" not in made["net_io.h"]
    buffers = [np.full(64, fill, np.int8) for fill in range(8)]
    pointers = np.array([in_c.address(buffer).value for buffer in buffers], np.uintp)
    outputs = pointers[4:]
    library.net_copy_states(in_c.address(pointers), ctypes.c_void_p(outputs.ctypes.data))
    fed = sorted({int(buffer[0]) for buffer in buffers[:4]} & {4, 5, 6, 7})
    assert len(fed) == 3


def slices() -> Any:
    """A state of two layers in one tensor, which the graph does not show."""
    x, s = keras.Input((3, 5), name="x"), keras.Input((2, 6), name="s")
    y, a = L.GRU(6, return_sequences=True, return_state=True)(x, initial_state=s[:, 0])
    y, b = L.GRU(6, return_state=True)(y, initial_state=s[:, 1])
    return keras.Model([x, s], {"y": L.Dense(2)(y), "t": keras.ops.stack([a, b], axis=1)})


@pytest.mark.usefixtures("computing")
def test_a_pair_that_the_graph_does_not_show() -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(0, 1, (60, 3, 5)), "s": rng.normal(0, 0.5, (60, 2, 6))}
    forms = []
    for pairs in ({}, {"s": "t"}):
        done = unspool.deploy(slices(), data, options=Options(remedy_seconds=0, fed_back=pairs))
        session = Session(done.quantized_tflite)
        tensors = {t.name: t.scale for t in (*session.inputs, *session.outputs)}
        forms.append(tensors["s"] == tensors["t"])
        assert done.simulation.equal == 60
    assert forms == [False, True]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ({"s": "u"}, "state s=u: expected one of the inputs x, s and one of the outputs t, y"),
        ({"x": "t"}, r"state x=t: goes in as \(None, 3, 5\) and comes out as \(None, 2, 6\)"),
    ],
)
def test_pairs_that_are_none(pair: dict[str, str], message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        unspool.unroll(slices(), fed_back=pair)
