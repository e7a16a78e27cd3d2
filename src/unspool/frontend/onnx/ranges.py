"""Ranges of values that a file rounds, as layers of the Keras model."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from unspool.frontend.onnx.graph import Graph
from unspool.frontend.onnx.names import free, plain
from unspool.frontend.onnx.scope import Scope, input_name
from unspool.frontend.onnx.tracing import made_since
from unspool.frontend.onnx.values import Value
from unspool.frontend.ranged import Ranged


def range_names(graph: Graph) -> dict[str, str]:
    """Value that is rounded in a known range -> the name of the layer that has the range."""
    used_names = {input_name(end.name) for end in graph.inputs} | {
        node.name for node in graph.nodes
    }
    names = {}
    for value, rounded in graph.rounded.items():
        if rounded.ends is not None:
            names[value] = free(f"{plain(value)}_range", used_names)
            used_names.add(names[value])
    return names


def give_ranges(
    values: Iterable[str], names: dict[str, str], scope: Scope, known: dict[int, Any]
) -> dict[str, list[Any]]:
    """Put layers behind values, which have their ranges.

    Args:
        values: that were just made.
        names: what `range_names` gives.
        scope: where the values are, and are replaced.
        known: as `made_since` takes it.

    Returns:
        other values of the file that are one of these, rounded -> the layer.
    """
    layers: dict[str, list[Any]] = {}
    for name in values:
        value, rounded = scope.values.get(name), scope.graph.rounded.get(name)
        if name in names and isinstance(value, Value) and rounded and rounded.ends:
            tensor = Ranged(*rounded.ends, name=names[name])(value.tensor)
            scope.values[name] = replace(value, tensor=tensor)
            layers |= dict.fromkeys(rounded.gives, made_since([tensor], known))
    return layers
