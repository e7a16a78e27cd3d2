"""Models that were trained for quantization, or quantized: QuantizeLinear and DequantizeLinear.

Both stand around each tensor that was to be rounded. Unspool quantizes the network itself, in
scales that the NPU computes TFLM's bytes with, and its ranges come from the calibration data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.cells import kept
from unspool.frontend.onnx.graph import Node

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
) -> tuple[tuple[Node, ...], int]:
    """The nodes without the rounding of what is computed, and how many tensors were rounded.

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
            floats.rounded(node)
        elif node.op == "DequantizeLinear" and node.inputs[0] in floats.whole:
            floats.again(node)
        else:
            _check(node, floats.whole)
            floats.keep(node)
    return tuple(floats.nodes), len(floats.whole)


@dataclass
class _Floats:
    """The graph so far.

    Attributes:
        constants: name -> value.
        outputs: of the graph.
        nodes: those that are left.
        same: a value that was rounded, in whole numbers or in floats -> the one that is read now.
        whole: values in whole numbers.
        made: values that nodes compute.
        above: those that are never below zero.
    """

    constants: dict[str, np.ndarray]
    outputs: Sequence[str]
    nodes: list[Node] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    above: set[str] = field(default_factory=set)

    def keep(self, node: Node) -> None:
        """A node that stays."""
        given = tuple(self.same.get(name, name) for name in node.inputs)
        self.nodes.append(replace(node, inputs=given))
        self.made.update(node.outputs)
        if node.op in _ABOVE_ZERO or (node.op in _KEEPS_SIGNS and given[0] in self.above):
            self.above.update(node.outputs)

    def rounded(self, node: Node) -> None:
        """A QuantizeLinear: nothing, or the ReLU that its scale stands for behind another node."""
        out, source = node.outputs[0], self.same.get(node.inputs[0], node.inputs[0])
        self.whole.add(out)
        if (
            source in self.made
            and source not in self.above
            and _starts_at_zero(node, self.constants)
        ):
            self.keep(_relu(node, source, self.constants))
            self.above.add(out)
            source = out
        self.same[out] = source

    def again(self, node: Node) -> None:
        """A DequantizeLinear."""
        (out,), source = node.outputs, self.same[node.inputs[0]]
        self.same[out] = source
        if out in self.outputs:
            self.nodes.append(Node("Identity", node.name, (source,), (out,)))


def _check(node: Node, whole: set[str]) -> None:
    if node.op in ROUNDING or whole.intersection(node.inputs):
        raise UnspoolError(
            f"node {node.name!r}: its {node.op} takes or gives whole numbers; export the model "
            "with QuantizeLinear and DequantizeLinear in pairs, and floats in and out"
        )


def _starts_at_zero(node: Node, constants: Mapping[str, np.ndarray]) -> bool:
    """Whether the smallest whole number means zero: what is below is cut off, as by a ReLU."""
    zero = constants.get(node.reads(2)) if node.reads(2) else np.zeros(1, np.uint8)
    return zero is not None and zero.dtype.kind in "iu" and bool((zero == _limits(zero).min).all())


def _limits(zero: np.ndarray) -> np.iinfo:
    return np.iinfo(zero.dtype)


def _relu(node: Node, source: str, constants: dict[str, np.ndarray]) -> Node:
    """The ReLU, or ReLU6 where the scale ends at six."""
    zero = constants.get(node.reads(2), np.zeros(1, np.uint8))
    end = np.ptp((_limits(zero).min, _limits(zero).max)) * constants[node.inputs[1]]
    if end.size > 1 or abs(end.item() - 6) > 1e-3:
        return Node("Relu", node.name, (source,), node.outputs)
    bounds = (kept(constants, np.array(bound, np.float32)) for bound in (0, 6))
    return Node("Clip", node.name, (source, *bounds), node.outputs)
