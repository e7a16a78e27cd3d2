"""Recurrent nodes that have no form, and the line that says so."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx_cells import Case, model_of
from onnx_forms.recurrent import REFUSED

from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx


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
