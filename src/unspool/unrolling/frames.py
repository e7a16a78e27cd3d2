"""TimeDistributed around a recurrent layer: each time step, a frame, is a sequence of its own.

The frames know nothing of each other, so a step of all of them is computed at once: as many
operators as for one frame, and weights that are read once (docs/decisions.md). A model of layers
that is applied to each frame becomes its layers, each applied to each frame: those that are
recurrent so, the others frame by frame.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from unspool.frontend.graph import functional, is_graph
from unspool.support._tensorflow import keras, tf
from unspool.unrolling.recurrent_layers import DeployLayer, bidirectional, recurrent
from unspool.unrolling.substitutes import Function

Copy: TypeAlias = Callable[[Any, str], DeployLayer]
"""A layer and a name -> what is called in its place."""


def holds_recurrence(layer: Any) -> bool:
    """Whether a layer is recurrent, or a model or wrapper of one that is."""
    if isinstance(layer, keras.layers.TimeDistributed):
        return holds_recurrence(layer.layer)
    if is_graph(layer):
        return any(map(holds_recurrence, layer.layers))
    return isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)


def run_graph(model: Any, inputs: Sequence[Any], copied: Callable[[Any], DeployLayer]) -> list[Any]:
    """Run a model's graph on new tensors, calling `copied(layer)` in place of each layer.

    Returns:
        new tensors in the order of the model's outputs.
    """
    # As keras.models.clone_model, in which a copy could not add inputs of its own.
    outputs = functional(model)._run_through_graph(list(inputs), operation_fn=copied)
    return keras.tree.flatten(outputs)  # type: ignore[no-any-return]


def distributed(layer: Any, name: str, give: Callable[[str], str], per_frame: Copy) -> DeployLayer:
    """A layer or model applied to each frame of (1, frames, ...).

    Args:
        layer: what a TimeDistributed wraps.
        name: of its deploy-time form.
        give: turns a name into one that no other layer has.
        per_frame: makes the form of a layer that is not recurrent.
    """
    if isinstance(layer, keras.layers.Bidirectional):
        return _side_by_side(bidirectional(layer, name), name)
    if isinstance(layer, keras.layers.RNN):
        return _side_by_side(recurrent(layer, name), name)
    if not (is_graph(layer) and holds_recurrence(layer)):
        return per_frame(layer, name)
    copies: dict[int, DeployLayer] = {}

    def copied(inner: Any) -> DeployLayer:
        if id(inner) not in copies:
            copies[id(inner)] = distributed(inner, give(f"{name}_{inner.name}"), give, per_frame)
        copy = copies[id(inner)]
        return lambda *args, mask=None, training=None, **kwargs: copy(*args, **kwargs)

    def call(*inputs: Any, **_: Any) -> Any:
        outputs = run_graph(layer, keras.tree.flatten(inputs), copied)
        return outputs[0] if len(outputs) == 1 else outputs

    return call


def _side_by_side(unrolled: DeployLayer, name: str) -> DeployLayer:
    """A recurrent layer on frames (1, frames, steps, ...): its sequences are the frames."""
    apart = Function(lambda x: tf.reshape(x, x.shape[1:]), name=f"{name}_apart")
    together = Function(lambda x: tf.reshape(x, (1, *x.shape)), name=f"{name}_together")

    def call(frames: Any, initial_state: Any = None, **_: Any) -> Any:
        if initial_state is not None:
            initial_state = keras.tree.map_structure(apart, initial_state)
        outputs = unrolled(apart(frames), initial_state=initial_state)
        return keras.tree.map_structure(together, outputs)

    return call
