"""GRU, LSTM and RNN nodes in every form that ONNX has for them, against onnxruntime."""

import itertools
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_models import node

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
KINDS = {"GRU": 2, "LSTM": 3, "RNN": 1}  # activations of a direction


@dataclass(frozen=True)
class Case:
    """A recurrent node and what is around it."""

    op: str = "GRU"
    direction: str = "forward"
    layout: int = 0
    before: int = 1  # linear_before_reset
    bias: bool = True
    activations: tuple[str, ...] = ()
    alphas: tuple[float, ...] = ()
    betas: tuple[float, ...] = ()
    first_h: str = "absent"
    first_c: str = "absent"
    lengths: bool = False
    outputs: tuple[int, ...] = (0,)
    opset: int = 14
    sizes: tuple[int, int, int] = (5, 3, 4)  # steps, features, units
    batch: int | str = 1
    open: bool = False  # the length of the sequence
    more: dict[str, Any] = field(default_factory=dict)  # attributes

    @property
    def directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    @property
    def count(self) -> int:
        """Samples that onnxruntime is fed at once."""
        return self.batch if isinstance(self.batch, int) else 1


def model_of(case: Case, layout: int) -> Any:
    """The ONNX model of a case; with another layout, behind and before transposes."""
    steps, features, units = case.sizes
    rng = np.random.default_rng(11)
    shape = (case.directions, GATES[case.op] * units)
    constants = {
        "W": rng.normal(0, 0.5, (*shape, features)),
        "R": rng.normal(0, 0.5, (*shape, units)),
    }
    nodes = []
    if case.bias:
        constants["B"] = rng.normal(0, 0.5, (case.directions, 2 * shape[1]))
    if case.lengths:
        constants["lengths"] = np.full(case.count, steps, np.int32)
    inputs = {"x": [case.batch, "time" if case.open else steps, features]}
    if case.layout == 0:
        inputs["x"][:2] = reversed(inputs["x"][:2])
    states = {"h": case.first_h} | ({"c": case.first_c} if case.op == "LSTM" else {})
    for state, how in states.items():
        nodes += _first(case, state, how, layout, inputs, constants, rng)
    twin = layout != case.layout
    reads = [
        "x_twin" if twin else "x",
        "W",
        "R",
        "B" if case.bias else "",
        "lengths" if case.lengths else "",
        *(f"first_{s}" if how != "absent" else "" for s, how in states.items()),
    ]
    if twin:
        nodes.append(node("Transpose", "x", "x_twin", perm=[1, 0, 2]))
    names = ["Y", "Y_h", "Y_c"][: 3 if case.op == "LSTM" else 2]
    makes = [name if n in case.outputs else "" for n, name in enumerate(names)]
    nodes.append(_cell(case, reads, makes, layout, twin))
    if twin:
        for n in case.outputs:
            perm = [1, 0, 2] if n else [2, 0, 1, 3]
            nodes.append(node("Transpose", f"{names[n]}_twin", names[n], perm=perm))
    return onnx_models.made(nodes, inputs, [names[n] for n in case.outputs], constants, case.opset)


def _cell(case: Case, reads: list[str], makes: list[str], layout: int, twin: bool) -> Any:
    name = f"the_{case.op.lower()}"
    attributes: dict[str, Any] = {"name": name, "hidden_size": case.sizes[2], **case.more}
    if case.direction != "forward":
        attributes["direction"] = case.direction
    if layout:
        attributes["layout"] = 1
    if case.op == "GRU" and case.before:
        attributes["linear_before_reset"] = 1
    if case.activations:
        attributes["activations"] = list(case.activations)
    if case.alphas:
        attributes["activation_alpha"] = list(case.alphas)
    if case.betas:
        attributes["activation_beta"] = list(case.betas)
    if twin:
        makes = [f"{name}_twin" if name else "" for name in makes]
    spelled = (" ".join(name or "_" for name in names) for names in (reads, makes))
    return node(case.op, *spelled, **attributes)


def _first(
    case: Case, state: str, how: str, layout: int, inputs: Any, constants: Any, rng: Any
) -> list[Any]:
    """Nodes, inputs and constants for a first state."""
    units, count, name = case.sizes[2], case.directions, f"first_{state}"
    shape = [case.count, count, units] if layout else [count, case.count, units]
    if how == "zeros":
        constants[name] = np.zeros(shape)
    elif how == "constant":
        values = rng.normal(0, 1, (count, 1, units)).repeat(case.count, 1)
        constants[name] = values.swapaxes(0, 1) if layout else values
    elif how == "input":
        fed = [case.batch, count, units] if case.layout else [count, case.batch, units]
        inputs[name if layout == case.layout else f"{name}_fed"] = fed
        if layout != case.layout:
            return [node("Transpose", f"{name}_fed", name, perm=[1, 0, 2])]
    elif how == "dense":
        inputs[f"z_{state}"] = [case.batch, 2]
        constants[f"{name}_w"] = rng.normal(0, 1, (2, count * units))
        constants[f"{name}_b"] = rng.normal(0, 1, count * units)
        constants[f"{name}_shape"] = np.array([0, count, units])
        last = name if layout else f"{name}_turned"
        return [
            node("Gemm", f"z_{state} {name}_w {name}_b", f"{name}_flat"),
            node("Reshape", f"{name}_flat {name}_shape", last),
            *([] if layout else [node("Transpose", last, name, perm=[1, 0, 2])]),
        ]
    return []


def check(case: Case, folder: Path) -> Any:
    """Compare a case with onnxruntime, which has layout 0 alone."""
    path = onnx_models.saved(model_of(case, case.layout), folder)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loaded = load_onnx(path)
    left_out = "input" in (case.first_h, case.first_c if case.op == "LSTM" else "")
    assert [warning.category for warning in told] == [UnspoolWarning] * left_out
    expected = model_of(case, 0)
    steps = case.sizes[0]
    feed, fed = {}, {}
    rng = np.random.default_rng(2)
    for value in expected.graph.input:
        shape = [
            dim.dim_value or (steps if dim.dim_param == "time" else 1)
            for dim in value.type.tensor_type.shape.dim
        ]
        feed[value.name] = rng.normal(0, 1, shape).astype(np.float32)
        if value.name.startswith("first"):
            feed[value.name][:] = 0
        else:
            first = value.name != "x" or case.layout
            fed[value.name] = feed[value.name] if first else feed[value.name].swapaxes(0, 1)
    found = onnx_models.answers(loaded, fed)
    outputs = onnx_models.run(expected, feed)
    if left_out and set(case.outputs) > {0} and 0 in case.outputs:
        outputs = {"Y": outputs["Y"]}
    assert set(found) == set(outputs)
    for name, value in outputs.items():
        batch = 0 if case.layout else (2 if name == "Y" else 1)
        shape = [1 if axis == batch else size for axis, size in enumerate(value.shape)]
        shape.remove(1)  # which of several axes of one entry is the batch no one can tell
        wanted = np.moveaxis(value, batch, 0).reshape(case.count, *shape)
        assert found[name].shape == wanted.shape
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-5, err_msg=name)
    return loaded


BASES = {
    "gru": Case(),
    "gru reset before": Case(before=0),
    "lstm": Case("LSTM"),
    "rnn": Case("RNN"),
}
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "reverse": {"direction": "reverse"},
    "both": {"direction": "bidirectional"},
    "batch in front": {"layout": 1},
    "both, batch in front": {"direction": "bidirectional", "layout": 1},
    "no bias": {"bias": False},
    "lengths": {"lengths": True},
    "one step": {"sizes": (1, 3, 4)},
    "one feature": {"sizes": (5, 1, 4)},
    "one unit": {"sizes": (5, 3, 1)},
    "one of all": {"sizes": (1, 1, 1), "direction": "bidirectional"},
    "four": {"batch": 4, "lengths": True},
    "four from a state": {"batch": 4, "first_h": "constant"},
    "open batch": {"batch": "n"},
    "open time": {"open": True},
    "open both": {"open": True, "batch": "n", "direction": "bidirectional"},
    "zeros": {"first_h": "zeros", "first_c": "zeros"},
    "constant": {"first_h": "constant", "first_c": "zeros"},
    "constant both": {"first_h": "constant", "first_c": "constant", "direction": "bidirectional"},
    "input": {"first_h": "input", "first_c": "input"},
    "computed": {"first_h": "dense", "first_c": "dense"},
    "computed both": {"first_h": "dense", "direction": "bidirectional", "layout": 1},
    "computed cell": {"first_c": "dense", "direction": "reverse"},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("base", BASES)
def test_a_node_computes_as_onnxruntime(base: str, change: str, tmp_path: Path) -> None:
    case = replace(BASES[base], **CHANGES[change])
    check(replace(case, outputs=(0, 1, 2) if case.op == "LSTM" else (0, 1)), tmp_path)


SUBSETS = [
    (op, outputs)
    for op, count in (("GRU", 2), ("LSTM", 3))
    for size in range(1, count + 1)
    for outputs in itertools.combinations(range(count), size)
]


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "outputs"), SUBSETS)
def test_any_outputs(op: str, outputs: tuple[int, ...], direction: str, tmp_path: Path) -> None:
    check(Case(op, outputs=outputs, direction=direction), tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 14, 17, 20, 22])
def test_any_opset(opset: int, tmp_path: Path) -> None:
    check(Case("LSTM", "bidirectional", outputs=(0, 1, 2), opset=opset), tmp_path)


ACTIVATIONS: dict[str, tuple[str, tuple[str, ...], tuple[float, ...], tuple[float, ...]]] = {
    "relu": ("RNN", ("Relu",), (), ()),
    "softsign": ("RNN", ("Softsign",), (), ()),
    "softplus": ("RNN", ("Softplus",), (), ()),
    "elu": ("RNN", ("Elu",), (), ()),
    "elu of 0.5": ("RNN", ("Elu",), (0.5,), ()),
    "leaky": ("RNN", ("LeakyRelu",), (), ()),
    "leaky 0.3": ("RNN", ("LeakyRelu",), (0.3,), ()),
    "hard": ("GRU", ("HardSigmoid", "Tanh"), (), ()),
    "hard told": ("GRU", ("HardSigmoid", "Relu"), (0.2,), (0.5,)),
    "hard 1/6": ("LSTM", ("HardSigmoid", "Tanh", "Tanh"), (1 / 6,), (0.5,)),
    "two with numbers": ("GRU", ("HardSigmoid", "LeakyRelu"), (1 / 6, 0.3), (0.5,)),
    "same numbers": ("LSTM", ("Sigmoid", "Elu", "Elu"), (0.5, 0.5), ()),
    "both": ("GRU", ("Sigmoid", "Relu", "HardSigmoid", "Softsign"), (), ()),
    "both with numbers": (
        "GRU",
        ("HardSigmoid", "LeakyRelu", "HardSigmoid", "Elu"),
        (0.2, 0.3, 1 / 6, 0.7),
        (0.5, 0.5),
    ),
    "numbers for the second": ("RNN", ("Tanh", "LeakyRelu"), (0.4,), ()),
    "both lstm": (
        "LSTM",
        ("Sigmoid", "Tanh", "Tanh", "HardSigmoid", "Elu", "Elu"),
        (0.2, 0.5, 0.5),
        (0.5,),
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    op, kinds, alphas, betas = ACTIVATIONS[name]
    direction = "bidirectional" if len(kinds) > KINDS[op] else "forward"
    check(Case(op, direction, activations=kinds, alphas=alphas, betas=betas), tmp_path)


REFUSED: dict[str, tuple[Case, str]] = {
    "clip": (
        Case(more={"clip": 3.0}),
        "has the attribute clip=3, which has no form on the NPU; train without it",
    ),
    "forget": (
        Case("LSTM", more={"input_forget": 1}),
        "has the attribute input_forget=1, which has no form on the NPU; train with a forget gate "
        "of its own",
    ),
    "cell and output": (
        Case("LSTM", activations=("Sigmoid", "Tanh", "Relu")),
        "has the attribute activations=['Sigmoid', 'Tanh', 'Relu']: Tanh for the cell and Relu "
        "for the output have no form on the NPU; train with one for both",
    ),
    "cell and output by numbers": (
        Case("LSTM", activations=("Sigmoid", "Elu", "Elu"), alphas=(0.5, 0.7)),
        "has the attribute activations=['Sigmoid', 'Elu', 'Elu'], of other parameters for the "
        "cell than for the output, which has no form on the NPU; train with one for both",
    ),
    "unknown": (
        Case("RNN", activations=("ScaledTanh",)),
        "has the activation ScaledTanh, which has no form on the NPU; expected one of Sigmoid, "
        "Tanh, Relu, Softsign, Softplus, HardSigmoid, LeakyRelu, Elu",
    ),
    "hard sigmoid": (
        Case("GRU", activations=("HardSigmoid", "Tanh"), alphas=(0.3,)),
        "is a HardSigmoid of alpha=0.3 and beta=0.5, which has no form on the NPU; expected 1/6 "
        "or 0.2, and 0.5",
    ),
    "too few": (
        Case("GRU", "bidirectional", activations=("Sigmoid", "Tanh")),
        "has 2 activations; expected 4",
    ),
    "direction": (
        Case(more={"direction": "sideways"}),
        "has the attribute direction='sideways'; expected forward, reverse or bidirectional",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    case, line = REFUSED[name]
    path = onnx_models.saved(model_of(case, 0), tmp_path)
    with pytest.raises(UnspoolError) as caught:
        load_onnx(path)
    assert str(caught.value) == f"node 'the_{case.op.lower()}': its {case.op} {line}"


def _with_input(case: Case, position: int, values: np.ndarray) -> Any:
    """A case's model with one more input of its node, a constant."""
    model = model_of(case, 0)
    cell = next(n for n in model.graph.node if n.op_type == case.op)
    cell.input.extend([""] * (position + 1 - len(cell.input)))
    cell.input[position] = "more"
    model.graph.initializer.append(onnx_models.onnx.numpy_helper.from_array(values, "more"))
    return model


INPUTS: dict[str, tuple[Case, int, np.ndarray, str]] = {
    "peepholes": (
        Case("LSTM"),
        7,
        np.ones((1, 12), np.float32),
        "has peepholes, which have no form on the NPU; train without them",
    ),
    "lengths": (
        Case(),
        4,
        np.array([3], np.int32),
        "is given sequences of 3 of 5 steps; export it for full ones",
    ),
    "one of the lengths": (
        Case(batch=2),
        4,
        np.array([5, 3], np.int32),
        "is given sequences of 3 of 5 steps; export it for full ones",
    ),
    "states": (
        Case(batch=2),
        5,
        np.arange(8, dtype=np.float32).reshape(1, 2, 4),
        "starts each sequence of a batch in another state; expected one",
    ),
    "state of another size": (
        Case(),
        5,
        np.ones((1, 1, 3), np.float32),
        "has a first state of (1, 1, 3); expected 4 units in 1 direction",
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_refused_inputs(name: str, tmp_path: Path) -> None:
    case, position, values, line = INPUTS[name]
    path = onnx_models.saved(_with_input(case, position, values), tmp_path)
    with pytest.raises(UnspoolError) as caught:
        load_onnx(path)
    assert str(caught.value) == f"node 'the_{case.op.lower()}': its {case.op} {line}"


def test_peepholes_of_zero_are_none(tmp_path: Path) -> None:
    model = _with_input(Case("LSTM"), 7, np.zeros((1, 12), np.float32))
    onnx_models.check(model, tmp_path, batch=1)


@st.composite
def cases(draw: Any) -> Case:
    op = draw(st.sampled_from(sorted(GATES)))
    states = st.sampled_from(["absent", "zeros", "constant", "input", "dense"])
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    kinds = draw(st.lists(st.sampled_from(["Tanh", "Relu", "Softsign", "Elu"]), max_size=2))
    usual = {"GRU": ("Sigmoid",), "LSTM": ("HardSigmoid",), "RNN": ()}[op]
    told = [(*usual, kind) if op != "LSTM" else (*usual, kind, kind) for kind in kinds]
    both = direction == "bidirectional"
    outputs = draw(st.sets(st.integers(0, 2 if op == "LSTM" else 1), min_size=1))
    layout = draw(st.integers(0, 1))
    return Case(
        op,
        direction,
        layout=layout,
        before=draw(st.integers(0, 1)),
        bias=draw(st.booleans()),
        activations=sum(told[: 1 + both], ()) if len(told) >= 1 + both else (),
        first_h=draw(states),
        first_c=draw(states),
        lengths=draw(st.booleans()),
        outputs=tuple(sorted(outputs)),
        opset=draw(st.sampled_from([14, 17, 20, 22] if layout else [7, 11, 13, 14, 22])),
        sizes=draw(st.tuples(*[st.integers(1, 4)] * 3)),
        batch=draw(st.sampled_from([1, 4, "n"])),
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(cases())
def test_random_nodes(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    check(case, tmp_path_factory.mktemp("model"))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(cases())
def test_many_random_nodes(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    check(case, tmp_path_factory.mktemp("model"))
