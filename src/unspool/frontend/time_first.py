"""Sequences whose time steps are not in front, as PyTorch's convolutions take them: brought there.

Such a model begins with a Permute, and may end with one. A stream comes step by step, so that what
moves the steps to the front has no form in it: it is done to the data instead, and named.
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
class TimeFirst:
    """A model without the Permutes at its ends.

    Attributes:
        model: it has the layers, and the weights, of the one that it was made of.
        inputs: order of the axes of an array (samples, ...) for each input; as it is where empty.
        outputs: the same for each output.
        notes: what changed, for people; none where nothing did.
    """

    model: Any
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...]

    def samples(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Samples for the model, of those for the one that it was made of."""
        return [_turned(*each) for each in zip(arrays, self.inputs, strict=True)]

    def labels(self, given: Samples) -> Any:
        """Labels, those of the only output or by its name; of fewer axes, they stay as they are."""
        if not isinstance(given, Mapping):
            return _turned(np.asarray(given), self.outputs[0])
        orders = dict(zip(structure.output_names(self.model), self.outputs, strict=True))
        return {name: _turned(array, orders.get(name, ())) for name, array in given.items()}


def time_first(model: Any) -> TimeFirst:
    """The model, the Permutes that alone read an input or give an output left out."""
    whole = functional(model)
    first = [_behind(whole, tensor) for tensor in whole.inputs]
    last = [_before(whole, tensor) for tensor in whole.outputs]
    dropped = {id(layer) for layer in (*(each for f in first for each in f), *last) if layer}
    inputs = tuple((0, *layers[0].dims) if layers else () for layers in first)
    outputs = tuple((0, *(np.argsort(layer.dims) + 1).tolist()) if layer else () for layer in last)
    if not dropped:
        return TimeFirst(model, inputs, outputs, ())
    given = [
        keras.Input(batch_shape=_shape(tensor, order), dtype=tensor.dtype, name=tensor.name)
        for tensor, order in zip(whole.inputs, inputs, strict=True)
    ]
    given_out = {id(layer) for layer in last}
    results = whole._run_through_graph(
        admitted(given),
        operation_fn=lambda layer: (
            layer
            if id(layer) not in dropped
            else keras.layers.Identity(name=layer.name)  # outputs are named by it
            if id(layer) in given_out
            else _same
        ),
    )
    pack = keras.tree.pack_sequence_as
    made = keras.Model(
        pack(whole._inputs_struct, given),
        pack(whole._outputs_struct, keras.tree.flatten(results)),
        name=model.name,
    )
    ends = [
        *((f"input {t.name!r}", t, order) for t, order in zip(whole.inputs, inputs, strict=True)),
        *(
            (f"output {name!r}", tensor, order)
            for name, tensor, order in zip(
                structure.output_names(model), whole.outputs, outputs, strict=True
            )
        ),
    ]
    notes = (
        f"{what}: its time steps come first, {_shape(t, order)[1:]} in place of {_shape(t, ())[1:]}"
        for what, t, order in ends
        if order
    )
    return TimeFirst(with_loss(made, model), inputs, outputs, tuple(notes))


def _behind(model: Any, tensor: Any) -> list[Any]:
    """The Permutes that read an input, all alike; none where something else reads it."""
    layers = [node.operation for node in readers(model, tensor)]
    alike = {layer.dims for layer in layers if isinstance(layer, keras.layers.Permute)}
    once = all(len(calls(model, layer)) == 1 for layer in layers)
    all_are = all(isinstance(layer, keras.layers.Permute) for layer in layers)
    return layers if all_are and once and len(alike) == 1 and _moves_time(layers[0]) else []


def _before(model: Any, tensor: Any) -> Any:
    """The Permute that gives an output, or None."""
    layer = tensor._keras_history.operation
    is_one = isinstance(layer, keras.layers.Permute) and len(calls(model, layer)) == 1
    return layer if is_one and _moves_time(layer) and not readers(model, tensor) else None


def _moves_time(permute: Any) -> bool:
    """Whether it is the first axis behind the samples that is moved; others are of a frame."""
    return bool(permute.dims[0] != 1)


def _shape(tensor: Any, order: Sequence[int]) -> tuple[int | None, ...]:
    return tuple(tensor.shape[axis] for axis in order or range(len(tensor.shape)))


def _same(x: Any, **_: Any) -> Any:
    return x


def _turned(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    return array.transpose(order) if order and array.ndim == len(order) else array
