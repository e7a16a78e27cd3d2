"""Files that compute one step of a stream, with their states in and out, as sequences of steps."""

from dataclasses import replace
from typing import Any

from unspool.frontend.graph import nodes
from unspool.frontend.onnx.graph import Ends, Graph
from unspool.support._tensorflow import keras


def one_step(model: Any) -> bool:
    """Whether every recurrent layer of a model reads a sequence of one step."""
    steps = [
        node.input_tensors[0].shape[1]
        for node in nodes(model)
        if isinstance(node.operation, keras.layers.RNN)
    ]
    return bool(steps) and set(steps) == {1}


def of_frames(graph: Graph, count: int) -> Graph:
    """The same graph with a number of steps in the place of the batch of each input."""
    return replace(
        graph,
        inputs=tuple(_of_frames(end, count) for end in graph.inputs),
        exported={**graph.exported, 1: count},
        frames=True,
    )


def _of_frames(end: Ends, count: int) -> Ends:
    shape = list(end.shape)
    axis = end.batch or 0
    shape[axis] = count
    return replace(end, shape=tuple(shape), batch=None, open=axis)
