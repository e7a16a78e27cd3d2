"""Recurrent layers written out step by step while they are trained, where that is faster."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unspool.frontend.graph import operations
from unspool.support._tensorflow import keras

_MOST_STEPS = 64
_FEWEST_BATCHES = 1000
"""Below, making a graph that is so much larger takes longer than it saves."""


@contextmanager
def written_out(model: Any, batches: int) -> Iterator[None]:
    """Let short recurrent layers run without a loop, within this context.

    On a CPU a training step of GRU(56) over 28 steps then takes 0.6 of its time: TensorFlow's loops
    keep every step's tensors in lists.

    Args:
        model: a built Sequential or Functional model, that is trained.
        batches: that it is trained with.
    """
    layers = _short_layers(model) if batches >= _FEWEST_BATCHES else []
    before = [layer.unroll for layer in layers]
    try:
        for layer in layers:
            layer.unroll = True
        yield
    finally:
        for layer, unroll in zip(layers, before, strict=True):
            layer.unroll = unroll


def _short_layers(model: Any) -> list[Any]:
    """Recurrent layers whose sequences are known to be short."""
    short_layers = []
    for operation, calls in ((each.operation, each.calls) for each in operations(model)):
        both = isinstance(operation, keras.layers.Bidirectional)
        layers = [operation.forward_layer, operation.backward_layer] if both else [operation]
        steps = [call.input_tensors[0].shape[1:2] for call in calls]
        is_short = all(length and (length[0] or _MOST_STEPS + 1) <= _MOST_STEPS for length in steps)
        if is_short and all(isinstance(layer, keras.layers.RNN) for layer in layers):
            short_layers += layers
    return short_layers
