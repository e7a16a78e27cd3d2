"""Files that compute one step of a stream, with their states in and out, as sequences of steps."""

from dataclasses import replace
from typing import Any

from unspool.frontend.graph import nodes
from unspool.frontend.onnx.graph import Ends, Graph
from unspool.support._tensorflow import keras

_FRAMES = 16
"""Steps that a graph is built with; their number stays open in the end."""


def one_step(model: Any) -> bool:
    """Whether every recurrent layer of a model reads a sequence of one step."""
    steps = [
        node.input_tensors[0].shape[1]
        for node in nodes(model)
        if isinstance(node.operation, keras.layers.RNN)
    ]
    return bool(steps) and set(steps) == {1}


def of_frames(graph: Graph) -> Graph:
    """The same graph with many steps in the place of the batch, in front of each input."""
    return replace(
        graph,
        inputs=tuple(map(_of_frames, graph.inputs)),
        exported={**graph.exported, 1: _FRAMES},
        frames=True,
    )


def _of_frames(end: Ends) -> Ends:
    shape = list(end.shape)
    axis = end.batch or 0
    shape[axis] = _FRAMES
    return replace(end, shape=tuple(shape), batch=None, open=axis)
