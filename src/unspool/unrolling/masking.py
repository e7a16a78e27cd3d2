"""Masks in a trained model's graph: where they begin, which layers pass them on or read them.

Keras hands masks on behind its tensors' backs. Here they are followed along the graph by Keras's
rules (`Layer.__call__`, and each layer's `compute_mask`), once over the trained model, to refuse
what cannot be deployed, and once over the deploy model while it is built.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import graph
from unspool.frontend.graph import is_graph
from unspool.support._tensorflow import keras
from unspool.unrolling.functions import FunctionForm

_SOURCES = (
    "a mask begins at an input: give the Masking or Embedding layer an Input, or give the mask as "
    "an Input of the shape (time steps,)"
)


@dataclass(frozen=True)
class Source:
    """Where a mask begins.

    Attributes:
        position: of the model's input that it is computed from, or that it is.
        value: a step that holds nothing else is padded; None where the input is the mask.
        is_cleared: whether that value may be 0 for the network: a Masking layer alone reads it.
    """

    position: int
    value: float | None
    is_cleared: bool = False


@dataclass
class Masks:
    """The masks of the tensors of a graph that is being run through.

    Attributes:
        inputs: of the graph.
        begun: source -> its mask.
        joined: two masks -> one that is valid where either is.
        cleared: position of an input that a Masking layer alone reads -> that layer's value.
    """

    inputs: Sequence[Any]
    begun: Callable[[Source], Any]
    joined: Callable[[Any, Any], Any]
    cleared: Mapping[int, float] = field(default_factory=dict)
    _of: dict[int, Any] = field(default_factory=dict)
    _same: dict[int, Any] = field(default_factory=dict)

    def of(self, tensor: Any) -> Any:
        """A tensor's mask; None where it has none."""
        return self._of.get(id(tensor))

    def alias(self, inner: Any, outer: Any) -> None:
        """A nested model's tensor is one of the model around it."""
        self._of[id(inner)] = self.of(outer)
        self._same[id(inner)] = self._same.get(id(outer), outer)

    def received(self, args: Sequence[Any], mask: Any = None) -> list[Any]:
        """The masks that come with a call: that of its argument `mask`, or of its inputs.

        Raises:
            UnspoolError: the argument is computed otherwise than Keras's layers compute masks.
        """
        if mask is not None:
            return [self._computed(each) for each in keras.tree.flatten(mask)]
        return [self.of(tensor) for tensor in keras.tree.flatten(args[:1])]

    def source(self, layer: Any, args: Sequence[Any]) -> Source | None:
        """The mask that a Masking or Embedding layer begins; None for other layers.

        Raises:
            UnspoolError: its input is not the model's.
        """
        if isinstance(layer, keras.layers.Masking):
            return self._source(args[0], float(layer.mask_value))
        if isinstance(layer, keras.layers.Embedding) and layer.mask_zero:
            return self._source(args[0], 0.0)
        return None

    def put(self, layer: Any, args: Sequence[Any], received: Sequence[Any], outputs: Any) -> None:
        """Keep the masks of a layer's outputs."""
        source = self.source(layer, args)
        after = [self.begun(source)] if source else self._passed(layer, received)
        for tensor, mask in zip(keras.tree.flatten(outputs), after, strict=False):
            if mask is not None:
                self._of[id(tensor)] = mask

    def _passed(self, layer: Any, received: Sequence[Any]) -> list[Any]:
        mask = received[0] if received else None
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            both = isinstance(layer, keras.layers.Bidirectional) and not layer.merge_mode
            return [mask] * (1 + both) if layer.return_sequences else []
        if isinstance(layer, keras.layers.Dot) or not getattr(layer, "supports_masking", False):
            return []
        if isinstance(layer, _MERGES):
            return [] if None in received else [self._joined(received)]
        return [] if isinstance(layer, keras.layers.GlobalAveragePooling1D) else [mask]

    def _joined(self, masks: Sequence[Any]) -> Any:
        whole, *others = list({id(mask): mask for mask in masks}.values())
        for mask in others:
            whole = self.joined(whole, mask)
        return whole

    def _position(self, tensor: Any) -> int:
        tensor = self._same.get(id(tensor), tensor)
        position = next((n for n, own in enumerate(self.inputs) if own is tensor), None)
        if position is None:
            raise UnspoolError(f"the mask comes from inside the model; {_SOURCES}")
        return position

    def _source(self, tensor: Any, value: float | None) -> Source:
        position = self._position(tensor)
        return Source(position, value, bool(value) and self.cleared.get(position) == value)

    def _computed(self, tensor: Any) -> Any:
        """The mask that a tensor is, which `Layer.compute_mask` or the user computed.

        None where it is valid everywhere, _NOWHERE where it is padded everywhere.
        """
        if not keras.backend.is_keras_tensor(tensor):
            raise UnspoolError(
                f"the mask is the {type(tensor).__name__} {tensor!r:.40}; {_SOURCES}"
            )
        operation, args = _call(tensor)
        kind, read = type(operation).__name__, keras.tree.flatten(args)
        if kind == "InputLayer":
            return self.begun(self._source(tensor, None))
        if kind == "NotEqual" and isinstance(read[1], int | float):
            return self.begun(self._source(read[0], float(read[1])))
        if kind in _ALL_OR_NOTHING:
            return _ALL_OR_NOTHING[kind]
        over_features = kind == "Any" and operation.axis in (-1, [-1], (-1,))
        if kind in ("Cast", "Identity", "ExpandDims", "Squeeze") or over_features:
            return self._computed(read[0])
        if kind == "LogicalOr" or (kind == "Concatenate" and operation.axis in (-1, 2)):
            masks = [mask for mask in map(self._computed, read) if mask is not _NOWHERE]
            return None if None in masks else self._joined(masks)
        raise UnspoolError(f"the mask is computed by {operation.name!r}; {_SOURCES}")


_NOWHERE = object()
_ALL_OR_NOTHING = {"ZerosLike": _NOWHERE, "OnesLike": None}
_MERGES = (
    *(keras.layers.Add, keras.layers.Subtract, keras.layers.Multiply, keras.layers.Average),
    *(keras.layers.Maximum, keras.layers.Minimum, keras.layers.Concatenate),
)


def _call(tensor: Any) -> tuple[Any, Sequence[Any]]:
    """The operation that gives a tensor, and what it was called with."""
    operation = tensor._keras_history.operation
    if isinstance(operation, FunctionForm):
        return operation.stands_for
    return operation, graph.maker(tensor).arguments.args


def values_of_masking_alone(model: Any) -> dict[int, float]:
    """Position of an input that nothing but a Masking layer reads -> the layer's value."""
    values = [_value_of_masking(model, tensor) for tensor in model.inputs]
    return {position: value for position, value in enumerate(values) if value is not None}


def _value_of_masking(model: Any, tensor: Any) -> float | None:
    reading = graph.readers(model, tensor)
    if len(reading) != 1 or any(tensor is output for output in model.outputs):
        return None
    layer = reading[0].operation
    if not is_graph(layer):
        return float(layer.mask_value) if isinstance(layer, keras.layers.Masking) else None
    inner = graph.functional(layer)
    position = next(n for n, read in enumerate(reading[0].input_tensors) if read is tensor)
    if len(graph.calls(model, layer)) != 1:
        return None
    return _value_of_masking(inner, inner.inputs[position])


class Clearing(keras.layers.Layer):  # type: ignore[misc]
    """What a Masking layer does to a sequence whose mask is there already: 0 in padded steps."""

    supports_masking = True

    def call(self, sequence: Any, mask: Any = None) -> Any:
        """The sequence, (batch, time steps, ...), as `mask`, (batch, time steps), leaves it."""
        rank = len(sequence.shape)
        valid = keras.ops.reshape(mask, (-1, sequence.shape[1], *[1] * (rank - 2)))
        return sequence * keras.ops.cast(valid, sequence.dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """That of the sequence."""
        return shape


def reads_mask(layer: Any, mask: Any, args: Sequence[Any], arguments: Mapping[str, Any]) -> bool:
    """Whether a call of a layer that computes with masks is given one, by Keras or as an argument.

    Keras gives the input's own mask only to layers that are called with a single tensor: not to
    one with an `initial_state`.
    """
    if isinstance(layer, keras.layers.GlobalAveragePooling1D | Clearing):
        return True
    if not isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
        return False
    states = (*args[1:2], arguments.get("initial_state"))
    return mask is not None or all(state is None for state in states)
