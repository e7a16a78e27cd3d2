"""Lengths of sequences (`sequence_lens`), constant or fed: what onnxruntime makes of them."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
import slow
from onnx import numpy_helper
from onnx_cells import GATES
from onnx_forms.form import w
from onnx_models import node

import unspool
from unspool import Options, UnspoolError, UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx

STEPS, FEATURES, UNITS = 7, 3, 4
LENGTHS = np.array([7, 3, 1, 6, 7])
FORMS = list(itertools.product(GATES, ("forward", "reverse", "bidirectional")))


def _model(
    op: str = "GRU",
    direction: str = "forward",
    constant: int | None = None,
    outputs: str = "y h",
    batch: int | str = "n",
    moved: bool = False,
    time: int | str = STEPS,
) -> Any:
    """A recurrent node whose lengths are an input, or constant."""
    count = 2 if direction == "bidirectional" else 1
    rows = GATES[op] * UNITS
    constants = {"W": w(count, rows, FEATURES), "R": w(count, rows, UNITS)}
    constants["B"] = w(count, 2 * rows)
    inputs: dict[str, list[int | str]] = {"x": [time, batch, FEATURES]}
    nodes = []
    if constant is not None:
        assert isinstance(batch, int)
        constants["lengths"] = np.full(batch, constant, np.int32)
    elif moved:
        inputs["lengths"] = [batch]
        nodes = [node("Cast", "lengths", "whole", to=6), node("Identity", "whole", "again")]
    else:
        inputs["lengths"] = [batch]
    reads = f"x W R B {'again' if moved else 'lengths'}"
    attributes = {"hidden_size": UNITS, "direction": direction, "name": "the_cell"}
    nodes.append(node(op, reads, outputs, **attributes))
    dtypes = {"lengths": "int64" if moved else "int32"}
    names = [name for name in outputs.split() if name != "_"]
    return onnx_models.made(nodes, inputs, names, constants, dtypes=dtypes)


def _samples() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (len(LENGTHS), STEPS, FEATURES)).astype(np.float32)


def _expected(model: Any, lengths: np.ndarray | None, dtype: str = "int32") -> list[np.ndarray]:
    """onnxruntime's outputs, the samples in front: (samples, ...), axes of one left out."""
    feed = {"x": _samples().swapaxes(0, 1)}
    if lengths is not None:
        feed["lengths"] = lengths.astype(dtype)
    outputs = onnx_models.run(model, feed)
    batch = {"y": 2, "h": 1, "c": 1}
    return [np.moveaxis(value, batch[name], 0) for name, value in outputs.items()]


def _agree(answers: dict[str, np.ndarray], expected: list[np.ndarray]) -> None:
    for values, wanted in zip(answers.values(), expected, strict=True):
        np.testing.assert_allclose(values.reshape(wanted.shape), wanted, atol=1e-5)


def _loaded(model: Any, folder: Path) -> Any:
    with pytest.warns(UnspoolWarning, match=r"input 'lengths' gives lengths .*: here it is a mask"):
        return unspool.load(onnx_models.saved(model, folder))


@pytest.mark.parametrize(
    ("op", "direction", "outputs"), slow.but_in_turn(FORMS, ["y", "_ h", "y h"])
)
def test_what_is_fed_is_a_mask(op: str, direction: str, outputs: str, tmp_path: Path) -> None:
    outputs += " c" if op == "LSTM" and outputs == "y h" else ""
    model = _model(op, direction, outputs=outputs)
    loaded = _loaded(model, tmp_path)
    inputs = {tensor.name: (tensor.dtype, tensor.shape) for tensor in loaded.inputs}
    assert inputs["lengths"] == ("bool", (None, STEPS))
    mask = np.arange(STEPS) < LENGTHS[:, None]
    answers = onnx_models.answers(loaded, {"x": _samples(), "lengths": mask})
    _agree(answers, _expected(model, LENGTHS))


@pytest.mark.parametrize(("op", "direction"), FORMS, ids=map(" ".join, FORMS))
@pytest.mark.parametrize(
    "length", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, STEPS))]
)
def test_constant_ones_are_all_that_is_read(
    op: str, direction: str, length: int, tmp_path: Path
) -> None:
    model = _model(op, direction, constant=length, batch=len(LENGTHS))
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    answers = onnx_models.answers(loaded, {"x": _samples()})
    _agree(answers, _expected(model, None))


def test_they_may_be_cast_on_their_way(tmp_path: Path) -> None:
    model = _model(moved=True)
    loaded = _loaded(model, tmp_path)
    mask = np.arange(STEPS) < LENGTHS[:, None]
    answers = onnx_models.answers(loaded, {"x": _samples(), "lengths": mask})
    _agree(answers, _expected(model, LENGTHS, "int64"))


@pytest.mark.parametrize("batch", [1, "n"])
def test_sequences_may_be_sorted_by_them_and_brought_back(batch: Any, tmp_path: Path) -> None:
    """As PyTorch's script exporter writes pack_padded_sequence(enforce_sorted=False)."""
    nodes = [
        node("Shape", "lengths", "count"),
        node("TopK", "lengths count", "sorted order"),
        node("Cast", "sorted", "whole", to=6),
        node("Gather", "x order", "by_length", axis=1),
        node("GRU", "by_length W R _ whole", "y_by_length h_by_length", hidden_size=UNITS),
        node("Shape", "order", "as_many"),
        node(
            "ConstantOfShape",
            "as_many",
            "none",
            value=numpy_helper.from_array(np.zeros(1, np.int64)),
        ),
        node("Range", "zero end one", "places"),
        node("ScatterElements", "none order places", "back"),
        node("Gather", "y_by_length back", "y", axis=2),
        node("Gather", "h_by_length back", "h", axis=1),
    ]
    nodes.insert(6, node("Squeeze", "count", "end"))
    rows = 3 * UNITS
    constants = {"W": w(1, rows, FEATURES), "R": w(1, rows, UNITS)}
    constants |= {"zero": np.array(0), "one": np.array(1)}
    inputs = {"x": [STEPS, batch, FEATURES], "lengths": [batch]}
    model = onnx_models.made(nodes, inputs, ["y", "h"], constants, dtypes={"lengths": "int64"})
    loaded = _loaded(model, tmp_path)
    mask = np.arange(STEPS) < LENGTHS[:, None]
    answers = onnx_models.answers(loaded, {"x": _samples(), "lengths": mask})
    each = [
        onnx_models.run(model, {"x": _samples()[k][:, None], "lengths": LENGTHS[k : k + 1]})
        for k in range(len(LENGTHS))
    ]
    _agree(answers, [np.stack([one[name][..., 0, :] for one in each]) for name in "yh"])


def test_the_binary_is_told_by_a_mask(tmp_path: Path, computing: None) -> None:
    model = _loaded(_model(direction="bidirectional"), tmp_path)
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (40, STEPS, FEATURES)).astype(np.float32)
    mask = np.arange(STEPS) < rng.integers(1, STEPS + 1, (40, 1))
    done = unspool.deploy(model, [x, mask], options=Options(remedy_seconds=0))
    assert done.compiled.cpu_operators == ()
    assert done.simulation is not None and done.simulation.equal == 40
    assert [tensor.name for tensor in unspool.Session(done.quantized_tflite).inputs] == [
        "x",
        "lengths",
    ]


WRONG = {
    "an open time": (
        _model(time="t"),
        "takes lengths 'lengths' of sequences of an open length; give it (`time_steps`)",
    ),
    "too long": (
        _model(constant=9, batch=5),
        "is given sequences of 9 of 7 steps; expected 1 to 7",
    ),
    "none": (_model(constant=0, batch=5), "is given sequences of 0 of 7 steps; expected 1 to 7"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    model, message = WRONG[name]
    with pytest.raises(UnspoolError) as caught:
        load_onnx(onnx_models.saved(model, tmp_path))
    assert str(caught.value) == f"node 'the_cell': its GRU {message}"


def test_one_step_of_a_stream_has_none(tmp_path: Path) -> None:
    constants = {"W": w(1, 3 * UNITS, FEATURES), "R": w(1, 3 * UNITS, UNITS)}
    cell = node("GRU", "x W R _ lengths h", "y after", hidden_size=UNITS, name="the_cell")
    inputs = {"x": [1, 1, FEATURES], "h": [1, 1, UNITS], "lengths": [1]}
    dtypes = {"lengths": "int32"}
    model = onnx_models.made([cell], inputs, ["y", "after"], constants, dtypes=dtypes)
    with (
        pytest.warns(UnspoolWarning),
        pytest.raises(UnspoolError, match=r"the_cell.*takes lengths 'lengths' of one step of a"),
    ):
        load_onnx(onnx_models.saved(model, tmp_path))


def test_lengths_of_a_computed_kind_are_refused(tmp_path: Path) -> None:
    model = _model(moved=True)
    model.graph.node.insert(0, node("Add", "lengths lengths", "twice"))
    model.graph.node[1].input[0] = "twice"
    with pytest.raises(UnspoolError, match=r"takes lengths 'twice' that are computed"):
        load_onnx(onnx_models.saved(model, tmp_path))
