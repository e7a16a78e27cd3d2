"""Activations, arithmetic and Softmax."""

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, behind_gru, of_channels, one, plus, turned, w

_PLAIN = {
    op: one(op)
    for op in (
        "Abs", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish",
        "LeakyRelu", "Neg", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sin", "Softplus",
        "Softsign", "Tanh", "Softmax", "Identity",
    )
}  # fmt: skip


def two(op: str, left: str, right: str, **constants: np.ndarray) -> Form:
    """A node of x, (1, 3, 5), and a constant or two."""
    return Form([node(op, f"{left} {right}", "y")], (1, 3, 5), constants)


def turned_two(op: str) -> Form:
    """A node of a GRU's outputs and of what they become with their axes in another order."""
    return of_channels(
        node("Transpose", "steps", "b", perm=[1, 0, 2]), node("MatMul", "b w", "m"),
        node("Transpose", "m", "t", perm=[0, 2, 1]), node(op, "t c", "y"), w=w(4, 4),
    )  # fmt: skip


FORMS = {
    **_PLAIN,
    **{f"{op} turned": turned_two(op) for op in ("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean")},
    "Gelu": one("Gelu", opset=20),
    "Gelu by tanh": one("Gelu", opset=20, approximate="tanh"),
    "Mish": one("Mish", opset=18),
    "Elu 0.5": one("Elu", alpha=0.5),
    "Celu 0.5": one("Celu", alpha=0.5),
    "LeakyRelu 0.3": one("LeakyRelu", alpha=0.3),
    "HardSigmoid told": one("HardSigmoid", alpha=0.2, beta=0.5),
    "Swish": one("Swish", opset=24),
    "HardSigmoid 1/6": one("HardSigmoid", alpha=1 / 6),
    "HardSigmoid 0.3": one("HardSigmoid", alpha=0.3, beta=0.4),
    "Selu told": one("Selu", alpha=1.67326, gamma=1.0507),
    "PRelu": one("PRelu", plus(1)),
    "PRelu below zero": one("PRelu", -plus(1)),
    "PRelu channels": one("PRelu", w(3, 1)),
    "PRelu last": one("PRelu", w(5)),
    "PRelu all": one("PRelu", w(3, 5)),
    "PRelu image": one("PRelu", w(3, 1, 1), shape=(1, 3, 4, 5)),
    "PRelu turned": turned([0, 2, 1], "PRelu", w(3)),
    "PRelu behind": of_channels(node("PRelu", "c a", "y"), a=w(4, 1)),
    "PRelu one channel": one("PRelu", w(1, 1), shape=(1, 1, 5)),
    "Softmax 11": one("Softmax", shape=(1, 5), opset=11),
    "Softmax 11 last": one("Softmax", axis=2, opset=11),
    "Softmax 11 over one": one("Softmax", shape=(1, 1, 5), opset=11),
    "Softmax 13 middle": one("Softmax", axis=1),
    "Softmax 13 first of more": one("Softmax", axis=1, shape=(1, 3, 4, 5)),
    "Softmax turned": turned([0, 2, 1], "Softmax", axis=1),
    "Softmax behind": of_channels(node("Softmax", "c", "y", axis=1)),
    "Softmax of steps": of_channels(node("Softmax", "c", "y", axis=2)),
    "Clip 6": one("Clip", np.float32(0), np.float32(6)),
    "Clip": one("Clip", np.float32(-0.5), np.float32(0.7)),
    "Clip low": one("Clip", np.float32(-0.5)),
    "Clip zero": one("Clip", np.float32(0)),
    "Clip high": one("Clip", None, np.float32(0.5)),
    "Clip none": one("Clip"),
    "Clip 6 attributes": one("Clip", opset=10, min=0.0, max=6.0),
    "Clip high attribute": one("Clip", opset=10, max=0.5),
    "Sqrt": Form([node("Abs", "x", "a"), node("Sqrt", "a", "y")]),
    "Log": Form([node("Exp", "x", "a"), node("Log", "a", "y")]),
    "Pow 2": one("Pow", np.float32(2)),
    "Pow 2 whole": one("Pow", np.array(2)),
    "Pow 3": one("Pow", np.float32(3)),
    "Pow of a row": Form(
        [node("Abs", "x", "a"), node("Pow", "a e", "y")], constants={"e": plus(5)}
    ),
    "Pow deep": one("Pow", np.full((1, 1, 1, 1), 2, np.float32)),
    "Pow of a constant": two("Pow", "a", "x", a=plus(5)),
    "Pow of two": Form(
        [node("Abs", "x", "a"), node("Pow", "a z", "y")], more={"z": (1, 3, 5)}
    ),
    "Add scalar": one("Add", np.float32(0.5)),
    "Add row": one("Add", w(5)),
    "Add column": one("Add", w(3, 1)),
    "Add matrix": one("Add", w(3, 5)),
    "Add whole": one("Add", w(1, 3, 5)),
    "Add deeper": one("Add", w(1, 1, 3, 5)),
    "Add deep scalar": Form(
        [node("Add", "x c", "t"), node("Transpose", "t", "y", perm=[0, 1, 3, 2])],
        constants={"c": w(1, 1, 1, 1)},
    ),
    "Add wider": one("Add", w(4, 5), shape=(1, 1, 5)),
    "Add over all": one("Add", w(2, 3), shape=(1, 1, 1)),
    "Sub from a row": two("Sub", "c", "x", c=w(5)),
    "Sub from a scalar": two("Sub", "c", "x", c=w(1)),
    "Div by a row": two("Div", "x", "c", c=plus(5)),
    "Div a column": Form(
        [node("Exp", "x", "e"), node("Div", "c e", "y")], constants={"c": w(3, 1)}
    ),
    "Mul column turned": turned([0, 2, 1], "Mul", w(5, 1)),
    "Mul row behind": behind_gru(node("Mul", "g c", "y"), c=w(4)),
    "Mul steps behind": behind_gru(node("Mul", "g c", "y"), c=w(5, 1, 1, 1)),
    "Mul new axis behind": behind_gru(node("Mul", "g c", "y"), c=w(3, 1, 1)),
    "Add of ranks": Form([node("Add", "x z", "y")], (1, 2, 3, 5), more={"z": (1, 3, 5)}),
    "Add of a state": behind_gru(
        node("Transpose", "g", "t", perm=[2, 1, 3, 0]), node("ReduceMean", "t", "m", axes=[3]),
        node("Add", "m t", "y"),
    ),
    "Outer": Form([node("Mul", "x z", "y")], (1, 3, 1), more={"z": (1, 1, 5)}),
    "Max of three": Form(
        [node("Max", "a b x", "y")], constants={"a": w(5), "b": w(3, 1, seed=1)}
    ),
    "Sum of one": one("Sum"),
    "Mean of three": Form(
        [node("Mean", "x c z", "y")], constants={"c": w(5)}, more={"z": (1, 3, 5)}
    ),
    "Min of a constant": one("Min", w(3, 1)),
    "Mul with itself": Form([node("Mul", "x x", "y")]),
    "Cast": one("Cast", to=1),
    "Cast to whole": Form([node("Cast", "x", "i", to=7), node("Cast", "i", "y", to=1)]),
    "Cast of ids": Form(
        [node("Cast", "x", "f", to=1), node("Div", "f c", "y")], (1, 6), {"c": np.float32(4)},
        dtype="int64",
    ),
    "Dropout": one("Dropout"),
    "Dropout 11": one("Dropout", opset=11, ratio=0.3),
    "Dropout 13": one("Dropout", np.float32(0.3), np.array(False)),
}  # fmt: skip
