"""ATen's functions of one value that are several of ONNX's nodes, or have limits of their own."""

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.torch.aten_layers import Translate
from unspool.frontend.torch.program import Call
from unspool.frontend.torch.translation import Translation


def _clip(call: Call, to: Translation) -> None:
    hard = call.target == "hardtanh"
    low = call.get("min_val", -1.0) if hard else call.get("min")
    high = call.get("max_val", 1.0) if hard else call.get("max")
    bounds = ["" if value is None else to.constant(np.float32(value)) for value in (low, high)]
    to.add("Clip", [call["self"].name, *bounds], call.outputs[0])


def _relu6(call: Call, to: Translation) -> None:
    bounds = [to.constant(np.float32(value)) for value in (0, 6)]
    to.add("Clip", [call["self"].name, *bounds], call.outputs[0])


def _inverse_root(call: Call, to: Translation) -> None:
    to.add("Reciprocal", [to.add("Sqrt", [call["self"].name])], call.outputs[0])


def _softplus(call: Call, to: Translation) -> None:
    if call.get("beta", 1) != 1:
        raise UnspoolError(f"has beta={call['beta']}; expected 1")
    if call.get("threshold", 20) < _LINEAR:
        raise UnspoolError(f"has threshold={call['threshold']:g}; expected {_LINEAR} or more")
    to.add("Softplus", [call["self"].name], call.outputs[0])


_LINEAR = 10  # from here on, the curve is x but for 5e-5


def _elu(call: Call, to: Translation) -> None:
    """`scale * x` above zero, `scale * alpha * (exp(input_scale * x) - 1)` below."""
    alpha, scale, inner = (call.get(name, 1.0) for name in ("alpha", "scale", "input_scale"))
    if inner <= 0:
        raise UnspoolError(f"has input_scale={inner:g}; expected more than 0")
    if inner == 1 and np.allclose((alpha, scale), _OF_SELU, rtol=1e-5):
        to.add("Selu", [call["self"].name], call.outputs[0])
        return
    x = call["self"].name
    if inner != 1:
        x = to.add("Mul", [x, to.constant(np.float32(inner))])
    factor = scale / inner
    y = to.add("Elu", [x], call.outputs[0] if factor == 1 else "", alpha=alpha * inner)
    if factor != 1:
        to.add("Mul", [y, to.constant(np.float32(factor))], call.outputs[0])


_OF_SELU = 1.6732632, 1.0507010


def _hard_sigmoid(call: Call, to: Translation) -> None:
    to.add("HardSigmoid", [call["self"].name], call.outputs[0], alpha=1 / 6, beta=0.5)


TRANSLATIONS: dict[str, Translate] = {
    "clamp": _clip,
    "clamp_max": _clip,
    "clamp_min": _clip,
    "elu": _elu,
    "hardsigmoid": _hard_sigmoid,
    "hardtanh": _clip,
    "relu6": _relu6,
    "rsqrt": _inverse_root,
    "softplus": _softplus,
}
"""Such functions -> what writes a call of one."""
