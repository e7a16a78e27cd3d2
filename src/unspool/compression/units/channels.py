"""Channels: the entries of last axes, of tensors and of variables; some of them are one.

A unit of a layer is a channel of its output. Whoever reads the output has a row of its kernel for
that channel; a sum of two outputs makes their channels one. A channel that something outside of the
graph knows by its number, such as a class of the output, is fixed: it cannot be taken out.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Outputs: TypeAlias = list[np.ndarray]
"""The channels of each output of a call."""

Path: TypeAlias = tuple[str | int, ...]
"""Keys of a layer's configuration, from the outside in."""


@dataclass(frozen=True)
class Axis:
    """An axis of a variable.

    Attributes:
        variable: the Keras variable.
        axis: of it, from 0 on.
        channels: of each entry.
        is_read: whether a layer takes these channels in through the variable, as a kernel's rows.
    """

    variable: Any
    axis: int
    channels: np.ndarray
    is_read: bool


@dataclass(frozen=True)
class Width:
    """A number in a layer's configuration: how many channels it makes.

    Attributes:
        layer: of the model, or of a model in it.
        path: of the number in the layer's configuration.
        channels: that it counts.
        is_own: whether the layer computes them, so that they are units of its own.
    """

    layer: Any
    path: Path
    channels: np.ndarray
    is_own: bool


@dataclass
class Channels:
    """The channels of a graph, while it is gone through.

    Attributes:
        axes: (identity of a variable, its axis) -> the axis.
        widths: (identity of a layer, path) -> the width.
        of_tensors: identity of a tensor of the graph -> the channels of its last axis.
    """

    axes: dict[tuple[int, int], Axis] = field(default_factory=dict)
    widths: dict[tuple[int, Path], Width] = field(default_factory=dict)
    of_tensors: dict[int, np.ndarray] = field(default_factory=dict)
    _roots: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    _fixed: dict[int, str] = field(default_factory=dict)

    def new(self, count: int) -> np.ndarray:
        """Channels that are like no other."""
        channels = np.arange(len(self._roots), len(self._roots) + count)
        self._roots = np.concatenate([self._roots, channels])
        return channels

    def fix(self, channels: np.ndarray, reason: str) -> None:
        """None of these can be taken out."""
        self._fixed.update((channel, reason) for channel in channels.tolist())

    def fixed(self, count: int, reason: str) -> np.ndarray:
        """Channels that cannot be taken out."""
        channels = self.new(count)
        self.fix(channels, reason)
        return channels

    def join(self, some: np.ndarray, others: np.ndarray) -> None:
        """Each of some is one with that of others at its place."""
        for a, b in zip(self.roots(some), self.roots(others), strict=True):
            first, second = self._roots[a], self._roots[b]
            if first != second:
                self._roots[self._roots == max(first, second)] = min(first, second)

    def roots(self, channels: np.ndarray) -> np.ndarray:
        """One number for all channels that are one."""
        roots: np.ndarray = self._roots[channels]
        return roots

    @property
    def count(self) -> int:
        """How many channels there are."""
        return len(self._roots)

    def why_fixed(self, channels: np.ndarray) -> str:
        """Why one of these, or one that is one with it, cannot be taken out; "" where all can."""
        fixed = np.array(sorted(self._fixed), np.int64)
        matches = fixed[np.isin(self.roots(fixed), self.roots(channels))]
        return self._fixed[int(matches[0])] if len(matches) else ""

    def width(self, layer: Any, path: Path, channels: np.ndarray) -> None:
        """A number in a layer's configuration counts channels that others make."""
        self.widths[id(layer), path] = Width(layer, path, channels, is_own=False)

    def units(self, layer: Any, path: Path, count: int) -> np.ndarray:
        """The channels that a layer computes: the same ones in each of its calls."""
        if (id(layer), path) not in self.widths:
            self.widths[id(layer), path] = Width(layer, path, self.new(count), is_own=True)
        return self.widths[id(layer), path].channels

    def axis(self, variable: Any, axis: int, channels: np.ndarray, is_read: bool = False) -> None:
        """An axis of a variable has these channels, in each call of its layer."""
        key = (id(variable), axis % len(variable.shape))
        if key in self.axes:
            self.join(self.axes[key].channels, channels)
        else:
            self.axes[key] = Axis(variable, key[1], channels, is_read)


@dataclass(frozen=True)
class Tensor:
    """What a layer reads: its shape with the batch, and the channels of its last axis."""

    shape: tuple[int | None, ...]
    channels: np.ndarray


@dataclass(frozen=True)
class Call:
    """A layer's call.

    Attributes:
        layer: that is called, perhaps within another one.
        inputs: the tensors that it reads, without masks.
        shapes: of its outputs.
        owner: the layer of the model that it is, or is within.
        path: of its configuration in the owner's.
        arguments: of the call, where it is a function of Keras's.
    """

    layer: Any
    inputs: tuple[Tensor, ...]
    shapes: tuple[tuple[int | None, ...], ...]
    owner: Any
    path: Path = ()
    arguments: Any = None


def unknown(channels: Channels, call: Call) -> Outputs:
    """All channels that are read or made stay: what is not known of a layer is not guessed."""
    reason = f"{call.owner.name!r}, a {type(call.owner).__name__}, takes them by their place"
    for tensor in call.inputs:
        channels.fix(tensor.channels, reason)
    output_reason = f"{call.owner.name!r}, a {type(call.owner).__name__}, makes them"
    return [channels.fixed(last(shape), output_reason) for shape in call.shapes]


def last(shape: tuple[int | None, ...]) -> int:
    """How many channels a tensor with the batch in its shape has; 0 where that is open."""
    return (shape[-1] or 0) if len(shape) > 1 else 0
