"""GRU, LSTM and RNN nodes of every kind, what is around them, and what onnxruntime computes."""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
from onnx_models import node
from versions import OLD_ONNXRUNTIME

from unspool.errors import UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
ALPHAS = {"Elu": 1.0, "LeakyRelu": 0.01}
"""Activation -> its alpha where a node has none."""


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


def _as_read(case: Case) -> Case:
    """The case, its alphas as onnxruntime 1.23 reads those of an RNN: one for each direction.

    It takes 0 where there are none, where ONNX has each activation's own, and the first alpha for
    the first direction whether or not its activation has one. It was mended later.
    """
    if case.op != "RNN" or not OLD_ONNXRUNTIME:
        return case
    case_alphas = iter(case.alphas)
    known = {**ALPHAS, "HardSigmoid": 0.2}
    alphas = (next(case_alphas, known[kind]) if kind in known else 0.0 for kind in case.activations)
    return replace(case, alphas=tuple(alphas))


def check(case: Case, folder: Path) -> Any:
    """Compare a case with onnxruntime, which has layout 0 alone."""
    path = onnx_models.saved(model_of(case, case.layout), folder)
    with warnings.catch_warnings(record=True) as load_warnings:
        warnings.simplefilter("always")
        loaded = load_onnx(path)
    left_out = "input" in (case.first_h, case.first_c if case.op == "LSTM" else "")
    assert [warning.category for warning in load_warnings] == [UnspoolWarning] * left_out
    expected = model_of(_as_read(case), 0)
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
    predictions = onnx_models.answers(loaded, fed)
    outputs = onnx_models.run(expected, feed)
    if left_out and set(case.outputs) > {0} and 0 in case.outputs:
        outputs = {"Y": outputs["Y"]}
    assert set(predictions) == set(outputs)
    for name, value in outputs.items():
        batch = 0 if case.layout else (2 if name == "Y" else 1)
        shape = [1 if axis == batch else size for axis, size in enumerate(value.shape)]
        shape.remove(1)  # which of several axes of one entry is the batch no one can tell
        wanted = np.moveaxis(value, batch, 0).reshape(case.count, *shape)
        assert predictions[name].shape == wanted.shape
        np.testing.assert_allclose(predictions[name], wanted, rtol=1e-5, atol=1e-5, err_msg=name)
    return loaded
