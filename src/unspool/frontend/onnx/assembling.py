"""A graph of ONNX's nodes as a Keras model, whatever file it came from."""

import warnings
from typing import Any

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx import (
    activations,
    arithmetic,
    convolutions,
    dense,
    normalizations,
    shapes,
)
from unspool.frontend.onnx.building import Build, build
from unspool.frontend.onnx.frames import of_frames, one_step
from unspool.frontend.onnx.fusing import fused
from unspool.frontend.onnx.graph import Graph, check_links
from unspool.frontend.onnx.recurrent import recurrent
from unspool.support._tensorflow import keras

FORMS: dict[str, Build] = {
    **activations.FORMS,
    **arithmetic.FORMS,
    **convolutions.FORMS,
    **dense.FORMS,
    **normalizations.FORMS,
    **shapes.FORMS,
    "GRU": recurrent,
    "LSTM": recurrent,
    "RNN": recurrent,
}
"""ONNX's operators -> what builds a node of one."""


def assembled(graph: Graph) -> Any:
    """A Keras functional model of a graph.

    Inputs have the file's axes in their order, (samples, ...), without the axis of the batch;
    outputs are a dictionary by the file's names. Inputs that are first states are left out, and so
    are outputs that are final ones.

    Args:
        graph: as a file has it.

    Raises:
        UnspoolError: a node has no form; the message names it.
    """
    check_links(graph)
    if graph.states:
        warnings.warn(
            f"first states are left out: {', '.join(map(str, graph.states))}; zero in sequences, "
            "and a stream keeps them (`states`)",
            UnspoolWarning,
            stacklevel=4,
        )
    graph = fused(graph)
    if graph.states and one_step(build(graph, FORMS)):
        graph = of_frames(graph)
    model = build(graph, FORMS)
    return _opened(model, graph) if any(end.open is not None for end in graph.inputs) else model


def _opened(model: Any, graph: Graph) -> Any:
    """The same model for sequences of any length, as the file has it."""
    inputs = []
    for tensor, end in zip(model.inputs, graph.inputs, strict=True):
        sizes: list[int | None] = list(end.shape)
        if end.open is not None:
            sizes[end.open] = None
        if end.batch is not None:
            del sizes[end.batch]
        inputs.append(keras.Input(sizes, dtype=tensor.dtype, name=tensor.name))
    try:
        opened = keras.models.clone_model(model, input_tensors=inputs)
    except Exception:  # a layer that knows one length alone
        name = next(end.name for end in graph.inputs if end.open is not None)
        raise UnspoolError(
            f"input {name!r}: the file leaves the length of the sequence open, but a node needs "
            "it; give it (`time_steps`)"
        ) from None
    opened.set_weights(model.get_weights())
    return opened
