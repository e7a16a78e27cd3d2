"""What the builder of a node may look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.constant_samples import as_sample
from unspool.frontend.onnx.graph import Graph, Node, is_open
from unspool.frontend.onnx.values import Value
from unspool.support._tensorflow import keras

Given: TypeAlias = Value | np.ndarray


@dataclass
class Scope:
    """What a node's builder may look at.

    Attributes:
        graph: that is built.
        values: name -> what was built so far, or a constant.
        read: for each recurrent node, which outputs are read in the end; empty when not known.
        lengths: inputs that give the lengths of sequences.
        masks: these -> the masks in their place.
        samples: constants that are read as samples -> what they became.
    """

    graph: Graph
    values: dict[str, Given]
    read: Mapping[str, frozenset[int]] = field(default_factory=dict)
    lengths: frozenset[str] = frozenset()
    masks: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, Value] = field(default_factory=dict)

    def given(self, node: Node, position: int, attribute: str = "") -> np.ndarray | None:
        """A constant that older versions of ONNX have as an attribute, newer ones as an input.

        Raises:
            UnspoolError: it is computed.
        """
        name = node.reads(position)
        if not name:
            value = node.attributes.get(attribute)
            return None if value is None else np.asarray(value)
        value = self.values[name]
        if isinstance(value, Value):
            raise UnspoolError(f"takes {name!r} as it is computed; expected a constant")
        return value

    def needs(self, node: Node, position: int) -> np.ndarray:
        """A constant input.

        Raises:
            UnspoolError: it is computed.
        """
        value = self.given(node, position)
        if value is None:
            raise UnspoolError(f"lacks its input {position}")
        return value

    def mask(self, name: str, steps: int) -> Any:
        """The mask of sequences of so many steps, (None, steps), whose lengths an input gives.

        Raises:
            UnspoolError: the input is none, or gives those of sequences of other steps, too.
        """
        if name not in self.lengths:
            raise UnspoolError(f"takes lengths {name!r} that are computed; expected an input")
        if is_open(self.graph):
            raise UnspoolError(
                f"takes lengths {name!r} of sequences of an open length; give it (`time_steps`)"
            )
        if name not in self.masks:
            self.masks[name] = keras.Input((steps,), dtype="bool", name=input_name(name))
        if self.masks[name].shape[1] != steps:
            raise UnspoolError(
                f"takes lengths {name!r} of {steps} steps, which are others' of "
                f"{self.masks[name].shape[1]}; expected inputs of their own"
            )
        return self.masks[name]

    def value(self, node: Node, position: int = 0) -> Value:
        """An input as a value that depends on a sample.

        Raises:
            UnspoolError: it is constant, and none of numbers for a batch of one.
        """
        return self.sample(node.inputs[position])

    def sample(self, name: str) -> Value:
        """`value`, by its name; what a constant becomes is there for others, too."""
        value = self.values[name]
        if isinstance(value, Value):
            return value
        known = (each.tensor for each in self.values.values() if isinstance(each, Value))
        like = next((tensor for tensor in known if tensor.dtype == "float32"), None)
        if like is None or self.graph.frames or value.dtype.kind != "f" or not value.ndim:
            raise UnspoolError(
                f"reads the constant {name!r} as a sample; let it read what depends on an input"
            )
        if name not in self.samples:
            self.samples[name] = as_sample(value, like)
        return self.samples[name]


Build: TypeAlias = Callable[[Node, Scope], Sequence[Value] | Value]


def input_name(name: str) -> str:
    """The name of an input as Keras takes it."""
    return name.replace("/", "_").strip("_") or "input"
