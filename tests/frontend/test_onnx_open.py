"""Files that leave the length of the sequence open: a model for any length, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
import slow
from onnx_forms.form import w
from onnx_models import made, node

from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx
from unspool.frontend.onnx.reading import Piece
from unspool.unrolling.deploy_model import unroll

LAST = 2**63 - 1


def _model(*nodes: Any, **constants: Any) -> Any:
    """Nodes behind a GRU of sequences of any length: "g" is (1, steps, 4)."""
    weights = {"W": w(1, 12, 3), "R": w(1, 12, 4), "one": np.array([1])}
    first = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("GRU", "t W R", "Y", hidden_size=4),
        node("Squeeze", "Y one", "s"),
        node("Transpose", "s", "g", perm=[1, 0, 2]),
    ]
    return made([*first, *nodes], {"x": ["batch", "time", 3]}, ["y"], {**weights, **constants})


def _channels(*nodes: Any, **constants: Any) -> Any:
    return _model(node("Transpose", "g", "c", perm=[0, 2, 1]), *nodes, **constants)


OPEN = {
    "each step": _model(node("MatMul", "g d", "y"), d=w(4, 2)),
    "last step of Dense": _model(
        node("MatMul", "g d", "m"), node("Gather", "m i", "y", axis=1), d=w(4, 2), i=np.array(-1)
    ),
    "last steps of Dense": _model(
        node("MatMul", "g d", "m"), node("Slice", "m a b one", "y"),
        d=w(4, 2), a=np.array([-3]), b=np.array([LAST]),
    ),
    "all but the ends": _model(
        node("Relu", "g", "m"), node("Slice", "m a b one", "y"),
        a=np.array([1]), b=np.array([-1]),
    ),
    "backwards": _model(
        node("Relu", "g", "m"), node("Slice", "m a b one c", "y"),
        a=np.array([-1]), b=np.array([-LAST]), c=np.array([-1]),
    ),
    "mean": _model(node("ReduceMean", "g", "y", axes=[1])),
    "heads": _model(
        node("Reshape", "g a", "h"), node("Transpose", "h", "y", perm=[0, 2, 1, 3]),
        a=np.array([0, 0, 2, 2]),
    ),
    "shape": _model(
        node("Shape", "g", "sizes"), node("Slice", "sizes o b", "n"),
        node("Concat", "n rest", "shape", axis=0), node("Reshape", "g shape", "y"),
        o=np.array([0]), b=np.array([2]), rest=np.array([2, 2]),
    ),
    "convolution": _channels(node("Conv", "c k", "y", pads=[2, 0]), k=w(3, 4, 3)),
    "convolution and pool": _channels(
        node("Conv", "c k", "v", pads=[1, 1], strides=[2]), node("GlobalMaxPool", "v", "y"),
        k=w(3, 4, 3),
    ),
}  # fmt: skip


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", slow.but_one_of(3, OPEN))
def test_a_model_is_for_any_length(name: str, tmp_path: Path) -> None:
    loaded = load_onnx(onnx_models.saved(OPEN[name], tmp_path))
    for steps in (7, 20):
        x = np.random.default_rng(steps).normal(0, 1, (1, steps, 3)).astype(np.float32)
        expected = onnx_models.run(OPEN[name], {"x": x})["y"]
        output = np.asarray(loaded({"x": x})["y"])
        assert output.shape == expected.shape
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


NEEDS_LENGTH: dict[str, tuple[Any, Sequence[int]]] = {
    "flat": (
        _model(node("Flatten", "g", "f"), node("Gemm", "f d", "y"), d=w(20, 2)), (1, 5, 3)
    ),
    "half": (
        _model(
            node("Shape", "g", "sizes"), node("Slice", "sizes one two", "n"),
            node("Div", "n two", "half"), node("Slice", "g zero half one", "y"),
            two=np.array([2]), zero=np.array([0]),
        ),
        (1, 6, 3),
    ),
    "fitted pads": (
        _channels(
            node("Conv", "c k", "y", auto_pad="SAME_UPPER", strides=[2]), k=w(3, 4, 3)
        ),
        (1, 6, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDS_LENGTH)
def test_a_model_that_needs_its_length_asks_for_it(name: str, tmp_path: Path) -> None:
    model, shape = NEEDS_LENGTH[name]
    path = onnx_models.saved(model, tmp_path)
    with pytest.raises(
        UnspoolError, match=r"the length of the sequence open.* give it \(`time_steps`\)$"
    ):
        load_onnx(path)
    x = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)
    output = load_onnx(path, Piece(time_steps=shape[1]))({"x": x})["y"]
    np.testing.assert_allclose(output, onnx_models.run(model, {"x": x})["y"], 1e-5, 1e-5)


def test_an_input_that_nothing_reads_is_named(tmp_path: Path) -> None:
    model = _model(node("Relu", "g", "y"))
    model.graph.input.append(onnx_models.made([], {"z": ["batch", 2]}, []).graph.input[0])
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    with pytest.raises(UnspoolError, match="input 'z': no layer reads it"):
        unroll(loaded, 6)


def _in_groups() -> Any:
    """DeepFilterNet's: sizes are written into the Reshapes in front of the GRU; two inputs of one
    length, of which no operator tells that it is time."""
    nodes = [
        node("Shape", "x", "sizes"), node("Slice", "sizes o two", "n"),
        node("Concat", "n parts", "shape", axis=0), node("Reshape", "x shape", "a"),
        node("Einsum", "a e", "m", equation="btgi,gih->btgh"),
        node("Concat", "n rest", "flat", axis=0), node("Reshape", "m flat", "r"),
        node("Transpose", "r", "t", perm=[1, 0, 2]), node("GRU", "t W R", "Y", hidden_size=4),
        node("Squeeze", "Y one", "s"), node("Transpose", "s", "g", perm=[1, 0, 2]),
        node("ReduceMean", "z", "q", axes=[1], keepdims=0), node("Add", "g q", "y"),
    ]  # fmt: skip
    numbers = {"o": np.array([0]), "one": np.array([1]), "two": np.array([2])}
    shapes = {"parts": np.array([2, 3]), "rest": np.array([-1])}
    weights = {"e": w(2, 3, 2), "W": w(1, 12, 4), "R": w(1, 12, 4)}
    inputs: dict[str, Sequence[int | str]] = {"x": [1, "S", 6], "z": [1, 3, "S", 4]}
    return made(nodes, inputs, ["y"], numbers | shapes | weights)


@pytest.mark.parametrize("steps", [None, 8])
def test_a_length_that_no_operator_tells_is_the_one_that_is_open(
    steps: int | None, tmp_path: Path
) -> None:
    model = _in_groups()
    loaded = load_onnx(onnx_models.saved(model, tmp_path), Piece(time_steps=steps))
    assert [tensor.shape for tensor in loaded.inputs] == [(None, steps, 6), (None, 3, steps, 4)]
    rng = np.random.default_rng(0)
    x, z = (rng.normal(0, 1, shape).astype(np.float32) for shape in ((1, 8, 6), (1, 3, 8, 4)))
    output = np.asarray(loaded({"x": x, "z": z})["y"])
    np.testing.assert_allclose(output, onnx_models.run(model, {"x": x, "z": z})["y"], 1e-5, 1e-5)


def test_a_recurrence_over_many_steps_of_an_open_length(tmp_path: Path) -> None:
    """Sixty for each step that the file leaves open: 3,000 in all where it is tried."""
    nodes = [
        node("Reshape", "x rows", "s"),
        node("GRU", "s W R", "h", hidden_size=4),
        node("Squeeze", "h one", "y"),
    ]
    constants = {"W": w(1, 12, 3), "R": w(1, 12, 4), "one": np.array([1])}
    constants["rows"] = np.array([-1, 1, 3])
    network = made(nodes, {"x": [1, "t", 60, 3]}, ["y"], constants)
    model = load_onnx(onnx_models.saved(network, tmp_path))
    x = np.random.default_rng(0).normal(0, 1, (1, 4, 60, 3)).astype(np.float32)
    expected = onnx_models.run(network, {"x": x})["y"]
    np.testing.assert_allclose(
        onnx_models.answers(model, {"x": x})["y"].ravel(), expected.ravel(), atol=1e-5
    )
