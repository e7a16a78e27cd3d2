"""A trained model's graph, rebuilt on new tensors with deploy-time layers in place of its own."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unspool.frontend.structure import REMOVED, functional
from unspool.support._tensorflow import keras, tf
from unspool.tflite.names import valid_scope
from unspool.unrolling import strides
from unspool.unrolling.activations.forms import of_operation
from unspool.unrolling.graph_checks import is_graph
from unspool.unrolling.recurrent.loop import PerStep
from unspool.unrolling.recurrent_layers import DeployLayer, bidirectional, recurrent
from unspool.unrolling.substitutes import Function, activated, added, global_max, substitute


class Scopes:
    """Names that TensorFlow takes, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str) -> str:
        """The wanted name, or a similar one where it is taken or TensorFlow does not allow it."""
        name = valid = valid_scope(wanted)
        number = 2
        while name.lower() in self._taken:  # TensorFlow does not tell upper and lower case apart
            name, number = f"{valid}_{number}", number + 1
        self._taken.add(name.lower())
        return name


@dataclass(frozen=True)
class Rebuilder:
    """Copies the layers of one trained model.

    Attributes:
        unrolled: makes the deploy-time form of a recurrent layer, given the layer and its name.
        scopes: gives the copies their names.
    """

    unrolled: Callable[[Any, str], DeployLayer] = recurrent
    scopes: Scopes = field(default_factory=Scopes)
    _copies: dict[int, DeployLayer] = field(default_factory=dict)

    def replace(self, layer: Any, copy: DeployLayer) -> None:
        """Call `copy` wherever the model calls `layer`."""
        self._copies[id(layer)] = copy

    def rebuild(self, model: Any, inputs: Sequence[Any], prefix: str = "") -> list[Any]:
        """Run a model's graph on new tensors, through deploy-time copies of its layers.

        Args:
            model: the trained model, or one nested in it.
            inputs: new tensors in its inputs' order.
            prefix: of the copies' names: the names of the models around this one.

        Returns:
            new tensors in the order of the model's outputs.
        """

        def copied(layer: Any) -> DeployLayer:
            if id(layer) not in self._copies:  # a layer that is called twice is copied once
                self._copies[id(layer)] = self._copy(layer, prefix)
            return self._copies[id(layer)]

        def call(layer: DeployLayer, *args: Any, **kwargs: Any) -> Any:
            left_out = ("mask", "training")
            return layer(*args, **{key: v for key, v in kwargs.items() if key not in left_out})

        # As keras.models.clone_model, in which a copy could not add inputs of its own.
        graph = functional(model)
        outputs = graph._run_through_graph(list(inputs), operation_fn=copied, call_fn=call)
        return keras.tree.flatten(outputs)  # type: ignore[no-any-return]

    def _copy(self, layer: Any, prefix: str) -> DeployLayer:
        """The function that is called in place of a layer."""
        if is_graph(layer):
            within = f"{prefix}{layer.name}_"
            return lambda *inputs, **_: self.rebuild(layer, keras.tree.flatten(inputs), within)
        if isinstance(layer, REMOVED):
            return lambda tensor, **_: tensor
        name = self.scopes.give(prefix + layer.name)
        if not isinstance(layer, keras.layers.Layer):
            return _operation(layer, name)
        if isinstance(layer, keras.layers.Bidirectional):
            return bidirectional(layer, name)
        if isinstance(layer, keras.layers.RNN):
            return self.unrolled(layer, name)
        if isinstance(layer, keras.layers.TimeDistributed):
            return _time_distributed(layer, name)
        if strides.is_far(layer):
            return strides.in_blocks(layer, name)
        return substitute(layer, name) or _clone(layer, name)


def alone(tensors: Sequence[Any]) -> Any:
    """The only tensor of a list of one, so that Keras takes and returns a tensor, not a list."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


def _operation(operation: Any, name: str) -> DeployLayer:
    """A copy of a `keras.ops` function, which has no weights."""
    copied = copy(operation)
    copied.name, copied._inbound_nodes, copied._outbound_nodes = name, [], []
    activation = of_operation(operation)
    if activation:
        return Function(activation, name=name)
    if type(operation).__name__ == "Add":  # of a number, it is as good as any
        add = Function(added, name=name)
        return lambda *x: add(list(x)) if all(map(keras.utils.is_keras_tensor, x)) else copied(*x)
    if _is_max_over_time(operation):  # of a sequence, it has no int8 form
        pooled = Function(global_max, name=name)
        return lambda x: pooled(x) if len(x.shape) == 3 else copied(x)
    return copied  # type: ignore[no-any-return]


def _is_max_over_time(operation: Any) -> bool:
    if type(operation).__name__ != "Max" or operation.keepdims:
        return False
    return np.ravel(operation.axis).tolist() in ([1], [-2])


def _clone(layer: Any, name: str) -> DeployLayer:
    clone = type(layer).from_config({**layer.get_config(), "name": name, "dtype": "float32"})
    replaced = activated(layer)
    if replaced:
        clone.activation = replaced
    clone.trained_values = lambda: [tf.convert_to_tensor(w) for w in layer.weights]

    def call(*args: Any, **kwargs: Any) -> Any:
        first = not clone.built
        outputs = clone(*args, **kwargs)
        if first:
            clone.set_weights(layer.get_weights())
        return outputs

    return call


def _time_distributed(layer: Any, name: str) -> DeployLayer:
    inner = layer.layer
    if isinstance(inner, keras.layers.Dense | keras.layers.Activation):
        return _clone(inner, name)  # they work on the last axis alone

    def call(sequence: Any, **_: Any) -> Any:
        row = keras.Input(sequence.shape[2:], batch_size=1)
        outputs = alone(keras.tree.flatten(Rebuilder()._copy(inner, "")(row)))
        if outputs is row:
            return sequence  # a Dropout
        return PerStep(keras.Model(row, outputs), name=name)(sequence)

    return call
