"""Where a model's layers come from: the nodes of the file that it was read from, and which part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from unspool.tflite.marks import Cut


@dataclass(frozen=True)
class Origin:
    """A node of an .onnx or a .pt2 file, and what it became.

    Attributes:
        node: its name in the file, or that of its first output where it has none; the name of an
            output of the file where layers only put its axes in order.
        op: its operator, "Gemm" or "aten.linear"; "output" for an output.
        layers: names of the Keras layers and functions that it became; none where it is constant,
            moves values alone, or is left out. Several nodes may have become one layer.
        note: how, where that is not all: that it is a part of a layer, or why there is none.
    """

    node: str
    op: str
    layers: tuple[str, ...] = ()
    note: str = ""


_CUTS: WeakKeyDictionary[Any, Cut] = WeakKeyDictionary()
_ORIGINS: WeakKeyDictionary[Any, tuple[Origin, ...]] = WeakKeyDictionary()


def origins(model: Any) -> tuple[Origin, ...]:
    """The nodes of the file that `load` read a model from, each once, in the file's order.

    Of an If, those of the branch that was taken stand in front of it. What each layer comes to, by
    its name, says `inspect`.

    Args:
        model: what `load` returned for an .onnx or a .pt2 file.

    Returns:
        nothing for any other model, a copy of such a one among them.

    Example:
        >>> unspool.origins(model)
        ()
    """
    return _ORIGINS.get(model, ())


def keep(model: Any, nodes: Sequence[Origin]) -> None:
    """Remember the nodes that a model was made of, as long as it lives."""
    _ORIGINS[model] = tuple(nodes)


def cut(model: Any) -> Cut | None:
    """Which part of its file a model is; None for a whole one."""
    return _CUTS.get(model)


def keep_cut(model: Any, start: str, stop: str, fixed_inputs: Mapping[str, float]) -> None:
    """Remember which part of its file a model is, as long as it lives; `Cut` says what is what."""
    _CUTS[model] = Cut(start, stop, tuple(fixed_inputs.items()))
