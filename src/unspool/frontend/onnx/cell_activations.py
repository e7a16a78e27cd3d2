"""Activations of recurrent nodes, by Keras's names.

Keras has a hard sigmoid of one slope, clip(x / 6 + 1/2, 0, 1), and Keras 2 had one of x / 5. ONNX's
clip(alpha x + beta, 0, 1) is Keras's of 6 alpha x + 6 (beta - 1/2), which kernels and biases give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import keras2
from unspool.frontend.onnx.graph import Node
from unspool.support._tensorflow import keras

_NAMES = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Relu": "relu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}

_SLOPES = {"HardSigmoid": 0.2, "LeakyRelu": 0.01, "Elu": 1.0}
"""Activations with a parameter -> what ONNX takes where none is given."""

_USUAL = {"GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "RNN": ("Tanh",)}

_CANDIDATES = {"GRU": (0, 0, 1), "LSTM": (0, 0, 1, 0), "RNN": (0,)}
"""For each of Keras's gates, which of the activations is its."""


@dataclass(frozen=True)
class Activation:
    """An activation of Keras's, of a linear function of what goes in: scale x + shift."""

    keras: Any
    scale: float = 1.0
    shift: float = 0.0


def of_cell(node: Node, direction: int, directions: int) -> tuple[Activation, ...]:
    """The activations of a recurrent node: of the gates, and of the candidate or the only one.

    Args:
        node: the recurrent node.
        direction: 0 forwards or the only one, 1 the second of two.
        directions: how many there are.

    Raises:
        UnspoolError: Keras's layer cannot have them.
    """
    usual = _USUAL[node.op]
    all_kinds = list(node.attributes.get("activations", ())) or list(usual) * directions
    if len(all_kinds) != len(usual) * directions:
        raise UnspoolError(f"has {len(all_kinds)} activations; expected {len(usual) * directions}")
    alphas = list(node.attributes.get("activation_alpha", ()))
    betas = list(node.attributes.get("activation_beta", ()))
    numbers = [_numbers(kind, alphas, betas) for kind in all_kinds]
    mine = slice(direction * len(usual), (direction + 1) * len(usual))
    kinds, parameters = all_kinds[mine], numbers[mine]
    if len(kinds) == 3 and kinds[1] != kinds[2]:
        raise UnspoolError(
            f"has the attribute activations={all_kinds}: {kinds[1]} for the cell and {kinds[2]} "
            "for the output have no form on the NPU; train with one for both"
        )
    if len(kinds) == 3 and parameters[1] != parameters[2]:
        raise UnspoolError(
            f"has the attribute activations={all_kinds}, of other parameters for the cell than for "
            "the output, which has no form on the NPU; train with one for both"
        )
    activations = [_activation(kind, *pair) for kind, pair in zip(kinds, parameters, strict=True)]
    if len(kinds) == 3 and (activations[1].scale, activations[1].shift) != (1, 0):
        alpha, beta = parameters[1]
        raise UnspoolError(
            f"has a HardSigmoid of alpha={alpha:g} and beta={beta:g} for its output, which has no "
            "form on the NPU; expected 1/6 and 0.5 there"
        )
    return tuple(activations[:2])


def settings(activations: Sequence[Activation]) -> dict[str, Any]:
    """Keras's arguments for the activations of a cell."""
    names = ("activation",) if len(activations) == 1 else ("recurrent_activation", "activation")
    return {name: each.keras for name, each in zip(names, activations, strict=True)}


def linear(op: str, activations: Sequence[Activation], units: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift, (gates * units,) each, for what goes into Keras's gates of a cell."""
    gates = [activations[which] for which in _CANDIDATES[op]]
    scale, shift = ([getattr(gate, name) for gate in gates] for name in ("scale", "shift"))
    return np.repeat(scale, units), np.repeat(shift, units)


def _numbers(kind: str, alphas: list[float], betas: list[float]) -> tuple[float, float]:
    """Parameters of an activation; those that have some take them from the front of the lists."""
    if kind in _NAMES:
        return 0.0, 0.0
    if kind not in _SLOPES:
        raise UnspoolError(
            f"has the activation {kind!r}, which has no form on the NPU; expected one of "
            f"{', '.join((*_NAMES, *_SLOPES))}"
        )
    slope = alphas.pop(0) if alphas else _SLOPES[kind]
    return slope, (betas.pop(0) if betas else 0.5) if kind == "HardSigmoid" else 0.0


def _activation(kind: str, slope: float, beta: float) -> Activation:
    if kind in _NAMES:
        return Activation(_NAMES[kind])
    if kind == "HardSigmoid":
        return hard_sigmoid(slope, beta)
    if kind == "Elu" and slope == 1:
        return Activation("elu")
    if kind == "LeakyRelu":
        return Activation(keras.layers.LeakyReLU(negative_slope=slope))
    return Activation(keras.layers.ELU(alpha=slope))


def hard_sigmoid(alpha: float, beta: float) -> Activation:
    """Of ONNX's parameters; as Keras 3 or Keras 2 has it where they are, to five digits, theirs."""
    scale, shift = 6 * alpha, 6 * (beta - 0.5)
    if abs(shift) < 1e-5 and min(abs(scale - 1), abs(scale - 1.2)) < 1e-5:
        return Activation("hard_sigmoid" if scale < 1.1 else keras2.hard_sigmoid)
    return Activation("hard_sigmoid", scale, shift)
