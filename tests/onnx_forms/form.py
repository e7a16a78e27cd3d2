"""What a table's entry is, and graphs to put an operator behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx_models import made, node


@dataclass(frozen=True)
class Form:
    """A graph around an operator; its outputs are "y", or as told."""

    nodes: Sequence[Any]
    shape: Sequence[int] = (1, 3, 5)  # of "x"
    constants: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 17
    more: Mapping[str, Sequence[int]] = field(default_factory=dict)  # inputs but x
    outputs: Sequence[str] = ("y",)
    dtype: str = "float32"  # of "x"
    batch: int = 0

    def model(self) -> Any:
        inputs = {"x": self.shape, **self.more}
        return made(self.nodes, inputs, self.outputs, self.constants, self.opset, {"x": self.dtype})


def w(*shape: int, seed: int = 0) -> np.ndarray:
    """Weights."""
    drawn = np.random.default_rng([seed, *shape]).normal(0, 0.7, shape)
    return np.asarray(drawn, np.float32)


def plus(*shape: int, seed: int = 0) -> np.ndarray:
    """Weights above zero."""
    return np.asarray(np.abs(w(*shape, seed=seed)) + 0.3)


def floats(*values: float) -> np.ndarray:
    """Numbers as they stand in a graph."""
    return np.array(values, np.float32)


def one(op: str, *constants: Any, shape: Sequence[int] = (1, 3, 5), **attributes: Any) -> Form:
    """One node that reads x and constants; None leaves an input out."""
    opset, dtype = attributes.pop("opset", 17), attributes.pop("dtype", "float32")
    names = [f"c{n}" if value is not None else "_" for n, value in enumerate(constants)]
    given = {name: value for name, value in zip(names, constants, strict=True) if name != "_"}
    made_of = node(op, " ".join(("x", *names)), "y", **attributes)
    return Form([made_of], shape, given, opset, dtype=dtype)


def turned(perm: Sequence[int], op: str, *constants: Any, **attributes: Any) -> Form:
    """The same behind a Transpose."""
    form = one(op, *constants, **attributes)
    form.nodes[0].input[0] = "turned"
    turn = node("Transpose", "x", "turned", perm=list(perm))
    return Form([turn, *form.nodes], form.shape, form.constants, form.opset)


def behind_gru(*nodes: Any, opset: Any = 17, **constants: Any) -> Form:
    """Nodes that read "g": a GRU's Y, (5 steps, 1 direction, 1, 4 units); x is (5, 1, 3)."""
    weights = {"W": w(1, 12, 3), "R": w(1, 12, 4), "B": w(1, 24)}
    gru = node("GRU", "x W R B", "g", hidden_size=4, linear_before_reset=1)
    return Form([gru, *nodes], (5, 1, 3), {**weights, **constants}, opset, batch=1)


def of_channels(*nodes: Any, opset: int = 17, **constants: Any) -> Form:
    """Nodes that read "c": a GRU's outputs as (1, 4 channels, 5 steps)."""
    axes = [node("Squeeze", "g one", "steps"), node("Transpose", "steps", "c", perm=[1, 2, 0])]
    return behind_gru(*axes, *nodes, opset=opset, one=np.array([1]), **constants)
