"""ATen's operators that are several of ONNX's."""

from collections.abc import Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.torch.aten_layers import Translate
from unspool.frontend.torch.program import Call, Ref
from unspool.frontend.torch.translation import Translation


def _axes(call: Call, to: Translation, name: str = "dim") -> list[int]:
    """The axes that a reduction goes over, all of them where it does not say."""
    axes, rank = call.get(name), len(to.shapes[call["self"].name])
    listed = [axes] if isinstance(axes, int) else list(axes or range(rank))
    return [axis % rank for axis in listed]


def _number(to: Translation, value: float) -> str:
    return to.constant(np.float32(value))


def _list(to: Translation, values: Sequence[int]) -> str:
    return to.constant(np.array(values, np.int64))


def _square(call: Call, to: Translation) -> None:
    to.add("Mul", [call["self"].name] * 2, call.outputs[0])


def _einsum(call: Call, to: Translation) -> None:
    equation = call["equation"].replace(" ", "")
    to.add("Einsum", [ref.name for ref in call["tensors"]], call.outputs[0], equation=equation)


def _norm(call: Call, to: Translation) -> None:
    order = call.get("ord", 2)
    if order not in (1, 2):
        raise UnspoolError(f"has ord={order:g}; expected 1 or 2")
    axes, keeps = _list(to, _axes(call, to)), int(call.get("keepdim", False))
    op = {1: "ReduceL1", 2: "ReduceL2"}[int(order)]
    to.add(op, [call["self"].name, axes], call.outputs[0], keepdims=keeps)


def _rms_norm(call: Call, to: Translation) -> None:
    """nn.RMSNorm: a row by the root of its mean square."""
    x, shape = call["input"].name, call["normalized_shape"]
    axes = _list(to, range(-len(shape), 0))
    mean = to.add("ReduceMean", [to.add("Mul", [x, x]), axes], keepdims=1)
    epsilon = call.get("eps") or float(np.finfo(np.float32).eps)
    deviation = to.add("Sqrt", [to.add("Add", [mean, _number(to, epsilon)])])
    weight = call.get("weight")
    result = to.add("Div", [x, deviation], "" if weight else call.outputs[0])
    if weight:
        to.add("Mul", [result, weight.name], call.outputs[0])


def _variance(root: bool) -> Translate:
    def translate(call: Call, to: Translation) -> None:
        """By the count of entries less a correction, which is one by default."""
        x, axes = call["self"].name, _axes(call, to)
        count = int(np.prod([to.shapes[x][axis] for axis in axes]))
        less = call.get("correction", int(call.get("unbiased", True)))
        if count <= less:
            raise UnspoolError(f"is of {count} entries; expected more than {less}")
        mean = to.add("ReduceMean", [x, _list(to, axes)], keepdims=1)
        far = to.add("Sub", [x, mean])
        square = to.add("Mul", [far, far])
        keeps = int(call.get("keepdim", False))
        name = to.add("ReduceMean", [square, _list(to, axes)], keepdims=keeps)
        scaled = [name, _number(to, count / (count - less))]
        name = to.add("Mul", scaled, "" if root else call.outputs[0])
        if root:
            to.add("Sqrt", [name], call.outputs[0])

    return translate


def _addcmul(call: Call, to: Translation) -> None:
    product = to.add("Mul", [call["tensor1"].name, call["tensor2"].name])
    if call.get("value", 1) != 1:
        product = to.add("Mul", [product, _number(to, call["value"])])
    to.add("Add", [call["self"].name, product], call.outputs[0])


def _lerp(call: Call, to: Translation) -> None:
    """From one to another, so far as a weight says."""
    start, weight = call["self"].name, call["weight"]
    share = weight.name if isinstance(weight, Ref) else _number(to, weight)
    way = to.add("Mul", [to.add("Sub", [call["end"].name, start]), share])
    to.add("Add", [start, way], call.outputs[0])


def _weight_norm(call: Call, to: Translation) -> None:
    """torch.nn.utils' weight_norm: a direction and a length for each entry of an axis."""
    direction, length = (to.constants.get(call[name].name) for name in ("v", "g"))
    if direction is None or length is None:
        raise UnspoolError("is of what is computed; expected weights")
    others = tuple(n for n in range(direction.ndim) if n != call.get("dim", 0) % direction.ndim)
    norm = np.sqrt(np.square(direction).sum(others, keepdims=True))
    to.constants[call.outputs[0]] = np.asarray(direction * (length / norm), np.float32)


TRANSLATIONS: dict[str, Translate] = {
    "_weight_norm": _weight_norm,
    "addcmul": _addcmul,
    "einsum": _einsum,
    "lerp.Scalar": _lerp,
    "lerp.Tensor": _lerp,
    "linalg_vector_norm": _norm,
    "rms_norm": _rms_norm,
    "square": _square,
    "std.correction": _variance(True),
    "std.dim": _variance(True),
    "var.correction": _variance(False),
    "var.dim": _variance(False),
}
"""Operators -> what writes a call of one."""
