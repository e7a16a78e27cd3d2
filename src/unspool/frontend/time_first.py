"""Sequences whose time steps are not in front, as PyTorch's convolutions take them: brought there.

Such a model begins with a Permute, or with a Reshape around an axis of one entry, and may end so.
A stream comes step by step, so that what moves the steps to the front has no form in it: it is done
to the data instead, and named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.frontend import structure
from unspool.frontend.graph import admitted, calls, functional, readers
from unspool.frontend.inference_form import with_loss
from unspool.support._tensorflow import keras
from unspool.support.samples import Samples


@dataclass(frozen=True)
class Move:
    """How an array (samples, ...) is turned.

    Attributes:
        order: of its axes.
        shape: without samples, once they are in that order; None where a length is open.
    """

    order: tuple[int, ...]
    shape: tuple[int | None, ...]

    def of(self, array: np.ndarray) -> np.ndarray:
        """The array turned; one of fewer axes stays as it is."""
        if array.ndim != len(self.order):
            return array
        sizes = (-1 if size is None else size for size in self.shape)
        return array.transpose(self.order).reshape(len(array), *sizes)


@dataclass(frozen=True)
class TimeFirst:
    """A model without what moves time at its ends.

    Attributes:
        model: it has the layers, and the weights, of the one that it was made of.
        inputs: what is done to an array (samples, ...) of each input; None where nothing is.
        outputs: the same for each output.
        notes: what changed, for people; none where nothing did.
    """

    model: Any
    inputs: tuple[Move | None, ...]
    outputs: tuple[Move | None, ...]
    notes: tuple[str, ...]

    def samples(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples for the model, of those for the one that it was made of."""
        return [_moved(*each) for each in zip(arrays, self.inputs, strict=True)]

    def labels(self, labels: Samples) -> Any:
        """Labels, those of the only output or by its name; of fewer axes, they stay as they are."""
        if not isinstance(labels, Mapping):
            return _moved(np.asarray(labels), self.outputs[0])
        return {name: self.labels_of(name, array) for name, array in labels.items()}

    def labels_of(self, output: str, labels: np.ndarray) -> np.ndarray:
        """Labels of the output of a name."""
        moves = dict(zip(structure.output_names(self.model), self.outputs, strict=True))
        return _moved(labels, moves.get(output))


def as_it_is(model: Any) -> TimeFirst:
    """The model itself, and its data."""
    return TimeFirst(model, (None,) * len(model.inputs), (None,) * len(model.outputs), ())


def time_first(model: Any) -> TimeFirst:
    """The model, without what alone reads an input, or gives an output, and moves its time."""
    whole = functional(model)
    first = [_behind(whole, tensor) for tensor in whole.inputs]
    last = [_before(whole, tensor) for tensor in whole.outputs]
    behind = {id(layer) for layers in first for layer in layers}
    before = {id(layer): layer for layer in last if layer is not None}
    inputs = tuple(_into(layers[0]) if layers else None for layers in first)
    outputs = tuple(None if layer is None else _out_of(layer) for layer in last)
    if not behind and not before:
        return as_it_is(model)
    new_inputs = [
        keras.Input(
            batch_shape=(tensor.shape[0], *(move.shape if move else tensor.shape[1:])),
            dtype=tensor.dtype,
            name=tensor.name,
        )
        for tensor, move in zip(whole.inputs, inputs, strict=True)
    ]

    def instead(layer: Any) -> Any:
        if id(layer) in before:
            return keras.layers.Identity(name=layer.name)  # outputs are named by it
        return _same if id(layer) in behind else layer

    results = whole._run_through_graph(admitted(new_inputs), operation_fn=instead)
    pack = keras.tree.pack_sequence_as
    new_model = keras.Model(
        pack(whole._inputs_struct, new_inputs),
        pack(whole._outputs_struct, keras.tree.flatten(results)),
        name=model.name,
    )
    inner = [(f"input {tensor.name!r}", tensor) for tensor in whole.inputs]
    outer = zip(structure.output_names(model), whole.outputs, strict=True)
    ends = [*inner, *((f"output {name!r}", tensor) for name, tensor in outer)]
    notes = (
        f"{what}: its time steps come first, {move.shape} in place of {tuple(tensor.shape[1:])}"
        for (what, tensor), move in zip(ends, (*inputs, *outputs), strict=True)
        if move
    )
    return TimeFirst(with_loss(new_model, model), inputs, outputs, tuple(notes))


def _behind(model: Any, tensor: Any) -> list[Any]:
    """The layers that read an input, all alike, and move its time; none where others read it.

    Nor is there one where the model gives it out as it is.
    """
    layers = [node.operation for node in readers(model, tensor)]
    alike = {(type(layer), _into(layer)) for layer in layers if _moves_time(model, layer)}
    is_given = any(tensor is output for output in model.outputs)
    is_moved = all(_moves_time(model, each) for each in layers) and not is_given
    return layers if len(alike) == 1 and is_moved else []


def _before(model: Any, tensor: Any) -> Any:
    """The layer that gives an output, and moves its time, or None."""
    layer = tensor._keras_history.operation
    return layer if _moves_time(model, layer) and not readers(model, tensor) else None


def _moves_time(model: Any, layer: Any) -> bool:
    """Whether a layer moves the first axis behind the samples, and nothing else.

    It is a Permute, of which others are of a frame, or a Reshape around axes of one entry.
    """
    if not isinstance(layer, keras.layers.Permute | keras.layers.Reshape):
        return False
    if len(calls(model, layer)) != 1:
        return False
    if isinstance(layer, keras.layers.Permute):
        return bool(layer.dims[0] != 1)
    before, after = layer.input.shape[1:], layer.output.shape[1:]
    long = [[size for size in shape if size != 1] for shape in (before, after)]
    return long[0] == long[1] and 1 in (before[0], after[0])


def _into(layer: Any) -> Move:
    """What a layer does."""
    rank = len(layer.input.shape)
    dims = layer.dims if isinstance(layer, keras.layers.Permute) else range(1, rank)
    return Move((0, *dims), tuple(layer.output.shape[1:]))


def _out_of(layer: Any) -> Move:
    """What takes back what a layer does."""
    rank = len(layer.output.shape)
    is_permute = isinstance(layer, keras.layers.Permute)
    order = (np.argsort(layer.dims) + 1).tolist() if is_permute else range(1, rank)
    return Move((0, *order), tuple(layer.input.shape[1:]))


def _same(x: Any, **_: Any) -> Any:
    return x


def _moved(array: np.ndarray, move: Move | None) -> np.ndarray:
    return move.of(array) if move else array
