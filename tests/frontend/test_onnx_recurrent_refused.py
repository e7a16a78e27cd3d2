"""Recurrent nodes that have no form, and the line that says so."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx_cells import Case, model_of

from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx

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
        "has the activation 'ScaledTanh', which has no form on the NPU; expected one of Sigmoid, "
        "Tanh, Relu, Softsign, Softplus, HardSigmoid, LeakyRelu, Elu",
    ),
    "hard sigmoid": (
        Case("LSTM", activations=("Sigmoid", "HardSigmoid", "HardSigmoid"), alphas=(0.3, 0.3)),
        "has a HardSigmoid of alpha=0.3 and beta=0.5 for its output, which has no form on the NPU; "
        "expected 1/6 and 0.5 there",
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
    "one of the lengths": (
        Case(batch=2),
        4,
        np.array([5, 3], np.int32),
        "is given sequences of 3, 5 steps at once; expected one length, or an input that gives it",
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
