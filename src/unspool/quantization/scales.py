"""Ranges -> exact scales, one for each set of tied tensors, with which Vela and TFLM agree.

`multipliers` says which scales these are, `kernels` chooses those of the kernels.
"""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unspool.quantization import curves, kernels, masking
from unspool.quantization.kernels import Statistics
from unspool.quantization.multipliers import (
    Floats,
    May,
    free,
    has_no_halves,
    is_no_power_of_two,
    product,
    rounded_up,
    rounds_clearly,
)
from unspool.quantization.ranges import LEVELS, SMALLEST_WIDTH, ZERO, Range
from unspool.quantization.ties import TABLES, WEIGHTED, Ties, necessary
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Operator
from unspool.tflite.roles import roles

_FINEST = {"int8": 2.0**-17, "int16": 2.0**-12}  # TFLM: 2^-19 and 2^-14
"""A sum's scale as a part of its addends': where they cancel out, as `h - c` of a GRU that has come
to rest, what is left is less than any level of theirs, and TFLM's kernels stop the process."""

_FINEST_TABLE = 2.0**-26
"""Of what tanh and sigmoid read: below 2^-27, TFLM's kernels shift by a negative number of bits and
give the ends of their range."""

_OVERFLOWING = 2.0**30, 2.0**32
"""From 2^31 to 2^32, Vela's integer for a scale overflows, and the NPU computes something else;
from 2^32 on it leaves the operator to the CPU. The first has room for rounding up."""

_FIXED = {
    "int8": {"TANH": Range(-1.0, 127 / 128), "LOGISTIC": Range(0.0, 255 / 256)},
    "int16": {"TANH": Range(2**-15 - 1.0, 1.0 - 2**-15), "LOGISTIC": Range(0.0, 1.0 - 2**-15)},
}
"""Ranges that LiteRT fixes: in int8 tanh has the scale 1/128 and sigmoid 1/256, in int16 both have
1/32768."""


def statistics(
    model: flatbuffer.Model, ranges: Mapping[str, Range], activations: str
) -> Statistics:
    """Ranges of activations and constants that give these scales.

    Args:
        model: the float model.
        ranges: activation tensor -> chosen range; tensors that are tied have the same.
        activations: "int8" or "int16".

    Returns:
        for every activation, and for kernels and the constant factors of multiplications.
    """
    operators = flatbuffer.graph_operators(model)
    ties = _tied(model, ranges)
    whole = {root: _union(ranges[name] for name in tie) for root, tie in ties.sets().items()}
    whole |= {
        ties[op.outputs[0]]: _FIXED[activations][op.kind]
        for op in operators
        if op.kind in _FIXED[activations]
    }
    holding = masking.masks(model)
    whole |= {ties[name]: masking.WHOLE[activations] for name in holding if name in ties}
    factors = _factors(model, operators, ties)
    scales = _scales(_sets(operators, ties, whole, factors, holding, activations))
    chosen = {name: _exact(whole[ties[name]], scales[ties[name]], activations) for name in ranges}
    for name, values in factors.items():
        exact = _exact(_range_of(values), _factor_scale(values, activations), activations)
        chosen[name] = {key: value.reshape((1,) * values.ndim) for key, value in exact.items()}
    return {**chosen, **kernels.ranges(model, operators, ties, scales)}


def _tied(model: flatbuffer.Model, ranges: Mapping[str, Range]) -> Ties:
    """The necessary ties, and those of tensors of one role for which one range was chosen."""
    tied = necessary(model, ranges)
    role_of = roles(model)
    alike: dict[tuple[str, Range], list[str]] = {}
    for name, range_ in ranges.items():
        alike.setdefault((role_of[name], range_), []).append(name)
    for group in alike.values():
        tied.tie(group)
    return tied


def _union(ranges: Iterable[Range]) -> Range:
    return functools.reduce(operator.or_, ranges, ZERO)


def _range_of(values: np.ndarray) -> Range:
    return ZERO | Range(float(values.min()), float(values.max()))


def _factors(
    model: flatbuffer.Model, operators: Sequence[Operator], ties: Ties
) -> dict[str, np.ndarray]:
    """Constants that activations are multiplied by."""
    return {
        name: values
        for op in operators
        if op.kind == "MUL"
        for name, index in zip(op.inputs, op.indices, strict=True)
        if name not in ties and (values := flatbuffer.constant(model, index)).size
    }


def _factor_scale(values: np.ndarray, activations: str) -> float:
    return rounded_up(_scale(_range_of(values), activations))


def _scale(range_: Range, activations: str) -> float:
    """The scale of a range that holds 0; int16 is symmetric."""
    if activations == "int8":
        return max(range_.width, SMALLEST_WIDTH) / LEVELS["int8"]
    return 2 * max(-range_.minimum, range_.maximum, SMALLEST_WIDTH) / LEVELS["int16"]


@dataclass(frozen=True)
class _Sets:
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


def _sets(
    operators: Sequence[Operator],
    ties: Ties,
    whole: Mapping[str, Range],
    factors: Mapping[str, np.ndarray],
    holding: set[str],
    activations: str,
) -> _Sets:
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
    fixed = holding | {op.outputs[0] for op in operators if op.kind in _FIXED[activations]}
    _tell_biases_apart(operators, ties, wanted)
    _coarsen_sums(operators, ties, wanted, _FINEST[activations])
    return _Sets(
        ties=ties,
        wanted=wanted,
        fixed=frozenset(ties[name] for name in fixed if name in ties),
        by_table=by_table,
        with_kernels=frozenset(
            ties[name] for kind, name in read if kind in (*WEIGHTED, curves.KIND)
        ),
        products=products,
        elus=frozenset(ties[op.outputs[0]] for op in operators if op.kind == "ELU"),
        factors={name: _factor_scale(values, activations) for name, values in factors.items()},
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


def _scales(sets: _Sets) -> dict[str, float]:
    """Set of tied tensors, by its root -> its scale."""
    scales: dict[str, float] = {}
    waiting: set[str] = set()

    def of(name: str) -> float:
        return sets.factors[name] if name in sets.factors else chosen(sets.ties[name])

    def chosen(root: str) -> float:
        if root not in scales:
            scales[root] = choice(root)
        return scales[root]

    def choice(root: str) -> float:
        wanted, may = sets.wanted[root], sets.may(root)
        if root in sets.fixed:
            return wanted
        if root not in sets.products or root in waiting:
            return free(wanted, may)  # a product that depends on itself, as a state may
        waiting.add(root)
        operands = {tuple(map(of, names)) for names in sets.products[root]}
        if root in scales:  # an operand depended on it
            return scales[root]
        all_bits = root not in sets.with_kernels
        if root in sets.elus:
            sources = [names[0] for names in operands if len(names) == 1]
            return product(
                wanted,
                operands,
                all_bits=all_bits,
                may=lambda scale: may(scale) and all(has_no_halves(a, scale) for a in sources),
            )
        return product(wanted, operands, all_bits=all_bits, may=may)

    for root in sets.wanted:
        chosen(root)
    return scales


def _exact(range_: Range, scale: float, activations: str) -> dict[str, Floats]:
    """The range that has exactly this scale, with 0 at one of its levels."""
    if activations == "int8":
        zero = min(max(round(-128 - range_.minimum / scale), -128), 127)
        low, high = (-128 - zero) * scale, (127 - zero) * scale
    else:
        high = scale * LEVELS["int16"] / 2
        low = -high
    return {"min": np.array(low), "max": np.array(high)}
