"""Scales with which Vela and TFLM derive the same multipliers, so that both give the same bytes.

A fully-connected operator or a convolution scales its sums by `s_in * s_kernel / s_out`, a
multiplication by `s_a * s_b / s_out`. Both are turned into 31-bit multipliers; TFLM computes in
float64, Vela rounds products and the quotient of a multiplication to float32. Where that differs,
one output byte in a million does.

- Activations have scales of 12 significant bits and kernels of 10, so that their product fits the
  24 of float32. It costs a range that is wider by at most 2^-11, and kernels by 2^-9.
- The scale of a multiplication's output is the next one, upwards from the wanted one, with which
  both quotients give the same multiplier: one of 128 does.
- What tanh or sigmoid reads has no power of two as its scale: below 2^-7, two entries of Vela's
  table would then differ from TFLM's.

A kernel's scale is widened where its bias, stored in units of `s_in * s_kernel`, would not fit.
"""

import functools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unspool.quantization.ranges import LEVELS, ZERO, Range
from unspool.quantization.ties import TABLES, WEIGHTED, Ties, necessary
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Operator
from unspool.tflite.roles import roles

BITS = 12
KERNEL_BITS = 10
_PRODUCT_BITS = 14
_FREE_BITS = 24  # of float32, where no kernel is read with this scale
_WIDEST = 2.0  # times the wanted scale: a power of two times the product always fits
_TRIALS = 1 << 14
_BIAS_LIMIT = 2.0**30  # half of int32: the sums of products have the other half
_FINEST = {"int8": 2.0**-17, "int16": 2.0**-12}  # TFLM: 2^-19 and 2^-14
"""A sum's scale as a part of its addends': where they cancel out, as `h - c` of a GRU that has come
to rest, what is left is less than any level of theirs, and TFLM's kernels stop the process."""

_LEAST = 1e-9  # the width of a range that litert-quantizer does not go below

_FIXED = {
    "int8": {"TANH": Range(-1.0, 127 / 128), "LOGISTIC": Range(0.0, 255 / 256)},
    "int16": {"TANH": Range(2**-15 - 1.0, 1.0 - 2**-15), "LOGISTIC": Range(0.0, 1.0 - 2**-15)},
}
"""Range of what LiteRT writes with one scale always; int8: tanh 1/128, sigmoid 1/256, int16: both
1/32768."""

_CHANNELS = {"CONV_2D": (1, 2, 3), "DEPTHWISE_CONV_2D": (0, 1, 2)}
"""Operators with a scale for each output channel -> the axes of a kernel that share one."""

_LAST = ("LOGISTIC", "TANH", "SOFTMAX", "RESHAPE", "RELU", "RELU6")
_UNLIKE = 16.0  # channels of a head, from which on the smallest has fewer than eight levels

Floats = npt.NDArray[np.float64]

Statistics = dict[str, dict[str, Floats]]
"""litert-quantizer's: tensor name -> {"min", "max"}."""


def rounded_up(scale: float, bits: int = BITS) -> float:
    """The next scale of so many significant bits."""
    fraction, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(fraction * (1 << bits)) / (1 << bits), exponent)


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
    factors = _factors(model, operators, ties)
    scales = _scales(_sets(operators, ties, whole, factors, activations))
    chosen = {name: _exact(whole[ties[name]], scales[ties[name]], activations) for name in ranges}
    for name, values in factors.items():
        exact = _exact(_range_of(values), _factor_scale(values, activations), activations)
        chosen[name] = {key: value.reshape((1,) * values.ndim) for key, value in exact.items()}
    return {**chosen, **_kernels(model, operators, ties, scales)}


def unlike_heads(model: flatbuffer.Model) -> frozenset[str]:
    """Outputs of fully-connected operators that get a scale for each channel of their kernel.

    They are the last before an output of the graph, and have channels of so different size that
    with one scale the small ones would be a few levels, or none: a head of several quantities.
    """
    graph = model.subgraphs[0]
    operators = flatbuffer.graph_operators(model)
    last = {graph.tensors[index].name.decode() for index in graph.outputs}
    readers = flatbuffer.readers(operators)
    found = set()
    for op in reversed(operators):
        reading = readers.get(op.outputs[0], [])
        if reading and all(r.kind in _LAST and r.outputs[0] in last for r in reading):
            last.add(op.outputs[0])
        alone = op.kind == "FULLY_CONNECTED" and len(readers[op.inputs[1]]) == 1
        if alone and op.outputs[0] in last:
            kernel = np.abs(flatbuffer.constant(model, op.indices[1]))
            largest = kernel.max(axis=1, initial=0.0) if kernel.size else np.zeros(1)
            some = largest[largest > 0]
            if some.size and some.max() > _UNLIKE * some.min():
                found.add(op.outputs[0])
    return frozenset(found)


def _tied(model: flatbuffer.Model, ranges: Mapping[str, Range]) -> Ties:
    """The ties that have to be, and those of tensors of one role that were given one range."""
    made = necessary(model, ranges)
    role_of = roles(model)
    alike: dict[tuple[str, Range], list[str]] = {}
    for name, range_ in ranges.items():
        alike.setdefault((role_of[name], range_), []).append(name)
    for group in alike.values():
        made.tie(group)
    return made


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
    """Of a range that holds 0; int16 is symmetric."""
    if activations == "int8":
        return max(range_.width, _LEAST) / LEVELS["int8"]
    return 2 * max(-range_.minimum, range_.maximum, _LEAST) / LEVELS["int16"]


@dataclass(frozen=True)
class _Sets:
    """What the scales of sets of tied tensors depend on; a set goes by who stands for it.

    Attributes:
        ties: of the activations.
        wanted: set -> its smallest scale.
        fixed: sets that LiteRT writes with one scale always.
        by_table: sets that are read by a table.
        with_kernels: sets that are multiplied by a kernel.
        products: set -> the scales' owners, two for each multiplication that writes it; one for
            what is only rescaled.
        factors: constant -> its scale.
    """

    ties: Ties
    wanted: Mapping[str, float]
    fixed: frozenset[str]
    by_table: frozenset[str]
    with_kernels: frozenset[str]
    products: Mapping[str, Sequence[tuple[str, ...]]]
    factors: Mapping[str, float]


def _sets(
    operators: Sequence[Operator],
    ties: Ties,
    whole: Mapping[str, Range],
    factors: Mapping[str, np.ndarray],
    activations: str,
) -> _Sets:
    products: dict[str, list[tuple[str, ...]]] = {}
    for op in operators:
        if op.kind in ("MUL", "RELU"):
            products.setdefault(ties[op.outputs[0]], []).append(op.inputs)
    wanted = {root: _scale(range_, activations) for root, range_ in whole.items()}
    _tell_biases_apart(operators, ties, wanted)
    _coarsen_sums(operators, ties, wanted, _FINEST[activations])
    read = [(op.kind, name) for op in operators for name in op.inputs[:1] if name in ties]
    return _Sets(
        ties=ties,
        wanted=wanted,
        fixed=frozenset(ties[op.outputs[0]] for op in operators if op.kind in _FIXED[activations]),
        by_table=frozenset(ties[name] for kind, name in read if kind in TABLES),
        with_kernels=frozenset(ties[name] for kind, name in read if kind in WEIGHTED),
        products=products,
        factors={name: _factor_scale(values, activations) for name, values in factors.items()},
    )


def _tell_biases_apart(operators: Sequence[Operator], ties: Ties, wanted: dict[str, float]) -> None:
    """Give operators with one kernel but several biases outputs of different scales.

    Vela stores a bias with its kernel's multiplier: it would give all of them the first one's.
    """
    biases: dict[str, list[tuple[str, ...]]] = {}
    for op in operators:
        if op.kind in WEIGHTED:
            others = biases.setdefault(op.inputs[1], [])
            if op.inputs[2:] not in others:
                wanted[ties[op.outputs[0]]] *= 1 + len(others) * 2.0**-9
                others.append(op.inputs[2:])


def _coarsen_sums(
    operators: Sequence[Operator], ties: Ties, wanted: dict[str, float], finest: float
) -> None:
    """Keep the scales of sums from being much finer than what they are the sums of."""
    for op in operators:
        if op.kind in ("ADD", "SUB"):
            addends = [wanted[ties[name]] for name in op.inputs if name in ties]
            root = ties[op.outputs[0]]
            wanted[root] = max(wanted[root], finest * max(addends, default=0.0))


def _scales(sets: _Sets) -> dict[str, float]:
    """Set of tied tensors, by who stands for it -> its scale."""
    scales: dict[str, float] = {}
    waiting: set[str] = set()

    def of(name: str) -> float:
        return sets.factors[name] if name in sets.factors else chosen(sets.ties[name])

    def chosen(root: str) -> float:
        if root not in scales:
            scales[root] = choice(root)
        return scales[root]

    def choice(root: str) -> float:
        wanted, by_table = sets.wanted[root], root in sets.by_table
        if root in sets.fixed:
            return wanted
        if root not in sets.products or root in waiting:
            return _free(wanted, by_table)  # a product that depends on itself, as a state may
        waiting.add(root)
        operands = {tuple(map(of, names)) for names in sets.products[root]}
        if root in scales:  # which happened on the way
            return scales[root]
        return _product(wanted, operands, free=root not in sets.with_kernels, by_table=by_table)

    for root in sets.wanted:
        chosen(root)
    return scales


def _free(wanted: float, by_table: bool) -> float:
    """The next scale of 12 bits."""
    scale = rounded_up(wanted)
    if by_table and math.frexp(scale)[0] == 0.5:
        return rounded_up(math.nextafter(scale, math.inf))
    return scale


def _product(
    wanted: float, operands: set[tuple[float, ...]], *, free: bool, by_table: bool
) -> float:
    """The next scale with which Vela and TFLM multiply alike.

    Args:
        wanted: the smallest scale.
        operands: scales of the operands, of every multiplication with this output; one scale of
            what is only rescaled.
        free: no kernel is read with this scale, so that it may have all bits of float32.
        by_table: it is read by a table, so that it may not be a power of two.
    """
    trials = [(_PRODUCT_BITS, 1.1), (_PRODUCT_BITS, _WIDEST)]
    if free:
        trials.insert(1, (_FREE_BITS, 1 + _TRIALS * 2.0**-_FREE_BITS))
    for bits, widest in trials:
        fraction, exponent = math.frexp(wanted)
        first = math.ceil(fraction * (1 << bits))
        steps = np.arange(first, int(first * widest) + 1, dtype=np.float64)
        candidates = np.ldexp(steps, exponent - bits)
        fits = np.frexp(candidates)[0] != 0.5 if by_table else np.ones(len(candidates), bool)
        for scales in operands:
            fits &= alike(*scales, out=candidates)
        if fits.any():
            return float(candidates[np.argmax(fits)])
    return _free(wanted, by_table)  # the simulator will say so where it matters


def alike(a: float, b: float = 1.0, *, out: Floats) -> npt.NDArray[np.bool_]:
    """Whether Vela and TFLM derive the same multiplier for `s_a * s_b / s_out`, per output scale.

    TFLM: `kernels/mul_common.cc`, float64. Vela: float32 throughout.
    """
    exact = a * b / out
    rounded = np.float32(np.float32(a) * np.float32(b)) / out.astype(np.float32)
    same: npt.NDArray[np.bool_] = _multiplier(exact) == _multiplier(rounded.astype(np.float64))
    both: npt.NDArray[np.bool_] = np.logical_and(same[0], same[1])
    return both


def _multiplier(real: Floats) -> Floats:
    """(31-bit multiplier, exponent), as `QuantizeMultiplier` has them; shape (2, count)."""
    fraction, exponent = np.frexp(real)
    return np.stack([np.rint(fraction * (1 << 31)), exponent.astype(np.float64)])


def _exact(range_: Range, scale: float, activations: str) -> dict[str, Floats]:
    """A range with exactly this scale, and with 0 exactly at a level."""
    if activations == "int8":
        zero = min(max(round(-128 - range_.minimum / scale), -128), 127)
        low, high = (-128 - zero) * scale, (127 - zero) * scale
    else:
        high = scale * LEVELS["int16"] / 2
        low = -high
    return {"min": np.array(low), "max": np.array(high)}


def _kernels(
    model: flatbuffer.Model, operators: Sequence[Operator], ties: Ties, scales: Mapping[str, float]
) -> Statistics:
    """Symmetric ranges: one per tensor, of convolutions and unlike heads one per channel."""
    found: dict[str, Floats] = {}
    unlike = unlike_heads(model)
    for op in operators:
        if op.kind not in WEIGHTED:
            continue
        kernel = flatbuffer.constant(model, op.indices[1])
        if not kernel.size:
            continue  # a product of two activations
        name = op.inputs[1]
        axes = (1,) if op.outputs[0] in unlike else _CHANNELS.get(op.kind)
        scale = np.abs(kernel.astype(np.float64)).max(axis=axes, keepdims=True) / 127
        if len(op.indices) > 2 and op.inputs[0] in ties:
            bias = np.abs(flatbuffer.constant(model, op.indices[2]).astype(np.float64))
            least = bias / (scales[ties[op.inputs[0]]] * _BIAS_LIMIT)
            scale = np.maximum(scale, least.max() if axes is None else least.reshape(scale.shape))
        # Steps share a kernel, and may share it with other inputs and biases too.
        found[name] = np.maximum(scale, found.get(name, _LEAST / 127))
    bounds = {
        name: 127 * np.vectorize(lambda value: rounded_up(value, KERNEL_BITS))(scale)
        for name, scale in found.items()
    }
    return {name: {"min": -bound, "max": bound} for name, bound in bounds.items()}
