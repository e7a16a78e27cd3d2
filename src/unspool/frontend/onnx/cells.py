"""Single steps of a GRU, an LSTM or an RNN, written out as Gemm, Sigmoid, Mul and Add.

As PyTorch's exporters do for nn.GRUCell, nn.LSTMCell, nn.RNNCell, and the newer one for nn.RNN.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np

from unspool.frontend.onnx.graph import Node

CELLS = {"GRUCell": "GRU", "LSTMCell": "LSTM", "RNNCell": "RNN"}
"""One step, (batch, features) and states of (batch, units) -> ONNX's operator for many, which has
the same inputs in the same order."""

GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}
"""For each of ONNX's gates, its place in PyTorch: r, z, n and i, f, g, o."""

_OPERATORS = {"GRU": "GRU", "LSTM": "LSTM", "Tanh": "RNN", "Relu": "RNN"}
"""Kind of step -> ONNX's operator for many."""

Pattern: TypeAlias = Any
"""The name of a value, or an operator and the patterns of its inputs."""

_FORMS: dict[str, tuple[tuple[str, Pattern], ...]] = {
    "GRU": (
        ("out", ("Add", ("Mul", ("Sub", "h", "n"), "z"), "n")),
        ("z", ("Sigmoid", ("Add", "h1", "x1"))),
        ("n", ("Tanh", ("Add", "x2", ("Mul", "h2", ("Sigmoid", ("Add", "h0", "x0")))))),
    ),
    "LSTM": (
        ("out", ("Mul", ("Sigmoid", "s3"), ("Tanh", "c_out"))),
        (
            "c_out",
            ("Add", ("Mul", ("Sigmoid", "s1"), "c"), ("Mul", ("Sigmoid", "s0"), ("Tanh", "s2"))),
        ),
    ),
    "Tanh": (("out", ("Tanh", "s0")),),
    "Relu": (("out", ("Relu", "s0")),),
}
"""Kind of cell -> values and what they are; x0, x1, ... are gates' shares of the input, h0, h1, ...
those of the state, s0, s1, ... their sums."""


@dataclass(frozen=True)
class _Linear:
    """A product with constants: (units, features) and (units,), and the name of its node."""

    name: str
    source: str
    weights: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class _Step:
    """A step that was found; of a constant state its share is one, and its weights others show."""

    kind: str
    bound: Mapping[str, str]
    given: str  # the input's share
    state: _Linear | np.ndarray


class Links:
    """Which node makes a value, and what it makes it of."""

    def __init__(self, nodes: Sequence[Node], constants: Mapping[str, np.ndarray]) -> None:
        self.makers = {name: node for node in nodes for name in node.outputs}
        self.constants = constants

    def linear(self, name: str) -> _Linear | None:
        """A Gemm, or a MatMul with an Add or without, by constants."""
        node = self.makers.get(name)
        if node is None or node.op not in ("Gemm", "MatMul", "Add"):
            return None
        if node.op == "Add":
            for one, other in permutations(node.inputs):
                product, bias = self.makers.get(one), self.constants.get(other)
                inner = self.linear(one) if product and product.op == "MatMul" else None
                if inner is not None and bias is not None and bias.ndim == 1:
                    return replace(inner, bias=bias)
            return None
        weights = self.constants.get(node.inputs[1])
        plain = all(node.attributes.get(key, 1) == 1 for key in ("alpha", "beta"))
        if weights is None or weights.ndim != 2 or not plain or node.attributes.get("transA"):
            return None
        weights = weights if node.attributes.get("transB") else weights.T
        bias = self.constants.get(node.reads(2)) if node.reads(2) else np.zeros(len(weights), "f")
        if bias is None or bias.shape != weights.shape[:1]:
            return None
        return _Linear(node.name, node.inputs[0], weights, bias)

    def matches(self, forms: Sequence[tuple[str, Pattern]], bound: dict[str, str]) -> Iterator[Any]:
        """Names of values by those of a form, in each way that it fits."""
        if not forms:
            yield bound
            return
        (name, pattern), *rest = forms
        for found in self._fits(pattern, bound[name], bound):
            yield from self.matches(rest, found)

    def _fits(self, pattern: Pattern, name: str, bound: dict[str, str]) -> Iterator[dict[str, str]]:
        if isinstance(pattern, str):
            if bound.get(pattern, name) == name:
                yield {**bound, pattern: name}
            return
        op, *parts = pattern
        node = self.makers.get(name)
        if node is None or node.op != op or len(node.inputs) != len(parts):
            return
        for order in permutations(node.inputs) if op in ("Add", "Mul") else [node.inputs]:
            found = [bound]
            for part, given in zip(parts, order, strict=True):
                found = [more for one in found for more in self._fits(part, given, one)]
            yield from found

    def whole(self, names: Sequence[str]) -> str | np.ndarray | None:
        """What is split into values, one after the other; constants as one."""
        if all(name in self.constants for name in names):
            return np.concatenate([self.constants[name] for name in names], -1)
        node = self.makers.get(names[0])
        if node is None or node.op != "Split" or node.outputs != tuple(names):
            return None
        return node.inputs[0]

    def shares(self, bound: Mapping[str, str]) -> list[Any]:
        """What may be the state's share and the input's, those first that exporters write."""
        if "h0" in bound:
            return [tuple(self.whole([bound[f"{kind}{n}"] for n in range(3)]) for kind in "hx")]
        gates = [bound[f"s{n}"] for n in range(4) if f"s{n}" in bound]
        total = self.whole(gates) if len(gates) > 1 else gates[0]
        node = self.makers.get(total) if isinstance(total, str) else None
        if node is None or node.op != "Add":
            return []
        return list(permutations(self.constants.get(one, one) for one in node.inputs))


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
    found: dict[str, _Step] = {}
    for node in nodes:
        if node.op in ("Add", "Mul", "Tanh", "Relu"):
            step = next(_steps(links, node), None)
            if step is not None:
                found[node.outputs[0]] = step
    known = [_with_state(step, found.values(), constants) for step in found.values()]
    written = [cell for step in known if step and (cell := _cell(links, step, constants))]
    given = {(cell.inputs[1:4], cell.outputs[0]) for cell in written}
    taken = {(cell.inputs[1:4], cell.inputs[5]) for cell in written}

    def is_cell(cell: Node) -> bool:
        """Whether it is more than a sum of two Dense, as which a single RNN's step may be meant."""
        weights, state, out = cell.inputs[1:4], cell.inputs[5], cell.outputs[0]
        carried = out in outputs and out.lower() == f"{state.rstrip('0').lower()}n"  # h0, hn
        in_chain = (weights, state) in given or (weights, out) in taken
        return cell.op != "RNNCell" or in_chain or carried

    return [cell for cell in written if is_cell(cell)]


def _steps(links: Links, node: Node) -> Iterator[_Step]:
    """The steps that a node may be the end of, those first that PyTorch's exporters write."""
    for kind, forms in _FORMS.items():
        for bound in links.matches(forms, {"out": node.outputs[0]}):
            shares = links.shares(bound)
            for state, given in shares:
                made = links.linear(state) if isinstance(state, str) else state
                if isinstance(given, str) and made is not None and _fits(kind, bound, made):
                    yield _Step(kind, bound, given, made)


def _fits(kind: str, bound: Mapping[str, str], state: _Linear | np.ndarray) -> bool:
    if not isinstance(state, _Linear):
        return True
    gates, units = len(GATES[_OPERATORS[kind]]), state.weights.shape[1]
    return state.weights.shape[0] == gates * units and bound.get("h", state.source) == state.source


def _with_state(
    step: _Step, others: Iterable[_Step], constants: dict[str, np.ndarray]
) -> _Step | None:
    """The same where its state is constant, with the weights of the step behind it, if they fit."""
    if isinstance(step.state, _Linear):
        return step
    for other in others:
        made = other.state
        if not isinstance(made, _Linear) or made.source != step.bound["out"]:
            continue
        name = step.bound.get("h") or kept(constants, np.zeros((1, made.weights.shape[1]), "f"))
        expected = constants[name] @ made.weights.T + made.bias
        if np.shape(expected)[-1] == step.state.shape[-1] and np.allclose(
            expected, step.state, atol=1e-5
        ):
            return replace(step, state=replace(made, source=name))
    return None


def _cell(links: Links, step: _Step, constants: dict[str, np.ndarray]) -> Node | None:
    op, state = _OPERATORS[step.kind], step.state
    assert isinstance(state, _Linear)
    given = links.linear(step.given)
    if given is None and op != "RNN":
        return None
    if given is None:  # it was multiplied before, all steps at once
        count = len(state.weights)
        name = links.makers[step.bound["out"]].name
        given = _Linear(
            name, step.given, np.eye(count, dtype=np.float32), np.zeros(count, np.float32)
        )
    attributes: dict[str, Any] = {"hidden_size": state.weights.shape[1], "linear_before_reset": 1}
    if op == "RNN":
        attributes["activations"] = [step.kind]
    bias = np.concatenate([ordered(op, given.bias), ordered(op, state.bias)])
    weights = [ordered(op, given.weights), ordered(op, state.weights), bias]
    states = [state.source, step.bound["c"]] if op == "LSTM" else [state.source]
    return Node(
        f"{op}Cell",
        min(given.name, state.name, key=len),  # the other has a number behind
        (given.source, *(kept(constants, array[None]) for array in weights), "", *states),
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
