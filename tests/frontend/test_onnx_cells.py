"""Cells that are written out in an ONNX file, step by step: one layer, or what they look like."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx import helper, numpy_helper
from onnx_forms.form import w
from onnx_models import made, node

from unspool.errors import UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx

STEPS, UNITS = 3, 4


def _kinds(loaded: Any) -> list[str]:
    return [type(layer).__name__ for layer in loaded.layers if "Input" not in type(layer).__name__]


def _taken(step: int) -> list[Any]:
    return [node("Gather", f"x i{step}", f"x{step}", axis=1)]


def _rnn(step: int, order: str, op: str = "Tanh") -> list[Any]:
    """One step from h{step} to h{step + 1}; `order` names both operands of the Add."""
    return [
        *_taken(step),
        node("Gemm", f"x{step} W b", f"a{step}", transB=1),
        node("Gemm", f"h{step} R b", f"s{step}", transB=1),
        node("Add", " ".join(f"{letter}{step}" for letter in order), f"t{step}"),
        node(op, f"t{step}", f"h{step + 1}"),
    ]


def _gru(step: int, turned: bool) -> list[Any]:
    """One step of a GRU as PyTorch has it, or with the operands of each Add and Mul turned."""

    def two(op: str, left: str, right: str, out: str) -> Any:
        names = [right, left] if turned else [left, right]
        return node(op, " ".join(f"{name}_{step}" for name in names), f"{out}_{step}")

    parts = (" ".join(f"{letter}{gate}_{step}" for gate in range(3)) for letter in "xh")
    given, state = parts
    return [
        *_taken(step),
        node("Gemm", f"x{step} W b", f"x_{step}", transB=1),
        node("Gemm", f"h{step} R b", f"h_{step}", transB=1),
        node("Split", f"x_{step}", given, axis=1),
        node("Split", f"h_{step}", state, axis=1),
        two("Add", "h0", "x0", "r_sum"),
        node("Sigmoid", f"r_sum_{step}", f"r_{step}"),
        two("Add", "h1", "x1", "z_sum"),
        node("Sigmoid", f"z_sum_{step}", f"z_{step}"),
        two("Mul", "h2", "r", "reset"),
        two("Add", "x2", "reset", "n_sum"),
        node("Tanh", f"n_sum_{step}", f"n_{step}"),
        node("Sub", f"h{step} n_{step}", f"far_{step}"),
        two("Mul", "far", "z", "kept"),
        node("Add", f"kept_{step} n_{step}", f"h{step + 1}"),
    ]


def _model(steps: list[list[Any]], gates: int, first: Any, **more: Any) -> Any:
    """Steps over x, (1, 3, 5), and the last state; `first` is h0, an input where it is None."""
    constants = {
        "W": w(gates * UNITS, 5), "R": w(gates * UNITS, UNITS), "b": w(gates * UNITS),
        **{f"i{n}": np.array(n) for n in range(STEPS)},
        **({} if first is None else {"h0": first}),
    }  # fmt: skip
    inputs = {"x": [1, STEPS, 5], **({"h0": [1, UNITS]} if first is None else {})}
    outputs = [f"h{len(steps)}"]
    return made([one for step in steps for one in step], inputs, outputs, constants, **more)


ZEROS = np.zeros((1, UNITS))
LAYERS: dict[str, tuple[Any, list[str]]] = {
    "rnn": (_model([_rnn(n, "sa") for n in range(STEPS)], 1, ZEROS), ["SimpleRNN"]),
    "rnn, the input first": (
        _model([_rnn(n, "as") for n in range(STEPS)], 1, ZEROS), ["SimpleRNN"]
    ),
    "relu": (_model([_rnn(n, "sa", "Relu") for n in range(STEPS)], 1, ZEROS), ["SimpleRNN"]),
    "gru": (_model([_gru(n, False) for n in range(STEPS)], 3, ZEROS), ["GRU"]),
    "gru, turned": (_model([_gru(n, True) for n in range(STEPS)], 3, ZEROS), ["GRU"]),
    "gru of a batch of two": (
        _model([_gru(n, False) for n in range(STEPS)], 3, np.repeat(w(1, UNITS), 2, 0)),
        ["Dense", "GRU"],  # a first state that is not zero
    ),
    "opset 12": (_model([_rnn(n, "sa") for n in range(STEPS)], 1, ZEROS, opset=12), ["SimpleRNN"]),
    "some of the steps": (
        _model([_rnn(n, "sa") for n in range(STEPS - 1)], 1, ZEROS), ["Concatenate", "SimpleRNN"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_steps_are_one_layer(name: str, tmp_path: Path) -> None:
    model, kinds = LAYERS[name]
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert sorted(set(_kinds(loaded)) - {"Reshape", "GetItem"}) == kinds
    for feed in onnx_models.samples(model):
        (expected,) = onnx_models.run(model, feed).values()
        (found,) = onnx_models.answers(loaded, feed).values()
        np.testing.assert_allclose(found, expected[:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, STEPS])
def test_a_first_state_that_is_an_input_is_left_out(count: int, tmp_path: Path) -> None:
    model = _model([_gru(n, False) for n in range(count)], 3, None)
    with pytest.warns(UnspoolWarning, match="h0 -> .*/h;"):
        loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert [tensor.name for tensor in loaded.inputs] == ["x"]
    assert "GRU" in _kinds(loaded)


def test_one_step_whose_state_does_not_come_out_is_no_stream(tmp_path: Path) -> None:
    """Its caller could not give the state to the next call: the file is read as it is."""
    shapes = {}
    for given_out in ("h1", "y"):
        model = _model([_gru(0, False)], 3, None)
        model.graph.node.append(node("Gemm", "h1 V", "y"))
        model.graph.initializer.append(numpy_helper.from_array(w(UNITS, 2), "V"))
        del model.graph.output[:]
        for name in dict.fromkeys(("y", given_out)):
            model.graph.output.append(helper.make_tensor_value_info(name, 1, None))
        with pytest.warns(UnspoolWarning, match="h0 -> .*/h;"):
            loaded = load_onnx(onnx_models.saved(model, tmp_path))
        shapes[given_out] = loaded.inputs[0].shape[1]
        feed = onnx_models.samples(model)[0]
        feed["h0"] = np.zeros_like(feed["h0"])
        expected = onnx_models.run(model, feed)["y"]
    np.testing.assert_allclose(
        next(iter(loaded([feed["x"]]).values())), expected, rtol=1e-5, atol=1e-5
    )
    assert shapes == {"h1": None, "y": STEPS}  # of frames; as in the file


def test_one_step_of_an_rnn_is_told_by_the_names_of_its_states(tmp_path: Path) -> None:
    model = _model([_rnn(0, "sa")], 1, None)
    assert "SimpleRNN" not in _kinds(onnx_models.check(model, tmp_path))
    model.graph.node[-1].output[0] = model.graph.output[0].name = "hN"
    with pytest.warns(UnspoolWarning, match="h0 -> .*/h;"):
        loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert "SimpleRNN" in _kinds(loaded)


ALIKE = {
    "a residual of Dense": [
        node("MatMul", "x W", "m"), node("Add", "m x", "a"), node("Relu", "a", "y")
    ],
    "residuals of Dense": [
        node("MatMul", "x W", "m"), node("Add", "m x", "a"), node("Relu", "a", "b"),
        node("MatMul", "b V", "n"), node("Add", "n b", "c"), node("Relu", "c", "y"),
    ],
    "a sum of two Dense": [
        node("MatMul", "x W", "m"), node("MatMul", "z W", "n"), node("Add", "m n", "a"),
        node("Tanh", "a", "y"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_what_looks_like_a_step_stays_as_it_is(name: str, tmp_path: Path) -> None:
    inputs = {"x": [1, 5], **({"z": [1, 5]} if "two" in name else {})}
    model = made(ALIKE[name], inputs, ["y"], {"W": w(5, 5), "V": w(5, 5, seed=1)})
    assert "SimpleRNN" not in _kinds(onnx_models.check(model, tmp_path))
