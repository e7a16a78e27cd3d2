"""Reductions: axes as attribute and as input, kept and not."""

from typing import Any

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, behind_gru, of_channels, one, turned

KINDS = ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum",
         "ReduceSumSquare")  # fmt: skip


def axes(op: str, *axis_numbers: int, opset: int = 18, **attributes: Any) -> Form:
    """A reduction with its axes as an input."""
    return one(op, np.array(axis_numbers, np.int64), opset=opset, **attributes)


FORMS = {
    **{f"{op} attribute": one(op, axes=[2], opset=11) for op in KINDS},
    **{f"{op} input": axes(op, 1, keepdims=0) for op in KINDS},
    **{f"{op} turned": turned([0, 2, 1], op, axes=[2], opset=11) for op in KINDS},
    "all": one("ReduceMean", opset=11),
    "all but the batch": axes("ReduceSum", 1, 2, opset=13),
    "all but the batch, gone": axes("ReduceMax", 1, 2, keepdims=0),
    "negative": axes("ReduceSum", -1, opset=13),
    "negative several": one("ReduceMean", axes=[-1, -2], opset=11, keepdims=0, shape=(1, 3, 4, 5)),
    "outer ones": one("ReduceMean", axes=[1, 3], opset=11, keepdims=0, shape=(1, 3, 4, 5)),
    "outer ones kept": one("ReduceMean", axes=[1, 3], opset=11, shape=(1, 3, 4, 5)),
    "unsorted": axes("ReduceMean", 2, 1),
    "batch": axes("ReduceSum", 0, opset=13),
    "one and more": one("ReduceL2", axes=[1, 2], opset=11, shape=(1, 1, 5)),
    "of one": one("ReduceMean", axes=[1], opset=11, shape=(1, 1, 5), keepdims=0),
    "square of one": one("ReduceSumSquare", axes=[1], opset=11, shape=(1, 1, 5)),
    "no axes": one("ReduceSum", np.array([], np.int64), opset=13),
    "no axes, nothing done": one(
        "ReduceSum", np.array([], np.int64), opset=13, noop_with_empty_axes=1
    ),
    "axes left out, nothing done": one("ReduceMean", opset=18, noop_with_empty_axes=1),
    "steps behind": behind_gru(node("ReduceMean", "g", "y", axes=[0], keepdims=0)),
    "units behind": behind_gru(node("ReduceMax", "g", "y", axes=[3])),
    "steps of channels": of_channels(node("ReduceMean", "c", "y", axes=[2], keepdims=0)),
    "channels": of_channels(node("ReduceL1", "c", "y", axes=[1])),
    "a loss": Form(
        [node("Mul", "x x", "q"), node("ReduceSum", "q a", "y", keepdims=0)],
        constants={"a": np.array([1, 2])},
        opset=13,
    ),
}
