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
    lengths,
    normalizations,
    pools,
    resizing,
    shapes,
)
from unspool.frontend.onnx.building import build
from unspool.frontend.onnx.frames import of_frames, one_step
from unspool.frontend.onnx.fusing import fused
from unspool.frontend.onnx.graph import Graph, check_links, is_open
from unspool.frontend.onnx.opening import ANY_LENGTH, OTHER_LENGTH, opened, with_cause
from unspool.frontend.onnx.recurrent import recurrent
from unspool.frontend.onnx.scope import Build
from unspool.frontend.origins import keep, origins
from unspool.frontend.ranged import ranged
from unspool.support.text import in_a_line

FORMS: dict[str, Build] = {
    **activations.FORMS,
    **arithmetic.FORMS,
    **convolutions.FORMS,
    **dense.FORMS,
    **einsum.FORMS,
    **normalizations.FORMS,
    **pools.FORMS,
    **resizing.FORMS,
    **shapes.FORMS,
    "GRU": recurrent,
    "LSTM": recurrent,
    "RNN": recurrent,
}
"""ONNX's operators -> what builds a node of one."""


def assembled(graph: Graph, graph_of_length: Callable[[int], Graph]) -> Any:
    """A Keras functional model of a graph.

    Inputs have the file's axes in their order, (samples, ...), without the axis of the batch;
    outputs are a dictionary by the file's names. Inputs that are first states are left out, and so
    are outputs that are final ones.

    Args:
        graph: as a file has it.
        graph_of_length: the same graph for sequences of another length.

    Raises:
        UnspoolError: a node has no form; the message names it.
    """
    check_links(graph)
    graph = fused(lengths.read_directly(graph))
    try:
        model = build(graph, FORMS)
    except UnspoolError as error:
        raise (with_cause(error) if is_open(graph) else error) from None
    _tell(graph, model)
    if graph.carried and one_step(model):
        many, other = (of_frames(graph, count) for count in (ANY_LENGTH, OTHER_LENGTH))
        return _opened(build(many, FORMS), many, build(other, FORMS))
    if not is_open(graph):
        return model
    return _opened(model, graph, build(fused(graph_of_length(OTHER_LENGTH)), FORMS))


def _opened(model: Any, graph: Graph, other: Any) -> Any:
    """The model for any length, whose layers have the same names and come from the same nodes."""
    result = opened(model, graph, other)
    keep(result, origins(model))
    return result


def _tell(graph: Graph, model: Any) -> None:
    """Tell what of a file is left out, or is fed in another form."""
    if graph.states:
        _warn(
            f"first states are left out: {', '.join(map(str, graph.states))}; zero in sequences, "
            "and a stream keeps them (`states`)"
        )
    if graph.rounded:
        count, range_count = len(graph.rounded), len(ranged(model))
        _warn(
            f"the file rounds {count} tensors to whole numbers (QuantizeLinear), which is left "
            f"out: in int8, {range_count} of them get the file's ranges, {count - range_count} "
            "those of the calibration data"
        )
    for name in sorted(lengths.fed(graph)):
        _warn(
            f"input {name!r} gives lengths of sequences: here it is a mask, (samples, steps), true "
            "for each step that a sequence has"
        )


def _warn(text: str) -> None:
    warnings.warn(in_a_line(text), UnspoolWarning, stacklevel=6)
