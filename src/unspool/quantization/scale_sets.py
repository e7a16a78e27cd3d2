"""What the scale of each set of tied tensors depends on, and how fine it may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unspool.quantization import curves
from unspool.quantization.multipliers import May, is_no_power_of_two, rounded_up, rounds_clearly
from unspool.quantization.ranges import LEVELS, SMALLEST_WIDTH, ZERO, Range
from unspool.quantization.ties import TABLES, WEIGHTED, Ties
from unspool.tflite.flatbuffer import Operator

_FINEST = {"int8": 2.0**-17, "int16": 2.0**-12}  # TFLM: 2^-19 and 2^-14
"""A sum's scale as a part of its addends': where they cancel out, as `h - c` of a GRU that has come
to rest, what is left is less than any level of theirs, and TFLM's kernels stop the process."""

_FINEST_TABLE = 2.0**-26
"""Of what tanh and sigmoid read: below 2^-27, TFLM's kernels shift by a negative number of bits and
give the ends of their range."""

_OVERFLOWING = 2.0**30, 2.0**32
"""From 2^31 to 2^32, Vela's integer for a scale overflows, and the NPU computes something else;
from 2^32 on it leaves the operator to the CPU. The first has room for rounding up."""

FIXED = {
    "int8": {"TANH": Range(-1.0, 127 / 128), "LOGISTIC": Range(0.0, 255 / 256)},
    "int16": {"TANH": Range(2**-15 - 1.0, 1.0 - 2**-15), "LOGISTIC": Range(0.0, 1.0 - 2**-15)},
}
"""Ranges that LiteRT fixes: in int8 tanh has the scale 1/128 and sigmoid 1/256, in int16 both have
1/32768."""


def range_of(values: np.ndarray) -> Range:
    """The range of some values, with 0 in it."""
    return ZERO | Range(float(values.min()), float(values.max()))


def factor_scale(values: np.ndarray, activations: str) -> float:
    """The scale of a constant that activations are multiplied by."""
    return rounded_up(_scale(range_of(values), activations))


def _scale(range_: Range, activations: str) -> float:
    """The scale of a range that holds 0; int16 is symmetric."""
    if activations == "int8":
        return max(range_.width, SMALLEST_WIDTH) / LEVELS["int8"]
    return 2 * max(-range_.minimum, range_.maximum, SMALLEST_WIDTH) / LEVELS["int16"]


@dataclass(frozen=True)
class Sets:
    """What the scales of sets of tied tensors depend on; a set is known by its root.

    Attributes:
        ties: of the activations.
        wanted: set -> its smallest scale.
        fixed: sets whose scale LiteRT fixes.
        by_table: sets that are read by a table.
        with_kernels: sets that are multiplied by a kernel.
        products: set -> operands of the multiplications that write it: two tensors each, or one
            where it is only rescaled.
        elus: sets that an ELU writes, from a table: where its input is positive, it is rescaled.
        factors: constant -> its scale.
        activations: "int8" or "int16".
    """

    ties: Ties
    wanted: Mapping[str, float]
    fixed: frozenset[str]
    by_table: frozenset[str]
    with_kernels: frozenset[str]
    products: Mapping[str, Sequence[tuple[str, ...]]]
    elus: frozenset[str]
    factors: Mapping[str, float]
    activations: str

    def may(self, root: str) -> May:
        """Which scales a set may have."""
        if self.activations == "int16":
            return is_no_power_of_two
        return rounds_clearly if root in self.by_table else lambda scale: True


def sets_of(
    operators: Sequence[Operator],
    ties: Ties,
    whole: Mapping[str, Range],
    factors: Mapping[str, np.ndarray],
    holding: set[str],
    activations: str,
) -> Sets:
    """What the scales of a model's activations depend on.

    Args:
        operators: of the float model.
        ties: of its activations.
        whole: set -> its range.
        factors: constants that activations are multiplied by.
        holding: tensors that are masks.
        activations: "int8" or "int16".
    """
    products: dict[str, list[tuple[str, ...]]] = {}
    for op in operators:
        if op.kind in ("MUL", "RELU", "ELU") and holding.isdisjoint(op.inputs):
            products.setdefault(ties[op.outputs[0]], []).append(op.inputs)
    wanted = {root: _scale(range_, activations) for root, range_ in whole.items()}
    read = [(op.kind, name) for op in operators for name in op.inputs[:1] if name in ties]
    by_table = frozenset(ties[name] for kind, name in read if kind in TABLES)
    wanted |= {root: max(wanted[root], _FINEST_TABLE) for root in by_table}
    below, end = _OVERFLOWING
    wanted |= {root: end for root, scale in wanted.items() if below <= scale < end}
    fixed = holding | {op.outputs[0] for op in operators if op.kind in FIXED[activations]}
    _tell_biases_apart(operators, ties, wanted)
    _coarsen_sums(operators, ties, wanted, _FINEST[activations])
    return Sets(
        ties=ties,
        wanted=wanted,
        fixed=frozenset(ties[name] for name in fixed if name in ties),
        by_table=by_table,
        with_kernels=frozenset(
            ties[name] for kind, name in read if kind in (*WEIGHTED, curves.KIND)
        ),
        products=products,
        elus=frozenset(ties[op.outputs[0]] for op in operators if op.kind == "ELU"),
        factors={name: factor_scale(values, activations) for name, values in factors.items()},
        activations=activations,
    )


def _tell_biases_apart(operators: Sequence[Operator], ties: Ties, wanted: dict[str, float]) -> None:
    """Give operators with one kernel but several biases outputs of different scales.

    Vela stores a bias with its kernel's multiplier: it would give all of them the first one's.
    Where the outputs are tied, the inputs get different scales: in a first step, the bias of the
    Dense that gives the initial state may be folded into the one behind it.
    """
    biases: dict[str, dict[tuple[str, ...], str]] = {}
    for op in operators:
        if op.kind in WEIGHTED:
            others = biases.setdefault(op.inputs[1], {})
            output = ties[op.outputs[0]]
            if op.inputs[2:] not in others:
                is_tied = output in others.values() and op.inputs[0] in ties
                wanted[ties[op.inputs[0]] if is_tied else output] *= 1 + len(others) * 2.0**-9
                others[op.inputs[2:]] = output


def _coarsen_sums(
    operators: Sequence[Operator], ties: Ties, wanted: dict[str, float], finest: float
) -> None:
    """Keep the scales of sums from being much finer than those of their addends."""
    for op in operators:
        if op.kind in ("ADD", "SUB"):
            addends = [wanted[ties[name]] for name in op.inputs if name in ties]
            root = ties[op.outputs[0]]
            wanted[root] = max(wanted[root], finest * max(addends, default=0.0))
