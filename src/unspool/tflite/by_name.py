"""A model's graph by the names of its tensors."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from unspool.tflite import flatbuffer
from unspool.tflite.names import Steps


class Graph:
    """A model's first graph, by the names of its tensors.

    Attributes:
        names: of the tensors, in their order.
        numbers: tensor -> its place among them.
        copies: tensor that was added -> the one that it is a copy of.
    """

    def __init__(self, model: flatbuffer.Model) -> None:
        """Read the names."""
        self.model = model
        self.graph = model.subgraphs[0]
        self.names = [tensor.name.decode() for tensor in self.graph.tensors]
        self.numbers = {name: index for index, name in enumerate(self.names)}
        self.copies: dict[str, str] = {}

    def inputs(self, op: Any) -> list[str]:
        """What an operator reads; an omitted input is empty."""
        return [self.names[index] if index >= 0 else "" for index in op.inputs]

    def outputs(self, op: Any) -> list[str]:
        """What an operator writes."""
        return [self.names[index] for index in op.outputs]

    def kind(self, op: Any) -> str:
        """What an operator does, by LiteRT's name."""
        return flatbuffer.operator_kind(self.model, op)

    def constant(self, name: str) -> bytes:
        """The values of a constant; nothing for other tensors."""
        return flatbuffer.constant_bytes(self.model, self.numbers[name]) if name else b""

    def named(self, name: str, like: int) -> int:
        """The tensor with a name; where there is none, a copy of another one gets it."""
        if name not in self.numbers:
            tensor = copy(self.graph.tensors[like])
            tensor.name = name.encode()
            self.copies[name] = self.names[like]
            self.numbers[name] = len(self.names)
            self.names.append(name)
            self.graph.tensors.append(tensor)
        return self.numbers[name]

    def by_step(self, layers: Sequence[str]) -> dict[str, dict[int, list[Any]]]:
        """Layer -> step -> its operators, in order."""
        reader = Steps(layers, ())
        operators: dict[str, dict[int, list[Any]]] = {}
        for op in self.graph.operators:
            step = reader.find(self.names[op.outputs[0]])
            if step:
                operators.setdefault(step[0], {}).setdefault(step[1], []).append(op)
        return operators
