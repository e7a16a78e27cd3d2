"""GRU, LSTM and RNN nodes in every form that ONNX has for them, against onnxruntime."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import slow
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_cells import GATES, Case, check
from onnx_forms.recurrent import ACTIVATIONS, BASES, CHANGES, OPSETS, of_activations

OFTEN = {
    *(f"{base}, {change}" for base, change in zip(itertools.cycle(BASES), CHANGES, strict=False)),
    *(f"lstm, {change}" for change, fields in CHANGES.items() if "first_c" in fields),
}
"""Each change, at one of the nodes in turn; of a cell's own state at that which has one."""


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "name", slow.unless(OFTEN, [f"{base}, {change}" for base in BASES for change in CHANGES])
)
def test_a_node_computes_as_onnxruntime(name: str, tmp_path: Path) -> None:
    base, change = name.split(", ", 1)
    case = replace(BASES[base], **CHANGES[change])
    check(replace(case, outputs=(0, 1, 2) if case.op == "LSTM" else (0, 1)), tmp_path)


SUBSETS = [
    (op, outputs)
    for op, count in (("GRU", 2), ("LSTM", 3))
    for size in range(1, count + 1)
    for outputs in itertools.combinations(range(count), size)
]


@pytest.mark.parametrize(
    ("op", "outputs", "direction"),
    slow.but_in_turn(SUBSETS, ["forward", "reverse", "bidirectional"]),
)
def test_any_outputs(op: str, outputs: tuple[int, ...], direction: str, tmp_path: Path) -> None:
    check(Case(op, outputs=outputs, direction=direction), tmp_path)


@pytest.mark.parametrize("opset", OPSETS)
def test_any_opset(opset: int, tmp_path: Path) -> None:
    check(Case("LSTM", "bidirectional", outputs=(0, 1, 2), opset=opset), tmp_path)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    check(of_activations(name), tmp_path)


@st.composite
def cases(draw: Any) -> Case:
    op = draw(st.sampled_from(sorted(GATES)))
    states = st.sampled_from(["absent", "zeros", "constant", "input", "dense"])
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    kinds = draw(st.lists(st.sampled_from(["Tanh", "Relu", "Softsign", "Elu"]), max_size=2))
    usual = {"GRU": ("Sigmoid",), "LSTM": ("HardSigmoid",), "RNN": ()}[op]
    activations = [(*usual, kind) if op != "LSTM" else (*usual, kind, kind) for kind in kinds]
    both = direction == "bidirectional"
    outputs = draw(st.sets(st.integers(0, 2 if op == "LSTM" else 1), min_size=1))
    layout = draw(st.integers(0, 1))
    first_h, first_c = draw(states), draw(states)
    # A file of one step whose states are inputs is a stream's, and read as such (`frames`).
    fewest = 2 if "input" in (first_h, first_c) else 1
    return Case(
        op,
        direction,
        layout=layout,
        before=draw(st.integers(0, 1)),
        bias=draw(st.booleans()),
        activations=sum(activations[: 1 + both], ()) if len(activations) >= 1 + both else (),
        first_h=first_h,
        first_c=first_c,
        lengths=draw(st.booleans()),
        outputs=tuple(sorted(outputs)),
        opset=draw(st.sampled_from([14, 17, 20, 22] if layout else [7, 11, 13, 14, 22])),
        sizes=draw(st.tuples(st.integers(fewest, 4), *[st.integers(1, 4)] * 2)),
        batch=draw(st.sampled_from([1, 4, "n"])),
    )


@settings(max_examples=10, derandomize=True)
@given(cases())
def test_random_nodes(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    check(case, tmp_path_factory.mktemp("model"))


@pytest.mark.slow
@settings(max_examples=400)
@given(cases())
def test_many_random_nodes(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    check(case, tmp_path_factory.mktemp("model"))
