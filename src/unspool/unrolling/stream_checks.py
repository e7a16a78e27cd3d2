"""Whether a model computes the same on a stream, chunk by chunk, as on whole sequences."""

from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.structure import REMOVED, is_graph
from unspool.support._tensorflow import keras
from unspool.unrolling.leading import leading

_PER_STEP = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.Dense,
    keras.layers.Embedding,
    keras.layers.InputLayer,
    keras.layers.LayerNormalization,
    keras.layers.LeakyReLU,
    keras.layers.Masking,
    keras.layers.Maximum,
    keras.layers.Multiply,
    keras.layers.RNN,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Softmax,
    keras.layers.Subtract,
    keras.layers.TimeDistributed,
    *REMOVED,
)
"""Layers whose output at a time step depends on this step and on earlier ones only."""

_OF_EACH_VALUE = (
    "Absolute",
    "Add",
    "Clip",
    "Cos",
    "Divide",
    "Elu",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSilu",
    "HardTanh",
    "LeakyRelu",
    "Log",
    "Maximum",
    "Minimum",
    "Multiply",
    "Negative",
    "Relu",
    "Relu6",
    "Selu",
    "Sigmoid",
    "Silu",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "Subtract",
    "Tanh",
    "TrueDivide",
)
"""Functions of `keras.ops` that are computed value by value."""


def is_streamable(model: Any) -> bool:
    """Whether `unroll_stream` takes a model that `unroll` takes, judging by its layers."""
    try:
        check_streams(model)
    except UnspoolError:
        return False
    return True


def check_streams(model: Any) -> None:
    """Check that no layer would compute something else chunk by chunk than on whole sequences.

    Raises:
        UnspoolError: one would; the message names it.
    """
    in_front = [layer for lead in leading(model) if lead for layer in lead.layers]
    stills = _stills(model)
    for layer in structure.functional(model).operations:
        if any(layer is other for other in in_front):
            continue
        if is_graph(layer):
            check_streams(layer)
            continue
        where = f"layer {layer.name!r} ({type(layer).__name__})"
        if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
            raise UnspoolError(
                f"{where}: reads the sequence from its end, which a stream does not have yet; "
                "deploy it without states, or train it forwards only"
            )
        nodes = structure.calls(model, layer)
        if all(tensor.dtype == "bool" for node in nodes for tensor in node.outputs):
            continue  # a mask, which is computed before the network
        has_time = any(_has_time(node.input_tensors, stills) for node in nodes)
        begins = any(_has_time(node.outputs, stills) for node in nodes if not node.is_input)
        if not has_time and begins:
            raise UnspoolError(
                f"{where}: begins a sequence of its own in every call, which has no states to go "
                "on from; deploy it without states"
            )
        ranks = {len(tensor.shape) for node in nodes for tensor in node.input_tensors}
        if has_time and not _is_per_step(layer, max(ranks)):
            raise UnspoolError(
                f"{where}: mixes time steps, so chunk by chunk it would compute something else; "
                "deploy it without states, or put it after the last recurrent layer"
            )


def _is_per_step(operation: Any, rank: int) -> bool:
    """Whether an operation on (batch, time, ...), of `rank` dimensions, keeps to each step."""
    kind = type(operation).__name__
    if kind in ("Softmax", "Concatenate"):  # as layers or as functions
        return 1 not in np.ravel(operation.axis) % rank
    if kind == "GetItem":
        return _takes_the_last_step(operation)
    return isinstance(operation, _PER_STEP) or kind in _OF_EACH_VALUE


def _takes_the_last_step(operation: Any) -> bool:
    """Whether a slice of (batch, time, ...) is the last step, or parts of every step."""
    key = operation._inbound_nodes[0].arguments.args[1]
    cut = key[1] if isinstance(key, tuple) and len(key) > 1 else slice(None)
    return cut == -1 or cut == slice(None)


def _has_time(tensors: list[Any], stills: set[int]) -> bool:
    return any(len(tensor.shape) > 2 and id(tensor) not in stills for tensor in tensors)


def _stills(model: Any) -> set[int]:
    """Tensors that have more than two dimensions and no time: images that are no sequence.

    They begin as the last output of a convolutional recurrence, or as its states.
    """
    found: set[int] = set()
    for node in structure.nodes(model):
        layer, outputs = node.operation, []
        if isinstance(layer, keras.layers.RNN) and not node.is_input:
            outputs = node.outputs[1 if layer.return_sequences else 0 :]
        elif node.input_tensors and all(id(tensor) in found for tensor in node.input_tensors):
            outputs = node.outputs
        found |= {id(tensor) for tensor in outputs if len(tensor.shape) > 2}
    return found
