"""A trained model's graph, rebuilt on new tensors with deploy-time layers in place of its own."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from unspool.frontend.graph import is_graph
from unspool.frontend.ranged import Ranged
from unspool.frontend.structure import REMOVED
from unspool.support._tensorflow import keras, tf
from unspool.tflite.names import valid_scope
from unspool.unrolling import functions, strides
from unspool.unrolling.attention import attention, is_attention
from unspool.unrolling.dilated import Dilated, is_dilated
from unspool.unrolling.frames import distributed, run_graph
from unspool.unrolling.mask_inputs import MaskInputs
from unspool.unrolling.masked_mean import MaskedMean
from unspool.unrolling.masking import Clearing, reads_mask
from unspool.unrolling.recurrent.loop import PerStep
from unspool.unrolling.recurrent_layers import DeployLayer, bidirectional, recurrent
from unspool.unrolling.stream_windows import Windows
from unspool.unrolling.substitutes import activated, substitute


class Scopes:
    """Names that TensorFlow takes, each given once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def give(self, wanted: str) -> str:
        """The wanted name, or a similar one where it is taken or TensorFlow does not allow it."""
        name = valid = valid_scope(wanted)
        number = 2
        while name.lower() in self._names:  # TensorFlow does not tell upper and lower case apart
            name, number = f"{valid}_{number}", number + 1
        self._names.add(name.lower())
        return name


@dataclass(frozen=True)
class Rebuilder:
    """Copies the layers of one trained model.

    Attributes:
        unrolled: makes the deploy-time form of a recurrent layer, given the layer and its name.
        scopes: gives the copies their names.
        masks: of the new tensors; None where no time step is ever padded.
        windows: makes the form of layers that read windows of time, for a stream; None for whole
            sequences.
    """

    unrolled: Callable[[Any, str], DeployLayer] = recurrent
    scopes: Scopes = field(default_factory=Scopes)
    masks: MaskInputs | None = None
    windows: Windows | None = None
    _copies: dict[int, DeployLayer] = field(default_factory=dict)

    def copied(self, layer: Any, prefix: str = "") -> DeployLayer:
        """What is called in place of a layer or function; one that is called twice is copied once.

        Args:
            layer: of the trained model.
            prefix: of the copy's name.
        """
        if id(layer) not in self._copies:
            self._copies[id(layer)] = self._copy(layer, prefix)
        return partial(self._call, layer, self._copies[id(layer)])

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

        return run_graph(model, inputs, partial(self.copied, prefix=prefix))

    def _call(
        self, layer: Any, copy: DeployLayer, *args: Any, mask: Any = None, **kwargs: Any
    ) -> Any:
        """Call a copy as the layer was called, on tensors that begin together."""
        kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        if self.windows is None or is_graph(layer):
            return self._masked(layer, copy, args, mask, kwargs)
        args, kwargs = self.windows.together(layer.name, (args, kwargs))
        outputs = self._masked(layer, copy, args, mask, kwargs)
        self.windows.beginnings.follow((args, kwargs), outputs)
        return outputs

    def _masked(
        self, layer: Any, copy: DeployLayer, args: Any, mask: Any, kwargs: dict[str, Any]
    ) -> Any:
        """Call a copy, and hand masks on as Keras does."""
        if self.masks is None or is_graph(layer):
            return copy(*args, **kwargs)
        received = self.masks.received(args, mask)
        if isinstance(layer, keras.layers.Masking):
            source = self.masks.source(layer, args)
            if source and source.value and not source.is_cleared:
                kwargs["mask"] = self.masks.begun(source)
        elif received and reads_mask(layer, mask, args, kwargs):
            kwargs["mask"] = received[0]
        outputs = copy(*args, **kwargs)
        self.masks.put(layer, args, received, outputs)
        return outputs

    def _copy(self, layer: Any, prefix: str) -> DeployLayer:
        """The function that is called in place of a layer."""
        if is_graph(layer):
            within = f"{prefix}{layer.name}_"
            return lambda *inputs, **_: self.rebuild(layer, keras.tree.flatten(inputs), within)
        if isinstance(layer, Ranged):
            return Ranged(layer.minimum, layer.maximum, name=self.scopes.give(prefix + layer.name))
        if isinstance(layer, REMOVED) or (self.masks is None and isinstance(layer, _MASKING)):
            return lambda tensor, **_: tensor
        name = self.scopes.give(prefix + layer.name)
        if self.windows and (form := self.windows.form(layer, name, self._form)):
            return form
        if not isinstance(layer, keras.layers.Layer):
            return _operation(layer, name)
        return self._form(layer, name)

    def _form(self, layer: Any, name: str) -> DeployLayer:
        """The deploy-time form of a layer, by a name."""
        if isinstance(layer, _MASKING | Clearing):
            return _given_mask(Cleared(name=name))
        if isinstance(layer, keras.layers.GlobalAveragePooling1D):
            return _given_mask(MaskedMean(layer, name=name))
        if isinstance(layer, keras.layers.Bidirectional):
            return bidirectional(layer, name)
        if isinstance(layer, keras.layers.RNN):
            return self.unrolled(layer, name)
        if isinstance(layer, keras.layers.TimeDistributed):
            return distributed(layer.layer, name, self.scopes.give, _per_frame)
        if is_attention(layer):
            return attention(layer, name)
        if is_dilated(layer):
            return Dilated(layer, name=name)
        if strides.is_far(layer):
            return strides.in_blocks(layer, name)
        if strides.pools_far(layer):
            return strides.without_padding(layer, name)
        if strides.pads_far(layer):
            unpadded, zeros = _clone(layer, name, padding="valid"), strides.padded(layer, name)
            return lambda x, **_: unpadded(zeros(x))
        return substitute(layer, name) or _clone(layer, name)


_MASKING = keras.layers.Masking


class Cleared(keras.layers.Layer):  # type: ignore[misc]
    """A sequence, (1, time steps, features), with 0 in its padded steps."""

    def call(self, sequence: Any, valid: Any = None) -> Any:
        """The sequence; as it is where `valid`, a mask (1, time steps), is None."""
        if valid is None:
            return tf.identity(sequence)
        return tf.multiply(sequence, tf.reshape(valid, (1, sequence.shape[1], 1)))


def _given_mask(layer: Any) -> DeployLayer:
    """Keras hands on what is called `mask`; here, masks are tensors like others."""
    return lambda sequence, mask=None: layer(sequence, valid=mask)


def alone(tensors: Sequence[Any]) -> Any:
    """The only tensor of a list of one, so that Keras takes and returns a tensor, not a list."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


def _operation(operation: Any, name: str) -> DeployLayer:
    """A copy of a `keras.ops` function, which has no weights."""
    form = functions.form(operation)
    if form:
        return functions.called(operation, form, name)
    copied = copy(operation)
    copied.name, copied._inbound_nodes, copied._outbound_nodes = name, [], []
    return copied  # type: ignore[no-any-return]


def _clone(layer: Any, name: str, **changes: Any) -> DeployLayer:
    config = {**layer.get_config(), **changes, "name": name, "dtype": "float32"}
    clone = type(layer).from_config(config)
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


def _per_frame(layer: Any, name: str) -> DeployLayer:
    """A layer or model applied to each time step of one sequence, or of several alike."""
    if isinstance(layer, keras.layers.Dense | keras.layers.Activation):
        return _clone(layer, name)  # they work on the last axis alone

    def call(*inputs: Any, **kwargs: Any) -> Any:
        sequences = list(filter(keras.utils.is_keras_tensor, keras.tree.flatten(inputs)))
        rows = [keras.Input(sequence.shape[2:], batch_size=1) for sequence in sequences]
        remaining = iter(rows)
        arguments = keras.tree.map_structure(
            lambda x: next(remaining) if keras.utils.is_keras_tensor(x) else x, inputs
        )
        outputs = alone(keras.tree.flatten(Rebuilder()._copy(layer, "")(*arguments, **kwargs)))
        if outputs is rows[0]:
            return sequences[0]  # a Dropout
        return PerStep(keras.Model(alone(rows), outputs), name=name)(alone(sequences))

    return call
