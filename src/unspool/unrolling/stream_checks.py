"""Whether a model computes the same on a stream, chunk by chunk, as on whole sequences."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import graph
from unspool.frontend.graph import is_graph
from unspool.frontend.sequences import in_time
from unspool.frontend.structure import REMOVED
from unspool.support._tensorflow import keras
from unspool.support.drawn import drawn
from unspool.unrolling.leading import leading
from unspool.unrolling.mask_checks import check_masks


@dataclass(frozen=True)
class Pieces:
    """What a sequence is cut into, for messages.

    Attributes:
        of: what takes one piece after the other.
        otherwise: how a model is deployed that cannot be cut.
    """

    of: str
    otherwise: str


STREAM = Pieces("a stream", "without states")
CALLS = Pieces("one of several calls", "without `steps_per_call`")


def is_streamable(model: Any) -> bool:
    """Whether `unroll_stream` takes a model that `unroll` takes, judging by its layers."""
    try:
        check_streams(model)
    except UnspoolError:
        return False
    return True


def check_streams(model: Any, pieces: Pieces = STREAM) -> None:
    """Check that a model computes the same piece by piece as on whole sequences.

    Args:
        model: the trained model.
        pieces: what it is to take them for, for messages.

    Raises:
        UnspoolError: a layer would not, or a mask cannot be cut; the message names it.
    """
    _check_layers(model, pieces)
    check_masks(model, pieces.of, pieces.otherwise)


def _check_layers(model: Any, pieces: Pieces) -> None:
    """Check that no layer would compute something else piece by piece.

    Raises:
        UnspoolError: one would; the message names it.
    """
    in_front = [layer for lead in leading(model) if lead for layer in lead.layers]
    timed, whole = _timed(model), graph.functional(model)
    for layer in whole.operations:
        if any(layer is other for other in in_front):
            continue
        if is_graph(layer):
            _check_layers(layer, pieces)
            continue
        # What only computes a mask is computed before the network.
        nodes = [node for node in graph.calls(whole, layer) if not graph.makes_mask(whole, node)]
        problem = _problem(layer, nodes, timed, pieces)
        if problem:
            raise UnspoolError(f"layer {layer.name!r} ({type(layer).__name__}): {problem}")


def _problem(layer: Any, nodes: list[Any], timed: set[int], pieces: Pieces) -> str:
    """Why the calls of a layer or function compute something else chunk by chunk; else ""."""
    if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
        return (
            f"reads the sequence from its end, which {pieces.of} does not have yet; deploy it "
            f"{pieces.otherwise}, or train it forwards only"
        )
    is_recurrent = isinstance(layer, keras.layers.RNN)
    if is_recurrent and any(map(_is_given_states, nodes)):
        return (
            "the model gives it an initial state itself, at the start of each call; deploy it "
            f"{pieces.otherwise} (a state that is an input and an output of the model is fed back "
            "all the same)"
        )
    has_time = any(_has_time(node.input_tensors, timed) for node in nodes)
    begins = any(_has_time(node.outputs, timed) for node in nodes if not node.is_input)
    if not has_time and (begins or is_recurrent):
        return (
            "begins a sequence of its own in every call, which has no states to go on from; deploy "
            f"it {pieces.otherwise}"
        )
    is_known = is_recurrent or isinstance(layer, REMOVED)
    if has_time and not is_known and not all(_keeps_to_steps(n, timed) for n in nodes):
        return (
            "mixes time steps, so chunk by chunk it would compute something else; deploy it "
            f"{pieces.otherwise}, or put it after the last recurrent layer"
        )
    return ""


def _is_given_states(node: Any) -> bool:
    """Whether a call of a recurrent layer has an argument `initial_state`."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    return any(x is not None for x in (*args[1:2], kwargs.get("initial_state")))


_STEPS = 3


def _keeps_to_steps(node: Any, timed: set[int]) -> bool:
    """Whether a call computes the same step by step as on whole sequences, found by trying.

    An output without time is the same after the last step: a slice of it, but no mean over time.
    """
    rng = np.random.default_rng(0)
    values = {id(tensor): _drawn(tensor, rng, timed) for tensor in node.input_tensors}
    steps = [
        {key: array[:, n : n + 1] if key in timed else array for key, array in values.items()}
        for n in range(_STEPS)
    ]
    try:
        whole, *parts = [_computed(node, given) for given in (values, *steps)]
    except Exception:  # it takes sequences of one length alone, or no values such as these
        return False
    return all(_same(output, [part[n] for part in parts]) for n, output in enumerate(whole))


def _drawn(tensor: Any, rng: np.random.Generator, timed: set[int]) -> np.ndarray:
    """Values of a tensor's shape, (1, ...)."""
    shape = [size or _STEPS for size in (1, *tensor.shape[1:])]
    if _has_time([tensor], timed):
        shape[1] = _STEPS
    return drawn(rng, shape, tensor.dtype)


def _computed(node: Any, values: dict[int, np.ndarray]) -> list[np.ndarray]:
    args, kwargs = node.arguments.fill_in(values)
    kwargs.pop("mask", None)
    return [np.asarray(each) for each in keras.tree.flatten(node.operation(*args, **kwargs))]


def _same(whole: np.ndarray, parts: list[np.ndarray]) -> bool:
    def close(other: np.ndarray) -> bool:
        return other.shape == whole.shape and np.allclose(whole, other, atol=1e-5)

    return close(parts[-1]) or (whole.ndim > 2 and close(np.concatenate(parts, axis=1)))


def _has_time(tensors: list[Any], timed: set[int]) -> bool:
    return not timed.isdisjoint(map(id, tensors))


def _timed(model: Any) -> set[int]:
    """Tensors, by id, whose first dimension after the batch is time."""
    stills, inputs = _stills(model), graph.functional(model).inputs
    found = {id(given) for given, timed in zip(inputs, in_time(model), strict=True) if timed}
    tensors = (output for node in graph.nodes(model) for output in node.outputs)
    return found | {id(t) for t in tensors if len(t.shape) > 2 and id(t) not in stills}


def _stills(model: Any) -> set[int]:
    """Tensors that have more than two dimensions and no time: images that are no sequence.

    They begin as the last output of a convolutional recurrence, as its states, or as ids that are
    no sequence.
    """
    inputs = zip(
        graph.functional(model).inputs, graph.takes_ids(model), in_time(model), strict=True
    )
    found = {id(given) for given, ids, timed in inputs if ids and not timed}
    for node in graph.nodes(model):
        layer, outputs = node.operation, []
        if isinstance(layer, keras.layers.RNN) and not node.is_input:
            outputs = node.outputs[1 if layer.return_sequences else 0 :]
        elif node.input_tensors and all(id(tensor) in found for tensor in node.input_tensors):
            outputs = node.outputs
        found |= {id(tensor) for tensor in outputs if len(tensor.shape) > 2}
    return found
