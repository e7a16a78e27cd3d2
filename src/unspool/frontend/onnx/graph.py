"""A graph of nodes with ONNX's meaning, whatever file it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from unspool.errors import UnspoolError

RECURRENT = ("GRU", "LSTM", "RNN")

MOST = 2**26
"""Entries of a tensor: no network for an NPU has one of more."""

MOST_IN_ALL = 2**27
"""Entries of constants that are computed of others, together."""

_MOST_FED = 2**24
"""Entries of an input: no network for an NPU has more, and numbers up to it are exact."""


@dataclass(frozen=True)
class Node:
    """An operator with its ends.

    Attributes:
        op: as ONNX calls it, such as "Gemm".
        name: of the layer that it becomes; no two nodes have one name.
        inputs: names of values; "" where one is left out.
        outputs: names of values.
        attributes: by ONNX's names: numbers, strings, lists and arrays.
        steps: values of the file, one after the other, that it, or what reads it, makes as one
            sequence instead.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()

    def reads(self, position: int) -> str:
        """The name of an input, "" where it is left out."""
        return self.inputs[position] if position < len(self.inputs) else ""


@dataclass(frozen=True)
class Ends:
    """An input of the graph.

    Attributes:
        name: of the value.
        shape: with a batch of one.
        batch: the axis of the batch; None where its place is taken by frames, and of one sequence
            that the model itself makes a batch of.
        dtype: NumPy's name of its type.
        open: the axis of time where its length is open, and the one in `shape` arbitrary.
    """

    name: str
    shape: tuple[int, ...]
    batch: int | None
    dtype: str
    open: int | None = None

    def __post_init__(self) -> None:
        check_entries(f"input {self.name!r}", self.shape, _MOST_FED)

    @property
    def order(self) -> list[int]:
        """Its axes as Keras has them behind the batch: in their order, but frames in front."""
        axes = [axis for axis in range(len(self.shape)) if axis != self.batch]
        return axes if self.batch is not None else sorted(axes, key=lambda axis: axis != self.open)


@dataclass(frozen=True)
class State:
    """A part of an input that is the first state of a recurrent node.

    Attributes:
        source: the input.
        index: of the part, where the input holds several; else None.
        node: the recurrent node.
        state: "h" or "c".
    """

    source: str
    index: int | None
    node: str
    state: str

    def __str__(self) -> str:
        part = "" if self.index is None else f"[{self.index}]"
        return f"{self.source}{part} -> {self.node}/{self.state}"


@dataclass(frozen=True)
class Listed:
    """A node as the file has it.

    Attributes:
        name: its own, or that of its first output.
        op: its operator, as the file spells it.
        reads: names of values.
        gives: names of values, those among them that were written for it in between.
        note: what is known of it beforehand.
    """

    name: str
    op: str
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Rounded:
    """How a file rounds a value to whole numbers.

    Attributes:
        ends: the smallest and the largest value that they stand for; None where that differs by
            channel, or is not known.
        gives: values of the file that are the rounded one, whole or real.
    """

    ends: tuple[float, float] | None = None
    gives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run, every shape fixed.

    Attributes:
        inputs: what is fed, without states.
        outputs: names of values, without states.
        nodes: none of them reads constants alone.
        constants: name -> value.
        opset: the version of ONNX's operators.
        exported: sizes of the file's example that are others now -> those; constants that are
            shapes may hold them.
        states: what was left out, for sequences start at zero.
        carried: each of the states comes out again, for the next call.
        frames: what the file computes is one step of a stream, and the axis of the batch is that
            of the steps.
        rounded: values that the file rounds to whole numbers, which is left out.
        final: outputs that were left out: final states.
        listed: every node of the file.
    """

    inputs: tuple[Ends, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]
    opset: int
    exported: Mapping[int, int] = field(default_factory=dict)
    states: tuple[State, ...] = ()
    carried: bool = False
    frames: bool = False
    rounded: Mapping[str, Rounded] = field(default_factory=dict)
    final: tuple[str, ...] = ()
    listed: tuple[Listed, ...] = ()


def check_entries(what: str, shape: Sequence[int], most: int = MOST) -> None:
    """Check the size of a tensor, before memory is taken for it.

    Args:
        what: begins the message.
        shape: as a file says it.
        most: entries that it may have.

    Raises:
        UnspoolError: it has more, or a size below zero.
    """
    if min(shape, default=0) < 0:
        raise UnspoolError(f"{what}: a size of {tuple(shape)} is below zero; the file is damaged")
    if prod(shape) > most:
        raise UnspoolError(
            f"{what}: {tuple(shape)} has {prod(shape):,} entries; expected at most {most:,}"
        )


def is_open(graph: Graph) -> bool:
    """Whether the length of the sequence is open."""
    return any(end.open is not None for end in graph.inputs)


def readers(nodes: Sequence[Node]) -> dict[str, list[Node]]:
    """Name of a value -> the nodes that read it."""
    consumers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in dict.fromkeys(node.inputs):
            if name:
                consumers.setdefault(name, []).append(node)
    return consumers


def check_links(graph: Graph) -> None:
    """Check that whatever is read is fed, constant, or computed before.

    Raises:
        UnspoolError: something is not: the file is damaged.
    """
    known = {end.name for end in graph.inputs} | set(graph.constants)
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise UnspoolError(
                    f"node {node.name!r}: reads {name!r}, which nothing computes; the file is "
                    "damaged"
                )
        known.update(node.outputs)
    for name in graph.outputs:
        if name not in known:
            raise UnspoolError(f"output {name!r}: nothing computes it; the file is damaged")


def needed(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[Node, ...]:
    """The nodes that outputs depend on, in their order."""
    wanted, ancestors = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            ancestors.append(node)
    return tuple(reversed(ancestors))
