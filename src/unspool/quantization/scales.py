"""Ranges -> exact scales, one for each set of tied tensors, with which Vela and TFLM agree.

`multipliers` says which scales these are, `kernels` chooses those of the kernels.
"""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from unspool.quantization import kernels, masking
from unspool.quantization.kernels import Statistics
from unspool.quantization.multipliers import (
    Floats,
    free,
    has_no_halves,
    product,
)
from unspool.quantization.ranges import LEVELS, ZERO, Range
from unspool.quantization.scale_sets import FIXED, Sets, factor_scale, range_of, sets_of
from unspool.quantization.ties import Ties, necessary
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Operator
from unspool.tflite.roles import roles


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
    # Whole numbers, such as ids, have no range.
    operators = [op for op in flatbuffer.graph_operators(model) if op.outputs[0] in ranges]
    ties = _tied(model, ranges)
    whole = {root: _union(ranges[name] for name in tie) for root, tie in ties.sets().items()}
    whole |= {
        ties[op.outputs[0]]: FIXED[activations][op.kind]
        for op in operators
        if op.kind in FIXED[activations]
    }
    holding = masking.masks(model)
    whole |= {ties[name]: masking.WHOLE[activations] for name in holding if name in ties}
    factors = _factors(model, operators, ties)
    scales = _scales(sets_of(operators, ties, whole, factors, holding, activations))
    chosen = {name: _exact(whole[ties[name]], scales[ties[name]], activations) for name in ranges}
    for name, values in factors.items():
        exact = _exact(range_of(values), factor_scale(values, activations), activations)
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


def _scales(sets: Sets) -> dict[str, float]:
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
