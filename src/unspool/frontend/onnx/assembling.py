"""A graph of ONNX's nodes as a Keras model, whatever file it came from."""

import warnings
from collections.abc import Callable
from typing import Any

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx import (
    activations,
    arithmetic,
    convolutions,
    dense,
    einsum,
    normalizations,
    pools,
    shapes,
)
from unspool.frontend.onnx.building import Build, build
from unspool.frontend.onnx.frames import of_frames, one_step
from unspool.frontend.onnx.fusing import fused
from unspool.frontend.onnx.graph import Graph, check_links
from unspool.frontend.onnx.opening import ANY_LENGTH, OTHER_LENGTH, is_open, opened, with_cause
from unspool.frontend.onnx.recurrent import recurrent
from unspool.frontend.origins import keep, origins

FORMS: dict[str, Build] = {
    **activations.FORMS,
    **arithmetic.FORMS,
    **convolutions.FORMS,
    **dense.FORMS,
    **einsum.FORMS,
    **normalizations.FORMS,
    **pools.FORMS,
    **shapes.FORMS,
    "GRU": recurrent,
    "LSTM": recurrent,
    "RNN": recurrent,
}
"""ONNX's operators -> what builds a node of one."""


def assembled(graph: Graph, again: Callable[[int], Graph]) -> Any:
    """A Keras functional model of a graph.

    Inputs have the file's axes in their order, (samples, ...), without the axis of the batch;
    outputs are a dictionary by the file's names. Inputs that are first states are left out, and so
    are outputs that are final ones.

    Args:
        graph: as a file has it.
        again: the same graph for sequences of another length.

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
    if graph.rounded:
        warnings.warn(
            f"the file rounds {graph.rounded} tensors to whole numbers (QuantizeLinear): their "
            "scales are left out, and chosen anew by the calibration data",
            UnspoolWarning,
            stacklevel=4,
        )
    graph = fused(graph)
    try:
        model = build(graph, FORMS)
    except UnspoolError as error:
        raise (with_cause(error) if is_open(graph) else error) from None
    if graph.carried and one_step(model):
        many, other = (of_frames(graph, count) for count in (ANY_LENGTH, OTHER_LENGTH))
        return _opened(build(many, FORMS), many, build(other, FORMS))
    if not is_open(graph):
        return model
    return _opened(model, graph, build(fused(again(OTHER_LENGTH)), FORMS))


def _opened(model: Any, graph: Graph, other: Any) -> Any:
    """The model for any length, whose layers have the same names and come from the same nodes."""
    result = opened(model, graph, other)
    keep(result, origins(model))
    return result
