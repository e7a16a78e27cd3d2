"""Models that were trained for quantization, or quantized: QuantizeLinear and DequantizeLinear.

Both stand around each tensor that was to be rounded. Unspool quantizes the network itself, in
scales that the NPU computes TFLM's bytes with: of a pair it keeps the range.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import ml_dtypes
import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.cells import kept
from unspool.frontend.onnx.graph import Node, Rounded

ROUNDING = ("QuantizeLinear", "DequantizeLinear")
"""The operators of a pair."""

_ABOVE_ZERO = ("Abs", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softmax", "Softplus", "Sqrt")
_KEEPS_SIGNS = (
    *("AveragePool", "Concat", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool"),
    *("Identity", "MaxPool", "ReduceMax", "ReduceMean", "Reshape", "Slice", "Split", "Squeeze"),
    *("Transpose", "Unsqueeze"),
)
"""Operators that give nothing below zero, and those that do so where they are given nothing."""


def without_pairs(
    nodes: Sequence[Node], constants: dict[str, np.ndarray], outputs: Sequence[str]
) -> tuple[tuple[Node, ...], dict[str, Rounded]]:
    """The nodes without the rounding of what is computed, and the values that were rounded.

    Weights that are rounded are constants, computed before, and keep their values. A ReLU that a
    quantizer left to the lower end of a tensor's scale is written out again.

    Args:
        nodes: in their order.
        constants: name -> value; some may be added.
        outputs: of the graph.

    Raises:
        UnspoolError: whole numbers go in or out.
    """
    floats = _Floats(constants, outputs)
    for node in nodes:
        if node.op == "QuantizeLinear" and node.outputs[0] not in outputs:
            floats.round(node)
        elif node.op == "DequantizeLinear" and node.inputs[0] in floats.whole:
            floats.dequantize(node)
        elif node.op == "Clip" and _narrowed(node, floats) is not None:
            floats.narrow(node)
        else:
            _check(node, floats.whole)
            floats.keep(node)
    return tuple(floats.nodes), floats.rounded


@dataclass
class _Floats:
    """The graph so far.

    Attributes:
        constants: name -> value.
        outputs: of the graph.
        nodes: those that are left.
        same: a value that was rounded, in whole numbers or in floats -> the one that is read now.
        whole: values in whole numbers -> the smallest and the largest that they may be; None where
            that is not known.
        rounded: values that are read now -> how they were rounded.
        node_outputs: values that nodes compute.
        above: those that are never below zero.
    """

    constants: dict[str, np.ndarray]
    outputs: Sequence[str]
    nodes: list[Node] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    whole: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    rounded: dict[str, Rounded] = field(default_factory=dict)
    node_outputs: set[str] = field(default_factory=set)
    above: set[str] = field(default_factory=set)

    def keep(self, node: Node) -> None:
        """A node that stays."""
        inputs = tuple(self.same.get(name, name) for name in node.inputs)
        self.nodes.append(replace(node, inputs=inputs))
        self.node_outputs.update(node.outputs)
        if node.op in _ABOVE_ZERO or (node.op in _KEEPS_SIGNS and inputs[0] in self.above):
            self.above.update(node.outputs)

    def round(self, node: Node) -> None:
        """A QuantizeLinear: nothing, or the ReLU that its scale stands for behind another node."""
        out, source = node.outputs[0], self.same.get(node.inputs[0], node.inputs[0])
        self.whole[out] = _limits(node, self.constants)
        if source in self.node_outputs and source not in self.above and _starts_at_zero(node, self):
            self.keep(_relu(node, source, self))
            self.above.add(out)
            source = out
        self.same[out] = source
        self.rounded.setdefault(source, Rounded())

    def narrow(self, node: Node) -> None:
        """A Clip of whole numbers: there are fewer of them."""
        self.whole[node.outputs[0]] = _narrowed(node, self)
        self.same[node.outputs[0]] = self.same[node.inputs[0]]

    def dequantize(self, node: Node) -> None:
        """A DequantizeLinear."""
        (out,), source = node.outputs, self.same[node.inputs[0]]
        self.same[out] = source
        before, ends = self.rounded[source], _ends(node, self)
        if before.ends and ends:
            ends = min(before.ends[0], ends[0]), max(before.ends[1], ends[1])
        gives = (*before.gives, *(n for n in (*node.inputs[:1], out) if n != source))
        self.rounded[source] = Rounded(ends or before.ends, gives)
        if out in self.outputs:
            self.nodes.append(Node("Identity", node.name, (source,), (out,)))


def _check(node: Node, whole: Mapping[str, object]) -> None:
    if node.op in ROUNDING or not whole.keys().isdisjoint(node.inputs):
        raise UnspoolError(
            f"node {node.name!r}: its {node.op} takes or gives whole numbers; export the model "
            "with QuantizeLinear and DequantizeLinear in pairs, and floats in and out"
        )


def _limits(node: Node, constants: Mapping[str, np.ndarray]) -> tuple[int, int] | None:
    """The smallest and the largest whole number of a QuantizeLinear; None where it has none."""
    import onnx

    zero = constants.get(node.reads(2))
    if zero is None and node.reads(2):
        return None
    asked = node.attributes.get("output_dtype") or onnx.TensorProto.UINT8
    kind = onnx.helper.tensor_dtype_to_np_dtype(asked) if zero is None else zero.dtype
    try:
        limits = ml_dtypes.iinfo(kind)  # NumPy's does not know those of four bits
    except ValueError:
        return None
    return int(limits.min), int(limits.max)


def _narrowed(node: Node, floats: _Floats) -> tuple[int, int] | None:
    """What a Clip of whole numbers leaves of them; None for one of others."""
    limits = floats.whole.get(node.inputs[0])
    if limits is None:
        return None
    bounds = [floats.constants.get(node.reads(place)) for place in (1, 2)]
    low, high = (
        limit if bound is None else int(bound) for bound, limit in zip(bounds, limits, strict=True)
    )
    return max(low, limits[0]), min(high, limits[1])


def _ends(node: Node, floats: _Floats) -> tuple[float, float] | None:
    """What the smallest and the largest whole number stand for; None for more than one scale."""
    limits, scale = floats.whole[node.inputs[0]], floats.constants.get(node.inputs[1])
    zero = floats.constants.get(node.reads(2), None if node.reads(2) else np.zeros(1))
    if limits is None or scale is None or zero is None or scale.size != 1 or zero.size != 1:
        return None
    low, high = ((limit - float(zero.item())) * float(scale.item()) for limit in limits)
    return (low, high) if -np.inf < low <= 0 <= high < np.inf and low < high else None


def _starts_at_zero(node: Node, floats: _Floats) -> bool:
    """Whether the smallest whole number means zero: what is below is cut off, as by a ReLU."""
    limits = floats.whole[node.outputs[0]]
    zero = floats.constants.get(node.reads(2), np.zeros(1, np.uint8))
    return limits is not None and bool((zero == limits[0]).all())


def _relu(node: Node, source: str, floats: _Floats) -> Node:
    """The ReLU, or ReLU6 where the scale ends at six."""
    end = np.ptp(floats.whole[node.outputs[0]] or 0) * floats.constants[node.inputs[1]]
    if end.size > 1 or abs(end.item() - 6) > 1e-3:
        return Node("Relu", node.name, (source,), node.outputs)
    bounds = (kept(floats.constants, np.array(bound, np.float32)) for bound in (0, 6))
    return Node("Clip", node.name, (source, *bounds), node.outputs)
