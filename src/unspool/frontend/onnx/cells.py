"""Single steps of a GRU, an LSTM or an RNN, written out as Gemm, Sigmoid, Mul and Add.

As PyTorch's exporters do for nn.GRUCell, nn.LSTMCell, nn.RNNCell, and the newer one for nn.RNN.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.links import Linear, Links, Pattern

CELLS = {"GRUCell": "GRU", "LSTMCell": "LSTM", "RNNCell": "RNN"}
"""One step, (batch, features) and states of (batch, units) -> ONNX's operator for many, which has
the same inputs in the same order."""

GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}
"""For each of ONNX's gates, its place in PyTorch: r, z, n and i, f, g, o."""

_OPERATORS = {"GRU": "GRU", "LSTM": "LSTM", "Tanh": "RNN", "Relu": "RNN"}
"""Kind of step -> ONNX's operator for many."""

_GRU: tuple[tuple[str, Pattern], ...] = (
    ("z", ("Sigmoid", ("Add", "h1", "x1"))),
    ("n", ("Tanh", ("Add", "x2", ("Mul", "h2", ("Sigmoid", ("Add", "h0", "x0")))))),
)
_FORMS: tuple[tuple[str, tuple[tuple[str, Pattern], ...]], ...] = (
    ("GRU", (("out", ("Add", ("Mul", ("Sub", "h", "n"), "z"), "n")), *_GRU)),
    ("GRU", (("out", ("Add", ("Mul", ("Sub", "one", "z"), "n"), ("Mul", "z", "h"))), *_GRU)),
    (
        "LSTM",
        (
            ("out", ("Mul", ("Sigmoid", "s3"), ("Tanh", "c_out"))),
            (
                "c_out",
                (
                    *("Add", ("Mul", ("Sigmoid", "s1"), "c")),
                    ("Mul", ("Sigmoid", "s0"), ("Tanh", "s2")),
                ),
            ),
        ),
    ),
    ("Tanh", (("out", ("Tanh", "s0")),)),
    ("Relu", (("out", ("Relu", "s0")),)),
)
"""Kinds of cells, values and what they are; x0, x1, ... are gates' shares of the input, h0, h1, ...
those of the state, s0, s1, ... their sums. The second GRU is as people write it by hand."""


@dataclass(frozen=True)
class _Step:
    """A step that was found; of a constant state its share is one, and its weights others show."""

    kind: str
    bound: Mapping[str, str]
    input_share: str
    state: Linear | np.ndarray


def cells(
    nodes: Sequence[Node], constants: dict[str, np.ndarray], outputs: Sequence[str]
) -> list[Node]:
    """The steps among nodes, as nodes of their own that make the same values.

    Args:
        nodes: in their order.
        constants: name -> value; weights as ONNX's recurrent operators have them are added.
        outputs: of the graph.
    """
    links = Links(nodes, constants)
    steps: dict[str, _Step] = {}
    for node in nodes:
        if node.op in ("Add", "Mul", "Tanh", "Relu"):
            step = next(_steps(links, node), None)
            if step is not None:
                steps[node.outputs[0]] = step
    known = [_with_state(step, steps.values(), constants) for step in steps.values()]
    written = [cell for step in known if step and (cell := _cell(links, step, constants))]
    cell_outputs = {(cell.inputs[1:4], cell.outputs[0]) for cell in written}
    cell_states = {(cell.inputs[1:4], cell.inputs[5]) for cell in written}

    def is_cell(cell: Node) -> bool:
        """Whether it is more than a sum of two Dense, as which a single RNN's step may be meant."""
        weights, state, out = cell.inputs[1:4], cell.inputs[5], cell.outputs[0]
        carried = out in outputs and out.lower() == f"{state.rstrip('0').lower()}n"  # h0, hn
        in_chain = (weights, state) in cell_outputs or (weights, out) in cell_states
        return cell.op != "RNNCell" or in_chain or carried

    return [cell for cell in written if is_cell(cell)]


def _steps(links: Links, node: Node) -> Iterator[_Step]:
    """The steps that a node may be the end of, those first that PyTorch's exporters write."""
    for kind, forms in _FORMS:
        for bound in links.matches(forms, {"out": node.outputs[0]}):
            shares = _shares(links, bound) if _is_one(links, bound.get("one", "")) else []
            for state, input_share in shares:
                product = links.linear(state) if isinstance(state, str) else state
                if (
                    isinstance(input_share, str)
                    and product is not None
                    and _fits(kind, bound, product)
                ):
                    yield _Step(kind, bound, input_share, product)


def _shares(links: Links, bound: Mapping[str, str]) -> list[Any]:
    """What may be the state's share and the input's, those first that exporters write."""
    if "h0" in bound:
        return [tuple(links.whole([bound[f"{kind}{n}"] for n in range(3)]) for kind in "hx")]
    gates = [bound[f"s{n}"] for n in range(4) if f"s{n}" in bound]
    total = links.whole(gates) if len(gates) > 1 else gates[0]
    node = links.makers.get(total) if isinstance(total, str) else None
    if node is not None and node.op == "Add":
        return list(permutations(links.constants.get(one, one) for one in node.inputs))
    return _of_sums(links, gates)


def _of_sums(links: Links, gates: Sequence[str]) -> list[Any]:
    """The same where each gate is a sum of its own: what is read tells which is whose."""
    sums = [links.makers.get(gate) for gate in gates]
    if len(gates) == 1 or any(node is None or node.op != "Add" for node in sums):
        return []

    def reads(name: str) -> str:
        product = links.linear(name)
        return "" if product is None else product.source

    pairs = [sorted(node.inputs, key=reads) for node in sums if node]
    return list(permutations(links.whole([pair[side] for pair in pairs]) for side in (0, 1)))


def _is_one(links: Links, name: str) -> bool:
    return not name or bool(np.all(links.constants.get(name, np.zeros(1)) == 1))


def _fits(kind: str, bound: Mapping[str, str], state: Linear | np.ndarray) -> bool:
    if not isinstance(state, Linear):
        return True
    gates, units = len(GATES[_OPERATORS[kind]]), state.weights.shape[1]
    return state.weights.shape[0] == gates * units and bound.get("h", state.source) == state.source


def _with_state(
    step: _Step, others: Iterable[_Step], constants: dict[str, np.ndarray]
) -> _Step | None:
    """The same where its state is constant, with the weights of the step behind it, if they fit."""
    if isinstance(step.state, Linear):
        return step
    for other in others:
        state = other.state
        if not isinstance(state, Linear) or state.source != step.bound["out"]:
            continue
        name = step.bound.get("h") or kept(constants, np.zeros((1, state.weights.shape[1]), "f"))
        expected = constants[name] @ state.weights.T + state.bias
        if np.shape(expected)[-1] == step.state.shape[-1] and np.allclose(
            expected, step.state, atol=1e-5
        ):
            return replace(step, state=replace(state, source=name))
    return None


def _cell(links: Links, step: _Step, constants: dict[str, np.ndarray]) -> Node | None:
    op, state = _OPERATORS[step.kind], step.state
    assert isinstance(state, Linear)
    input_product = links.linear(step.input_share)
    if input_product is None and op != "RNN":
        return None
    if input_product is None:  # it was multiplied before, all steps at once
        count = len(state.weights)
        name = links.makers[step.bound["out"]].name
        input_product = Linear(
            name, step.input_share, np.eye(count, dtype=np.float32), np.zeros(count, np.float32)
        )
    attributes: dict[str, Any] = {"hidden_size": state.weights.shape[1], "linear_before_reset": 1}
    if op == "RNN":
        attributes["activations"] = [step.kind]
    bias = np.concatenate([ordered(op, input_product.bias), ordered(op, state.bias)])
    weights = [ordered(op, input_product.weights), ordered(op, state.weights), bias]
    states = [state.source, step.bound["c"]] if op == "LSTM" else [state.source]
    return Node(
        f"{op}Cell",
        min(input_product.name, state.name, key=len),  # the other has a number behind
        (input_product.source, *(kept(constants, array[None]) for array in weights), "", *states),
        (step.bound["out"], *([step.bound["c_out"]] if op == "LSTM" else [])),
        attributes,
    )


def ordered(op: str, array: np.ndarray) -> np.ndarray:
    """Weights or a bias with gates as ONNX has them, of those in PyTorch's order."""
    parts = np.split(array, len(GATES[op]))
    return np.concatenate([parts[gate] for gate in GATES[op]])


def kept(constants: dict[str, np.ndarray], array: np.ndarray) -> str:
    """The name of a constant that is added once, however often it is written."""
    digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
    name = f"{array.dtype}{list(array.shape)}_{digest}"
    constants.setdefault(name, array)
    return name
