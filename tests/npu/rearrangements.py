"""Operators that move elements and compute nothing; see `operators`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from models import options
from operators import Maker, Shape


def _pad(name: str) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        shape, a = m.shape(), m.quantization()
        most = (1, 3, 3, 1 if name == "MIRROR_PAD" else 3)
        if name == "MIRROR_PAD":
            most = (1, min(3, shape[1]), min(3, shape[2]), 1)
        pads = [[int(n) for n in m.rng.integers(0, high, 2)] for high in most]
        padded = tuple(n + sum(pad) for n, pad in zip(shape, pads, strict=True))
        given = [m.input(shape, a), m.numbers(pads)]
        chosen = {"PAD": "PadOptions", "PADV2": "PadV2Options"}.get(name)
        if name == "PADV2":
            given.append(m.graph.tensor((1,), *a, m.dtype, np.array([5])))
        out = m.output(padded, a)
        how = options(chosen) if chosen else options("MirrorPadOptions", mode=0)
        m.graph.op(name, given, out, how)

    return make


def _bounds(m: Maker, shape: Shape) -> tuple[list[int], list[int]]:
    """A random part of a shape: first and last index."""
    first = [int(m.rng.integers(0, n)) for n in shape]
    return first, [int(m.rng.integers(low + 1, n + 1)) for low, n in zip(first, shape, strict=True)]


def _strided_slice(m: Maker) -> None:
    shape, a = m.shape(), m.quantization()
    first, last = _bounds(m, shape)
    steps = [1, int(m.rng.integers(1, 4)), int(m.rng.integers(1, 4)), 1]
    # The height goes away altogether: "shrink".
    last[1], steps[1] = first[1] + 1, 1
    out = tuple(-(-(v - u) // w) for u, v, w in zip(first, last, steps, strict=True))
    given = [m.input(shape, a), *(m.numbers(values) for values in (first, last, steps))]
    chosen = options("StridedSliceOptions", shrinkAxisMask=2)
    m.graph.op("STRIDED_SLICE", given, m.output((out[0], *out[2:]), a), chosen)


def _slice(m: Maker) -> None:
    shape, a = m.shape(), m.quantization()
    first, last = _bounds(m, shape)
    size = [v - u for u, v in zip(first, last, strict=True)]
    given = [m.input(shape, a), m.numbers(first), m.numbers(size)]
    m.graph.op("SLICE", given, m.output(tuple(size), a), options("SliceOptions"))


def _parts(m: Maker, name: str, given: list[int], outputs: list[int], chosen: object) -> None:
    m.graph.op(name, given, outputs[0], chosen)
    m.graph.operators[-1].outputs = outputs


def _split(m: Maker) -> None:
    shape, a, axis = list(m.shape()), m.quantization(), int(m.rng.integers(1, 4))
    whole = tuple(3 * n if i == axis else n for i, n in enumerate(shape))
    outputs = [m.output(tuple(shape), a) for _ in range(3)]
    given = [m.numbers(axis), m.input(whole, a)]
    _parts(m, "SPLIT", given, outputs, options("SplitOptions", numSplits=3))


def _split_v(m: Maker) -> None:
    shape, a, axis = list(m.shape()), m.quantization(), int(m.rng.integers(1, 4))
    sizes = [int(n) for n in m.rng.integers(1, 5, 3)]
    shapes = [tuple(size if i == axis else n for i, n in enumerate(shape)) for size in sizes]
    shape[axis] = sum(sizes)
    given = [m.input(tuple(shape), a), m.numbers(sizes), m.numbers(axis)]
    chosen = options("SplitVOptions", numSplits=3)
    _parts(m, "SPLIT_V", given, [m.output(s, a) for s in shapes], chosen)


def _pack(m: Maker) -> None:
    shape, a, axis = m.shape()[:3], m.quantization(), int(m.rng.integers(1, 4))
    out = (*shape[:axis], 4, *shape[axis:])
    given = [m.input(shape, a) for _ in range(4)]
    m.graph.op("PACK", given, m.output(out, a), options("PackOptions", axis=axis, valuesCount=4))


def _unpack(m: Maker) -> None:
    a, axis = m.quantization(), int(m.rng.integers(1, 3))
    shape = (1, 5, 5, 12)
    outputs = [m.output((*shape[:axis], *shape[axis + 1 :]), a) for _ in range(5)]
    _parts(m, "UNPACK", [m.input(shape, a)], outputs, options("UnpackOptions", axis=axis, num=5))


def _concatenation(m: Maker) -> None:
    shape, a, axis = list(m.shape()), m.quantization(), int(m.rng.integers(1, 4))
    given = []
    for size in m.rng.integers(1, 20, 3):
        shape[axis] = int(size)
        given.append(m.input(tuple(shape), a))
    shape[axis] = sum(int(m.graph.tensors[i].shape[axis]) for i in given)
    chosen = options("ConcatenationOptions", axis=axis)
    m.graph.op("CONCATENATION", given, m.output(tuple(shape), a), chosen)


def _transpose(m: Maker) -> None:
    shape, a = m.shape(), m.quantization()
    order = [0, *(int(n) + 1 for n in m.rng.permutation(3))]
    out = m.output(tuple(shape[i] for i in order), a)
    given = [m.input(shape, a), m.numbers(order)]
    m.graph.op("TRANSPOSE", given, out, options("TransposeOptions"))


def _shapes(name: str) -> Callable[[Maker], None]:
    """RESHAPE, EXPAND_DIMS and SQUEEZE."""

    def make(m: Maker) -> None:
        (_, height, width, deep), a = m.shape(), m.quantization()
        shape: Shape = (1, height, 1, deep)
        if name == "RESHAPE":
            to = [1, height * width, deep]
            given = [m.input((1, height, width, deep), a), m.numbers(to)]
            m.graph.op(name, given, m.output(tuple(to), a), options("ReshapeOptions", newShape=to))
        elif name == "SQUEEZE":
            out = m.output((1, height, deep), a)
            m.graph.op(name, [m.input(shape, a)], out, options("SqueezeOptions", squeezeDims=[2]))
        else:
            given = [m.input((1, height, deep), a), m.numbers([2])]
            m.graph.op(name, given, m.output(shape, a), options("ExpandDimsOptions"))

    return make


REARRANGEMENTS: dict[str, Callable[[Maker], None]] = {
    **{name: _pad(name) for name in ("PAD", "PADV2", "MIRROR_PAD")},
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "PACK": _pack,
    "UNPACK": _unpack,
    "CONCATENATION": _concatenation,
    "TRANSPOSE": _transpose,
    **{name: _shapes(name) for name in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")},
}
