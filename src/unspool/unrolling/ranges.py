"""Tensors of a .tflite whose range is known from training: those that `Ranged` layers stand behind.

Such a layer computes nothing, and the converter leaves it out. Which tensor it stood behind show
the names of the operators that TensorFlow traced. A tensor that is fused into another one is gone,
and its range with it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from unspool.frontend.ranged import Ranged, traced_layer
from unspool.tflite import flatbuffer, marks
from unspool.unrolling.traced import traced_operator, unmoved


def known_ranges(deploy_model: Any, function: Any, model: flatbuffer.Model) -> list[marks.Ranged]:
    """Tensors of a float .tflite with the ranges that layers of its deploy model say.

    Args:
        deploy_model: as `unroll` returns it.
        function: that was traced of it.
        model: the .tflite, its tensors called as the converter calls them.
    """
    layers = [layer for layer in deploy_model._flatten_layers() if isinstance(layer, Ranged)]
    if not layers:
        return []
    behind = _behind(function.graph)
    ranges = []
    for index, op in _operators(function, model):
        tensor = model.subgraphs[0].tensors[index].name.decode()
        ranges += [
            marks.Ranged(layer.name, tensor, layer.minimum, layer.maximum)
            for layer in layers
            if behind.get(layer.name) is op
        ]
    return ranges


def _behind(graph: Any) -> dict[str, Any]:
    """Name of a layer -> the traced operator that computes what it stands behind."""
    operators = {}
    for op in graph.get_operations():
        layer = traced_layer(op.name)
        if layer is not None and len(unmoved(op).outputs) == 1:  # else it is a part of them
            operators[layer] = unmoved(op)
    return operators


def _operators(function: Any, model: flatbuffer.Model) -> Iterator[tuple[int, Any]]:
    """Each tensor that is fed or computed, by its index, and the operator that computes it."""
    graph = model.subgraphs[0]
    ends: Mapping[int, Any] = {
        **{int(i): t.op for i, t in zip(graph.inputs, function.inputs, strict=False)},
        **{int(i): t.op for i, t in zip(graph.outputs, function.outputs, strict=True)},
    }
    order = {op.name: number for number, op in enumerate(function.graph.get_operations())}
    written = (int(index) for op in graph.operators for index in op.outputs)
    for index in dict.fromkeys((*map(int, graph.inputs), *written)):
        name = graph.tensors[index].name.decode()
        op = ends.get(index) or traced_operator(name, function.graph, order)
        if op is not None:
            yield index, unmoved(op)
