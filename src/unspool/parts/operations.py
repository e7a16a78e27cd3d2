"""A trained model's operations, and the ways in which each may take a sequence.

A loop takes a sequence chunk by chunk, from its beginning or from its end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from unspool.parts.masks import Masked

Form: TypeAlias = Literal["forward", "backward", "last", "whole"]
"""How a part has a tensor: chunk by chunk from the beginning, or from the end; "last": in every
call of a loop, of which the last one counts; "whole": all at once."""

Key: TypeAlias = int
"""Stands for a tensor of the model."""


@dataclass(frozen=True)
class Way:
    """A way in which an operation may take its sequences.

    Attributes:
        takes: the form of its inputs that are sequences.
        gives: the form of its outputs that are sequences.
    """

    takes: Form
    gives: Form


FORWARD, BACKWARD = Way("forward", "forward"), Way("backward", "backward")
LAST, WHOLE = Way("last", "last"), Way("whole", "whole")
TURNED = Way("backward", "forward")  # the first output is of the last time step


@dataclass(frozen=True)
class Operation:
    """A call of a layer or function.

    Attributes:
        name: of the layer.
        inputs: what it reads.
        outputs: what it gives.
        ways: how it may be done; the first ones are preferred.
        call: runs it on symbolic tensors, one for each of `inputs`, read in the order in which
            they are taken; returns one for each of `outputs`.
        states: those of the inputs that a recurrent layer begins with.
    """

    name: str
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    ways: tuple[Way, ...]
    call: Callable[[Sequence[Any]], Sequence[Any]]
    states: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A model as operations.

    Attributes:
        operations: in an order in which they can be run.
        repeated: what each part does by itself where it reads that, by what it gives: what only
            scales an input, or computes little of inputs step by step.
        inputs: the model's.
        outputs: the model's.
        shapes: of every tensor, (batch, ...).
        dtypes: of every tensor.
        timed: the tensors that are sequences.
        masks: the inputs that say which steps are padded; those that are computed from the model's
            inputs are none of `inputs`.
    """

    operations: tuple[Operation, ...]
    repeated: Mapping[Key, Operation]
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    shapes: dict[Key, tuple[int | None, ...]]
    dtypes: dict[Key, str]
    timed: frozenset[Key]
    masks: Masked
