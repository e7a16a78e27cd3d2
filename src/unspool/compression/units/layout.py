"""A model -> which axes of its variables are one, and which units it has."""

from typing import Any

import numpy as np

from unspool.compression.units.channels import Call, Channels, Tensor, last
from unspool.compression.units.layers import through
from unspool.frontend.graph import functional, is_graph, nodes


def layout(model: Any) -> Channels:
    """Ask a model's graph which channels are one.

    Those of its inputs and outputs are fixed, and so are those that an operation reads of which it
    is not known what it does with them.

    Args:
        model: a built Sequential or Functional model.
    """
    channels = Channels()
    inputs = [
        channels.fixed(last(tuple(tensor.shape)), "they are an input of the model")
        for tensor in functional(model).inputs
    ]
    for output in _gone_through(channels, model, inputs):
        channels.fix(output, "they are an output of the model")
    return channels


def _gone_through(channels: Channels, model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The channels of a model's outputs, for those of its inputs."""
    whole = functional(model)
    known = {id(tensor): ids for tensor, ids in zip(whole.inputs, inputs, strict=True)}
    for node in nodes(whole):
        if node.is_input:
            continue
        read = tuple(
            Tensor(tuple(tensor.shape), known[id(tensor)])
            for tensor in node.input_tensors
            if tensor.dtype != "bool"
        )
        shapes = tuple(tuple(tensor.shape) for tensor in node.outputs)
        operation = node.operation
        if is_graph(operation):
            outputs = _within(channels, operation, read)
        else:
            call = Call(operation, read, shapes, operation, arguments=node.arguments)
            outputs = through(channels, call)
        known.update((id(t), ids) for t, ids in zip(node.outputs, outputs, strict=True))
    channels.of_tensors.update(known)
    return [known[id(tensor)] for tensor in whole.outputs]


def _within(channels: Channels, model: Any, read: tuple[Tensor, ...]) -> list[np.ndarray]:
    """Through a model in the model. What it takes stays: its inputs say how wide they are."""
    for tensor in read:
        channels.fix(tensor.channels, f"the model {model.name!r} in the model takes them")
    return _gone_through(channels, model, [tensor.channels for tensor in read])
