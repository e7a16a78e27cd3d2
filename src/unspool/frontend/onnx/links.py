"""Which node makes a value, and what it makes it of: patterns are looked for in that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np

from unspool.frontend.onnx.graph import Node

Pattern: TypeAlias = Any
"""The name of a value, or an operator and the patterns of its inputs."""


@dataclass(frozen=True)
class Linear:
    """A product with constants: (units, features) and (units,), and the name of its node."""

    name: str
    source: str
    weights: np.ndarray
    bias: np.ndarray


class Links:
    """Which node makes a value, and what it makes it of."""

    def __init__(self, nodes: Sequence[Node], constants: Mapping[str, np.ndarray]) -> None:
        self.makers = {name: node for node in nodes for name in node.outputs}
        self.constants = constants
        self._joined: dict[str, Linear] = {}

    def linear(self, name: str) -> Linear | None:
        """A Gemm, or a MatMul with an Add or without, by constants."""
        if name in self._joined:
            return self._joined[name]
        node = self.makers.get(name)
        if node is None or node.op not in ("Gemm", "MatMul", "Add"):
            return None
        if node.op == "Add":
            for one, other in permutations(node.inputs):
                product, bias = self.makers.get(one), self.constants.get(other)
                inner = self.linear(one) if product and product.op == "MatMul" else None
                if inner is not None and bias is not None and bias.ndim == 1:
                    return replace(inner, bias=bias)
            return None
        weights = self.constants.get(node.inputs[1])
        plain = all(node.attributes.get(key, 1) == 1 for key in ("alpha", "beta"))
        if weights is None or weights.ndim != 2 or not plain or node.attributes.get("transA"):
            return None
        weights = weights if node.attributes.get("transB") else weights.T
        bias = self.constants.get(node.reads(2)) if node.reads(2) else np.zeros(len(weights), "f")
        if bias is None or bias.shape != weights.shape[:1]:
            return None
        return Linear(node.name, node.inputs[0], weights, bias)

    def matches(self, forms: Sequence[tuple[str, Pattern]], bound: dict[str, str]) -> Iterator[Any]:
        """Names of values by those of a form, in each way that it fits."""
        if not forms:
            yield bound
            return
        (name, pattern), *rest = forms
        for binding in self._fits(pattern, bound[name], bound):
            yield from self.matches(rest, binding)

    def _fits(self, pattern: Pattern, name: str, bound: dict[str, str]) -> Iterator[dict[str, str]]:
        if isinstance(pattern, str):
            if bound.get(pattern, name) == name:
                yield {**bound, pattern: name}
            return
        op, *parts = pattern
        node = self.makers.get(name)
        if node is None or node.op != op or len(node.inputs) != len(parts):
            return
        for order in permutations(node.inputs) if op in ("Add", "Mul") else [node.inputs]:
            bindings = [bound]
            for part, source in zip(parts, order, strict=True):
                bindings = [more for one in bindings for more in self._fits(part, source, one)]
            yield from bindings

    def whole(self, names: Sequence[str]) -> str | np.ndarray | None:
        """What is split into values, one after the other; constants as one."""
        if all(name in self.constants for name in names):
            return np.concatenate([self.constants[name] for name in names], -1)
        node = self.makers.get(names[0])
        if node is not None and node.op == "Split" and node.outputs == tuple(names):
            return node.inputs[0]
        return self._sliced([self.makers.get(name) for name in names]) or self._apart(names)

    def _apart(self, names: Sequence[str]) -> str | None:
        """Products of one value, as a product that would be split into them."""
        parts = [product for product in map(self.linear, names) if product is not None]
        alike = {(product.source, product.weights.shape) for product in parts}
        if len(parts) < len(names) or len(alike) != 1:
            return None
        name = ", ".join(names)
        whole = (np.concatenate([getattr(p, key) for p in parts]) for key in ("weights", "bias"))
        self._joined[name] = Linear(parts[0].name, parts[0].source, *whole)
        return name

    def _sliced(self, parts: Sequence[Node | None]) -> str | None:
        """What Slices are parts of, which are as wide and all there are."""
        whole = parts[0].inputs[0] if parts[0] else ""
        size = (self._width(whole) or 0) // len(parts)
        for number, part in enumerate(parts):
            if part is None or part.op != "Slice" or part.inputs[0] != whole or not size:
                return None
            arguments = [self.constants.get(name, np.zeros(0)).ravel() for name in part.inputs[1:]]
            if any(len(one) != 1 for one in arguments) or len(arguments) < 3:
                return None
            start, stop, axis, *step = (int(one[0]) for one in arguments)
            bounds = slice(start, stop, *step).indices(size * len(parts))
            if axis not in (1, -1) or bounds != (number * size, (number + 1) * size, 1):
                return None
        return whole

    def _width(self, name: str) -> int | None:
        """Of a product, or of a sum of two."""
        product, node = self.linear(name), self.makers.get(name)
        if product is None and node is not None and node.op == "Add":
            product = next(filter(None, map(self.linear, node.inputs)), None)
        return len(product.weights) if product else None
