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
ZEROS = np.zeros((1, UNITS))


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


def _carried(step: int, i: str, f: str, new: str, o: str) -> list[Any]:
    """An LSTM's states behind a step, of its gates and of what is new."""
    return [
        node("Mul", f"{f} c{step}", f"old_{step}"),
        node("Mul", f"{i} {new}", f"new_{step}"),
        node("Add", f"old_{step} new_{step}", f"c{step + 1}"),
        node("Tanh", f"c{step + 1}", f"far_{step}"),
        node("Mul", f"{o} far_{step}", f"h{step + 1}"),
    ]


def _joined(step: int, kind: str, order: str, parts: int) -> list[Any]:
    """One step of an RNN or an LSTM whose input and state are joined, for one product or for four.

    `order` says which of both comes first, and "+" that a MatMul and an Add make the product.
    """
    first, second = (f"{letter}{step}" for letter in order[:2])
    listed = [*_taken(step), node("Concat", f"{first} {second}", f"j{step}", axis=1)]

    def product(weights: str, bias: str, out: str) -> list[Any]:
        if not order.endswith("+"):
            return [node("Gemm", f"j{step} {weights} {bias}", out, transB=1)]
        return [
            node("MatMul", f"j{step} {weights}t", f"{out}p"),
            node("Add", f"{out}p {bias}", out),
        ]

    if kind == "RNN":
        return [*listed, *product("J0", "k0", f"t{step}"), node("Tanh", f"t{step}", f"h{step + 1}")]
    gates = [f"{gate}{step}" for gate in "efgo"]
    if parts == 1:
        listed += [
            *product("J", "k", f"t{step}"),
            node("Split", f"t{step}", " ".join(gates), axis=1),
        ]
    else:
        listed += [one for n, gate in enumerate(gates) for one in product(f"J{n}", f"k{n}", gate)]
    return [
        *listed,
        *(node("Sigmoid", f"{gate}{step}", f"{gate}s{step}") for gate in "efo"),
        node("Tanh", f"g{step}", f"gt{step}"),
        *_carried(step, *(f"{gate}{step}" for gate in ("es", "fs", "gt", "os"))),
    ]


@pytest.mark.parametrize(("kind", "parts"), [("RNN", 1), ("LSTM", 1), ("LSTM", 4)])
@pytest.mark.parametrize("order", ["xh", "hx", "xh+"])
def test_an_input_and_a_state_that_are_joined(
    kind: str, order: str, parts: int, tmp_path: Path
) -> None:
    steps, width = 12, 5 + UNITS
    gates = {f"J{n}": w(UNITS, width, seed=n) for n in range(4)}
    biases = {f"k{n}": w(UNITS, seed=n) for n in range(4)}
    whole = {"J": np.concatenate([*gates.values()]), "k": np.concatenate([*biases.values()])}
    constants = {**gates, **biases, **whole, "h0": ZEROS, "c0": ZEROS}
    constants |= {f"{name}t": value.T for name, value in {**gates, **whole}.items()}
    constants |= {f"i{step}": np.array(step) for step in range(steps)}
    constants = {
        name: value.astype(np.float32) if value.dtype == np.float64 else value
        for name, value in constants.items()
    }
    nodes = [one for step in range(steps) for one in _joined(step, kind, order, parts)]
    nodes.append(node("Relu", f"h{steps}", "y"))
    read = {name for one in nodes for name in one.input}
    model = made(
        nodes, {"x": [1, steps, 5]}, ["y"], {k: v for k, v in constants.items() if k in read}
    )
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert _kinds(loaded)[0] == {"RNN": "SimpleRNN"}.get(kind, kind)
    x = np.random.default_rng(0).normal(0, 1, (1, steps, 5)).astype(np.float32)
    expected = onnx_models.run(model, {"x": x})["y"]
    np.testing.assert_allclose(loaded([x])["y"], expected, atol=1e-6)


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


def _by_hand(step: int, one: str = "one", gates: str = "012") -> list[Any]:
    """A GRU's step as people write it: gates by Slices, in an order, and `(one - z) n + z h`."""
    parts = [
        node("Slice", f"{given}_{step} start{gate} start{int(gate) + 1} last", f"{given}{n}_{step}")
        for given in "xh"
        for n, gate in enumerate(gates)
    ]
    return [
        *_gru(step, False)[:3],
        *parts,
        *_gru(step, False)[5:12],
        node("Sub", f"{one} z_{step}", f"less_{step}"),
        node("Mul", f"less_{step} n_{step}", f"new_{step}"),
        node("Mul", f"z_{step} h{step}", f"old_{step}"),
        node("Add", f"new_{step} old_{step}", f"h{step + 1}"),
    ]


def _apart(step: int, kind: str) -> list[Any]:
    """A step of a GRU or an LSTM with a Gemm for each gate's share, that of the state first."""
    gates = "rzn" if kind == "gru" else "ifno"
    shares = [
        node("Gemm", f"{read}{step} {letter}_{gate} b_{gate}", f"{letter}{gate}_{step}", transB=1)
        for read, letter in (("x", "W"), ("h", "R"))
        for gate in gates
    ]
    sums = [node("Add", f"R{g}_{step} W{g}_{step}", f"{g}_sum_{step}") for g in gates if g != "n"]
    opened = [node("Sigmoid", f"{g}_sum_{step}", f"{g}_{step}") for g in gates if g != "n"]
    if kind == "gru":
        rest = [
            node("Mul", f"r_{step} Rn_{step}", f"reset_{step}"),
            node("Add", f"Wn_{step} reset_{step}", f"n_sum_{step}"),
            node("Tanh", f"n_sum_{step}", f"n_{step}"),
            node("Sub", f"one z_{step}", f"less_{step}"),
            node("Mul", f"less_{step} n_{step}", f"new_{step}"),
            node("Mul", f"z_{step} h{step}", f"old_{step}"),
            node("Add", f"old_{step} new_{step}", f"h{step + 1}"),
        ]
    else:
        rest = [
            node("Add", f"Wn_{step} Rn_{step}", f"n_sum_{step}"),
            node("Tanh", f"n_sum_{step}", f"n_{step}"),
            *_carried(step, *(f"{gate}_{step}" for gate in "ifno")),
        ]
    return [*_taken(step), *shares, *sums, *opened, *rest]


def _around(step: int, missing: int = -1) -> list[Any]:
    """A GRU's step, a Gemm and a ReLU in front of it, a Gemm and a sum behind.

    In one step the ReLU may be missing.
    """
    _, *cell = _gru(step, False)
    return [
        node("Gather", f"x i{step}", f"t{step}", axis=1),
        node("Gemm", f"t{step} F e", f"f{step}", transB=1),
        node("Identity" if step == missing else "Relu", f"f{step}", f"x{step}"),
        *cell,
        node("Gemm", f"h{step + 1} D", f"d{step}"),
        node("Add", f"d{step} t{step}", f"s{step}"),
        node("Unsqueeze", f"s{step} first", f"u{step}"),
    ]


def _model(steps: list[list[Any]], gates: int, first: Any, **more: Any) -> Any:
    """Steps over x, (1, 3, 5), and the last state; `first` is h0, an input where it is None."""
    constants = {
        "W": w(gates * UNITS, 5), "R": w(gates * UNITS, UNITS), "b": w(gates * UNITS),
        **{f"i{n}": np.array(n) for n in range(STEPS)},
        **{f"start{n}": np.array([n * UNITS]) for n in range(4)},
        **{f"W_{gate}": w(UNITS, 5) for gate in "rznifo"},
        **{f"R_{gate}": w(UNITS, UNITS) for gate in "rznifo"},
        **{f"b_{gate}": w(UNITS) for gate in "rznifo"}, "c0": ZEROS,
        **{"last": np.array([1]), "one": np.ones(1), "two": np.full(1, 2.0)},
        **({} if first is None else {"h0": first}),
    }  # fmt: skip
    inputs = {"x": [1, STEPS, 5], **({"h0": [1, UNITS]} if first is None else {})}
    outputs = [f"h{len(steps)}"]
    return made([one for step in steps for one in step], inputs, outputs, constants, **more)


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
    "gru by hand": (_model([_by_hand(n) for n in range(STEPS)], 3, ZEROS), ["GRU"]),
    "gru, gates apart": (_model([_apart(n, "gru") for n in range(STEPS)], 3, ZEROS), ["GRU"]),
    "lstm, gates apart": (_model([_apart(n, "lstm") for n in range(STEPS)], 4, ZEROS), ["LSTM"]),
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
        (output,) = onnx_models.answers(loaded, feed).values()
        np.testing.assert_allclose(output, expected[:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", [{"one": "two"}, {"gates": "102"}])
def test_what_is_no_gru_is_none(how: dict[str, str], tmp_path: Path) -> None:
    """`2 - z` in the place of `1 - z`; and gates in another order than PyTorch's."""
    model = _model([_by_hand(n, **how) for n in range(STEPS)], 3, ZEROS)
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert "GRU" not in _kinds(loaded)
    for feed in onnx_models.samples(model):
        (expected,) = onnx_models.run(model, feed).values()
        (output,) = onnx_models.answers(loaded, feed).values()
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("missing", [-1, 1])
def test_what_is_around_a_cell_is_one_layer_for_all_steps(missing: int, tmp_path: Path) -> None:
    """Gemms, a ReLU and a sum; the steps are joined along time."""
    nodes = [one for n in range(STEPS) for one in _around(n, missing)]
    nodes.append(node("Concat", " ".join(f"u{n}" for n in range(STEPS)), "y", axis=1))
    constants = {
        **{"W": w(3 * UNITS, 5), "R": w(3 * UNITS, UNITS), "b": w(3 * UNITS), "h0": ZEROS},
        **{"F": w(5, 5), "e": w(5), "D": w(UNITS, 5), "first": np.array([1])},
        **{f"i{n}": np.array(n) for n in range(STEPS)},
    }
    model = made(nodes, {"x": [1, STEPS, 5]}, ["y"], constants)
    loaded = onnx_models.check(model, tmp_path)
    kinds = [kind for kind in _kinds(loaded) if kind not in ("Reshape", "GetItem", "Concatenate")]
    activations = 1 if missing < 0 else STEPS - 1
    assert kinds == ["Dense", *["Activation"] * activations, "GRU", "Dense"]
    assert [type(each).__name__ for each in loaded.operations].count("Add") == 1


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
