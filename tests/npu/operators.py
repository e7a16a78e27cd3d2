"""One operator at a time, with random shapes and quantization, put into a Graph.

`INT8` and `INT16` name those that TensorFlow Lite Micro has and that Vela places on an Ethos-U55.
Scales have 12 significant bits, kernels' 10; where equal bytes need more than that, the operator
says so. `big` asks for a size that networks have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from models import TENSOR_TYPES, Graph, options

_SCALES = {"int8": (0.002, 0.3), "int16": (1e-5, 1e-3)}
FIXED = {
    ("TANH", "int8"): (1 / 128, 0),
    ("TANH", "int16"): (1 / 32768, 0),
    ("LOGISTIC", "int8"): (1 / 256, -128),
    ("LOGISTIC", "int16"): (1 / 32768, 0),
}
Quantization = tuple[float, int]
Shape = tuple[int, ...]


@dataclass
class Maker:
    """A graph in the making and the random numbers that it is made of."""

    graph: Graph
    rng: np.random.Generator
    dtype: str
    big: bool

    def scale(self, low: float, high: float, bits: int = 12) -> float:
        """A random scale of so many significant bits."""
        return rounded(math.exp(self.rng.uniform(math.log(low), math.log(high))), bits)

    def zero(self) -> int:
        """A random zero point."""
        return int(self.rng.integers(-128, 128)) if self.dtype == "int8" else 0

    def quantization(self) -> Quantization:
        """A random quantization of an activation."""
        return self.scale(*_SCALES[self.dtype]), self.zero()

    def shape(self) -> Shape:
        """(1, height, width, channels)."""
        if self.big:
            return 1, 28, 28, 40
        height, width = (int(n) for n in self.rng.integers(2, 9, 2))
        return 1, height, width, int(self.rng.choice([1, 3, 8, 16, 17, 33]))

    def input(self, shape: Shape, quantization: Quantization) -> int:
        """A network input."""
        return self.graph.input(shape, *quantization, self.dtype)

    def output(self, shape: Shape, quantization: Quantization) -> int:
        """A network output."""
        return self.graph.output(shape, *quantization, self.dtype)

    def numbers(self, values: Any) -> int:
        """A constant of int32 numbers, such as axes."""
        array = np.array(values)
        return self.graph.tensor(array.shape, dtype="int32", data=array)

    def biases(self, scale: float, kernels: list[float]) -> int:
        """Random biases; one scale per channel where there are several kernel scales."""
        wide = self.dtype == "int16"
        values = self.rng.integers(-5000, 5000, len(kernels)) * (100 if wide else 1)
        return self.graph.tensor(
            (len(kernels),), [scale * s for s in kernels], 0, "int64" if wide else "int32", values
        )

    def weighted(self, scale: float, kernel: float, taps: int) -> Quantization:
        """An output quantization that a sum of products fills."""
        return rounded(scale * kernel * 80 * math.sqrt(taps)), self.zero()


def rounded(scale: float, bits: int = 12) -> float:
    """The next scale of so many significant bits."""
    fraction, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(fraction * (1 << bits)) / (1 << bits), exponent)


def inputs(graph: Graph, rng: np.random.Generator, samples: int) -> list[np.ndarray]:
    """Random samples, of the whole range of each input's type."""
    names = {value: key for key, value in TENSOR_TYPES.items()}
    arrays = []
    for number in graph.inputs:
        tensor = graph.tensors[number]
        limits, shape = np.iinfo(names[tensor.type]), tuple(int(n) for n in tensor.shape)
        sample = shape[1:] if shape[0] == 1 else shape
        arrays.append(
            rng.integers(limits.min, limits.max, (samples, *sample), endpoint=True).astype(
                names[tensor.type]
            )
        )
    return arrays


def _binary(name: str) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        shape, a, b = m.shape(), m.quantization(), m.quantization()
        small = tuple(1 if m.rng.random() < 0.3 else n for n in shape)
        kind = "MaximumMinimum" if name in ("MAXIMUM", "MINIMUM") else name.title().replace("_", "")
        out = rounded(max(a[0], b[0]) * float(m.rng.uniform(0.7, 2.5))), m.zero()
        if name == "MUL":  # a power of two times the product: the quotient is exact
            out = math.ldexp(a[0] * b[0], 5 if m.dtype == "int8" else 13), m.zero()
        elif name == "SQUARED_DIFFERENCE":
            out = rounded(max(a[0], b[0]) ** 2 * (200 if m.dtype == "int8" else 40000)), m.zero()
        elif kind == "MaximumMinimum":  # Vela's condition
            b = out = a
        chosen = options(f"{kind}Options")
        if hasattr(chosen, "fusedActivationFunction"):
            chosen.fusedActivationFunction = int(m.rng.choice([0, 0, 1, 3]))
        pair = [m.input(shape, a), m.input(small, b)]
        m.graph.op(name, pair[:: int(m.rng.choice([-1, 1]))], m.output(shape, out), chosen)

    return make


def _unary(name: str, option: str = "", same: bool = False, **values: Any) -> Callable[..., None]:
    def make(m: Maker) -> None:
        shape, a = m.shape(), m.quantization()
        out = FIXED.get((name, m.dtype), (rounded(a[0] * float(m.rng.uniform(0.7, 2.5))), m.zero()))
        chosen = options(option, **values) if option else None
        m.graph.op(name, [m.input(shape, a)], m.output(shape, a if same else out), chosen)

    return make


def _rsqrt(m: Maker) -> None:
    shape, scale = m.shape(), m.quantization()[0]
    # Above zero only: a square first, as in a layer normalization.
    m.graph.op(
        "RSQRT",
        [_positive(m, shape, scale)],
        m.output(shape, (rounded(1 / math.sqrt(scale) / 120), m.zero())),
    )


def _positive(m: Maker, shape: Shape, scale: float) -> int:
    clamped = m.graph.tensor(shape, scale, -128, m.dtype)
    one = m.graph.tensor((1, 1, 1, 1), scale, -128, m.dtype, np.full((1, 1, 1, 1), -127))
    x = m.input(shape, (scale, -128))
    return m.graph.op("MAXIMUM", [x, one], clamped, options("MaximumMinimumOptions"))


def _prelu(m: Maker) -> None:
    shape, a = m.shape(), m.quantization()
    values = m.rng.integers(-127, 128, (1, 1, shape[3]))
    slopes = m.graph.tensor((1, 1, shape[3]), 1 / 128, 0, m.dtype, values)
    m.graph.op("PRELU", [m.input(shape, a), slopes], m.output(shape, a))


def _softmax(m: Maker) -> None:
    shape = (1, 28, 10) if m.big else (int(m.rng.integers(1, 4)), int(m.rng.integers(2, 101)))
    x = m.input(shape, (m.scale(0.005, 0.5), m.zero()))
    out = m.output(shape, FIXED["LOGISTIC", m.dtype])
    m.graph.op("SOFTMAX", [x], out, options("SoftmaxOptions", beta=1.0))


def _quantize(to: str) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        shape, (scale, zero) = m.shape(), m.quantization()
        factor = {"int8int16": 1 / 256, "int16int8": 256.0}.get(m.dtype + to, 1.3)
        x, out = m.input(shape, (scale, zero)), rounded(scale * factor)
        target = m.graph.output(shape, out, m.zero() if to == "int8" else 0, to)
        m.graph.op("QUANTIZE", [x], target, options("QuantizeOptions"))

    return make


ELEMENTWISE: dict[str, Callable[[Maker], None]] = {
    **{name: _binary(name) for name in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")},
    "SQUARED_DIFFERENCE": _binary("SQUARED_DIFFERENCE"),
    "ABS": _unary("ABS", "AbsOptions"),
    "TANH": _unary("TANH"),
    "LOGISTIC": _unary("LOGISTIC"),
    "RELU": _unary("RELU", same=True),
    "RELU6": _unary("RELU6", same=True),
    "LEAKY_RELU": _unary("LEAKY_RELU", "LeakyReluOptions", same=True, alpha=0.3),
    "HARD_SWISH": _unary("HARD_SWISH"),
    "ELU": _unary("ELU", same=True),
    "RSQRT": _rsqrt,
    "PRELU": _prelu,
    "SOFTMAX": _softmax,
    "QUANTIZE to int8": _quantize("int8"),
    "QUANTIZE to int16": _quantize("int16"),
}
