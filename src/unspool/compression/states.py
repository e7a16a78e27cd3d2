"""States of recurrent layers at every step: a target beside the trained model's outputs.

An output says of a whole sequence what the trained model makes of it; the states say it of every
step, and of each unit that stays. Where few units are left, so that a fine-tuning has far to go,
that is the larger part of what there is to learn from (hints: Romero et al. 2015, "FitNets").
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.compression.distillation import distance_of_tensors
from unspool.compression.trained_loss import copied
from unspool.errors import UnspoolError
from unspool.frontend.graph import functional, nodes
from unspool.support._tensorflow import keras, tf

_OF_CELLS = (keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN, keras.layers.RNN)


class States:
    """The states of a trained model and of its student, of the units that both have.

    Attributes:
        of_trained: a model of the same inputs; gives the trained model's outputs, then its states.
        of_student: the same of the student, with its variables.
    """

    def __init__(
        self, trained: Any, student: Any, places: Sequence[np.ndarray], weight: float
    ) -> None:
        """Find the states of two models of the same layers.

        Args:
            trained: a built Keras model.
            student: the same with fewer units, or as many.
            places: of each of its `recurrent_calls`, the places of the units that the student has.
            weight: of the states' distance, beside that of the outputs.
        """
        # A copy: the layers of the user's own are called nowhere else.
        self.of_trained, self.of_student = _with_states(copied(trained)), _with_states(student)
        self._places, self._weight = list(places), weight
        self._outputs = len(student.outputs)

    def distance(self, right: Any, got: Any) -> Any:
        """How far states are from the trained model's, times their weight; of what both give."""
        pairs = zip(self._places, right[self._outputs :], got[self._outputs :], strict=True)
        far = [distance_of_tensors(_relative, _picked(a, places), b) for places, a, b in pairs]
        return self._weight * tf.add_n(far) / len(far)

    def outputs(self, tensors: Any) -> list[Any]:
        """The outputs alone, of what one of the models gives."""
        return list(tensors[: self._outputs])


def recurrent_calls(model: Any) -> list[Any]:
    """The nodes of a model's graph that call recurrent layers, in order."""
    kinds = keras.layers.RNN | keras.layers.Bidirectional
    return [node for node in nodes(model) if isinstance(node.operation, kinds)]


def check_states(model: Any) -> None:
    """Check that a model has states to compare.

    Raises:
        UnspoolError: no layer of its own is recurrent.
    """
    if not recurrent_calls(model):
        raise UnspoolError(
            f"state distillation: model {model.name!r} has no recurrent layer, but at most models "
            "with some in it; train without it"
        )


def _with_states(model: Any) -> Any:
    """A model's layers, called once more, whose recurrent ones give their states too."""
    whole = functional(model)
    known = {id(tensor): tensor for tensor in whole.inputs}
    calls, states = {id(node) for node in recurrent_calls(model)}, []
    for node in nodes(whole):
        if node.is_input:
            continue
        args, kwargs = node.arguments.fill_in(known)
        if id(node) in calls:
            tensors, every = _of_every_step(node.operation, args, kwargs)
            states.append(every)
        else:
            tensors = keras.tree.flatten(node.operation(*args, **kwargs))
        known.update(zip(map(id, node.outputs), tensors, strict=True))
    outputs = [known[id(output)] for output in whole.outputs]
    return keras.Model(whole._inputs_struct, [*outputs, *states])


def _of_every_step(layer: Any, args: Any, kwargs: Any) -> tuple[list[Any], Any]:
    """What a recurrent layer gives, and at every step; that of images, or both ways, as it is."""
    if type(layer) not in _OF_CELLS or layer.return_sequences:
        outputs = keras.tree.flatten(layer(*args, **kwargs))
        return outputs, outputs[0]
    names = ("go_backwards", "return_state", "zero_output_for_mask")
    options = {name: getattr(layer, name) for name in names}
    every = keras.layers.RNN(layer.cell, return_sequences=True, **options)
    sequence, *last = keras.tree.flatten(every(*args, **kwargs))
    return [sequence[:, -1], *last], sequence


def _picked(tensor: Any, places: np.ndarray) -> Any:
    """Some channels of a tensor, with its mask."""
    picked = tf.gather(tensor, places, axis=-1)
    picked._keras_mask = getattr(tensor, "_keras_mask", None)
    return picked


def _relative(right: Any, got: Any) -> Any:
    """The squared distance, as a share of what the states' squares are on average."""
    size = tf.reduce_mean(tf.square(right)) + keras.backend.epsilon()
    return tf.reduce_mean(tf.square(right - got), axis=-1) / size
