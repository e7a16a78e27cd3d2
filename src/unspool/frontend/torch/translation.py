"""A graph of ONNX's nodes while it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unspool.frontend.onnx.graph import Node
from unspool.frontend.torch.constants import COMPUTED, MOVED, computed


@dataclass
class Translation:
    """Nodes and constants so far.

    Attributes:
        constants: name -> value.
        shapes: name -> the shape that a tensor of the program has in its example.
        nodes: in their order; each has the name of the module that it was written in.
        module: of the call that is translated.
        between: first output of a call -> the values that were written for it.
        read: what calls read, and what the program gives out.
    """

    constants: dict[str, np.ndarray]
    shapes: Mapping[str, tuple[int, ...]]
    nodes: list[Node] = field(default_factory=list)
    module: str = ""
    between: dict[str, tuple[str, ...]] = field(default_factory=dict)
    read: frozenset[str] = frozenset()

    def add(self, op: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Write a node of one output; returns the output's name."""
        name = output or f"value_{len(self.nodes)}_{len(self.constants)}"
        known = op in MOVED or op in COMPUTED
        if known and all(source in self.constants for source in inputs):
            self.constants[name] = computed(op, [self.constants[n] for n in inputs], attributes)
            return name
        self.nodes.append(Node(op, self.module, tuple(inputs), (name,), attributes))
        return name

    def several(
        self, op: str, inputs: list[str], count: int, attributes: dict[str, Any]
    ) -> list[str]:
        """Write a node of several outputs; returns their names."""
        names = tuple(f"value_{len(self.nodes)}_{n}" for n in range(count))
        self.nodes.append(Node(op, self.module, tuple(inputs), names, attributes))
        return list(names)

    def constant(self, value: Any) -> str:
        """Keep a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def piece(self, name: str, axis: int, start: int, count: int) -> str:
        """Entries of one axis, of a constant at once."""
        if name in self.constants:
            index = [slice(None)] * axis + [slice(start, start + count)]
            return self.constant(self.constants[name][tuple(index)])
        bounds = [self.constant(np.array([n], np.int64)) for n in (start, start + count, axis)]
        return self.add("Slice", [name, *bounds])
