"""Whether a model computes the same on a stream, chunk by chunk, as on whole sequences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import graph
from unspool.frontend.graph import is_graph
from unspool.frontend.sequences import in_time
from unspool.frontend.time_first import time_first
from unspool.support._tensorflow import keras
from unspool.unrolling import taken
from unspool.unrolling.given_states import begun_by_inputs, given_states
from unspool.unrolling.leading import leading
from unspool.unrolling.mask_checks import check_masks
from unspool.unrolling.pieces import CALLS, STREAM, Pieces
from unspool.unrolling.piecewise import ZEROS, Step, step
from unspool.unrolling.windows import pools_all


def smallest_chunk(model: Any, pieces: Pieces = STREAM) -> int | None:
    """The fewest time steps of a piece; None where a model does not take sequences in pieces.

    Args:
        model: a trained model that `unroll` takes.
        pieces: what it is to take them for.
    """
    try:
        return check_streams(model, pieces).multiple
    except UnspoolError:
        return None


def is_one_loop(model: Any) -> bool:
    """Whether one binary, called several times, can run a sequence; else it takes parts.

    Args:
        model: a trained model that `unroll` takes; its time steps may come behind other axes.
    """
    return smallest_chunk(time_first(model).model, CALLS) is not None


def check_streams(model: Any, pieces: Pieces = STREAM) -> "Chunks":
    """Check that a model computes the same piece by piece as on whole sequences.

    Args:
        model: the trained model.
        pieces: what it is to take them for, for messages.

    Raises:
        UnspoolError: a layer would not, a mask cannot be cut, or the length of an input is no
            multiple of another's; the message names it.
    """
    chunks = Chunks()
    taken.chunks(model, 1)  # whether one call takes a piece of each input
    lengths = [tensor.shape[1] for tensor in _timed_inputs(model)]
    shortest = min(filter(None, lengths), default=1)
    rates = [Fraction(length or shortest, shortest) for length in lengths]
    chunks.begun = begun_by_inputs(model) if pieces.begin_given else set()
    _follow(model, rates, pieces, chunks)
    if pieces.pool_window and not chunks.pools_all:
        raise UnspoolError(
            f"`pool_window` {pieces.pool_window}: no layer of the model pools over the whole "
            "sequence; leave it out"
        )
    sequences, outputs = timed(model), graph.functional(model).outputs
    chunks.outputs = tuple(n for n, tensor in enumerate(outputs) if id(tensor) in sequences)
    check_masks(model, pieces.of, pieces.otherwise)
    return chunks


@dataclass
class Chunks:
    """How a model takes a sequence in pieces.

    Attributes:
        multiple: time steps of a piece are a multiple of it; where inputs have different lengths,
            those of the shortest.
        windows: layers, by id, that read windows of time.
        reshapes: Reshape layers, by id, that keep each time step.
        outputs: numbers of the model's outputs that are in time.
        pools_all: whether a layer pools over all time steps.
        begun: calls of recurrent layers, by id, whose first states are inputs of the model.
    """

    multiple: int = 1
    windows: set[int] = field(default_factory=set)
    reshapes: set[int] = field(default_factory=set)
    outputs: tuple[int, ...] = ()
    pools_all: bool = False
    begun: set[int] = field(default_factory=set)

    def check(self, time_steps: int, name: str = "time_steps") -> None:
        """Check the time steps of a piece.

        Raises:
            UnspoolError: they are no multiple.
        """
        if time_steps % self.multiple:
            raise UnspoolError(
                f"`{name}` {time_steps}: the model's strides need whole windows in each call; "
                f"expected a multiple of {self.multiple}"
            )


_NONE = (0, 0)


def _timed_inputs(model: Any) -> list[Any]:
    inputs = graph.functional(model).inputs
    return [tensor for tensor, has in zip(inputs, in_time(model), strict=True) if has]


def _follow(
    model: Any, rates: Sequence[Fraction], pieces: Pieces, chunks: Chunks
) -> list[Fraction]:
    """Follow the sequences through a model: what `check_streams` does, for one nested in it too.

    Args:
        model: the model.
        rates: time steps of each of its sequences, for one of the shortest input's.
        pieces: for messages.
        chunks: is filled.

    Returns:
        the same for its outputs; 1 for those without time.
    """
    in_front = [layer for lead in leading(model) if lead for layer in lead.layers]
    sequences, whole = timed(model), graph.functional(model)
    rate_of = {id(t): rate for t, rate in zip(_timed_inputs(model), rates, strict=True)}
    zeros: dict[int, tuple[int, int]] = {}
    for node in graph.nodes(whole):
        layer = node.operation
        if node.is_input or graph.makes_mask(whole, node):
            continue  # what only computes a mask is computed before the network
        rate = next((rate_of[id(t)] for t in node.input_tensors if id(t) in rate_of), Fraction(1))
        if any(layer is other for other in in_front):
            rate_of |= dict.fromkeys(map(id, node.outputs), rate)
            continue
        if is_graph(layer):
            read = [
                rate_of.get(id(t), Fraction(1)) for t in node.input_tensors if id(t) in sequences
            ]
            output_rates = _follow(layer, read, pieces, chunks)
            rate_of |= dict(zip(map(id, node.outputs), output_rates, strict=True))
            continue
        rows = zeros.get(id(node.input_tensors[0]), _NONE) if node.input_tensors else _NONE
        call_step = step(node, sequences, rows, pieces)
        problem = call_step.problem or _given_states(node, pieces, chunks)
        if problem:
            raise UnspoolError(f"layer {layer.name!r} ({type(layer).__name__}): {problem}")
        _note(layer, call_step, rate, chunks)
        rate_of |= dict.fromkeys(map(id, node.outputs), rate * call_step.given / call_step.taken)
        zeros |= dict.fromkeys(map(id, node.outputs), call_step.zeros)
    if any(any(zeros.get(id(tensor), _NONE)) for tensor in whole.outputs):
        raise UnspoolError(f"an output begins or ends with zeros, {ZEROS}")
    return [rate_of.get(id(tensor), Fraction(1)) for tensor in whole.outputs]


def _given_states(node: Any, pieces: Pieces, chunks: Chunks) -> str:
    """Why a layer cannot begin with the states that it is given; else ""."""
    is_recurrent = isinstance(node.operation, keras.layers.RNN)
    if not is_recurrent or id(node) in chunks.begun or not given_states(node):
        return ""
    return (
        "the model gives it an initial state itself, at the start of each call; deploy it "
        f"{pieces.otherwise} (a state that is an input and an output of the model is fed back all "
        "the same)"
    )


def _note(layer: Any, call_step: Step, rate: Fraction, chunks: Chunks) -> None:
    """Note what a call needs of a piece."""
    whole = call_step.taken * rate.denominator
    chunks.multiple = math.lcm(chunks.multiple, whole // math.gcd(whole, rate.numerator))
    if call_step.reads_windows:
        chunks.windows.add(id(layer))
    chunks.pools_all |= call_step.pools_all
    if call_step.is_reshape:
        chunks.reshapes.add(id(layer))


def timed(model: Any) -> set[int]:
    """Tensors, by id, whose first dimension after the batch is time."""
    stills, inputs = _stills(model), graph.functional(model).inputs
    sequences = {id(tensor) for tensor, has in zip(inputs, in_time(model), strict=True) if has}
    tensors = (output for node in graph.nodes(model) for output in node.outputs)
    return sequences | {id(t) for t in tensors if len(t.shape) > 2 and id(t) not in stills}


def _stills(model: Any) -> set[int]:
    """Tensors that have more than two dimensions and no time: images that are no sequence.

    They begin as the last output of a convolutional recurrence, as its states, as what is pooled
    over all steps, or as ids that are no sequence.
    """
    inputs = zip(
        graph.functional(model).inputs, graph.takes_ids(model), in_time(model), strict=True
    )
    stills = {id(tensor) for tensor, ids, has in inputs if ids and not has}
    for node in graph.nodes(model):
        layer, outputs = node.operation, []
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            outputs = node.outputs[_sequences(layer) :]
        elif pools_all(layer):
            outputs = node.outputs  # with `keepdims`
        elif node.input_tensors and all(id(tensor) in stills for tensor in node.input_tensors):
            outputs = node.outputs
        stills |= {id(tensor) for tensor in outputs if len(tensor.shape) > 2}
    return stills


def _sequences(layer: Any) -> int:
    """How many outputs of a recurrent layer are sequences; they come before its states."""
    if not layer.return_sequences:
        return 0
    return 2 if getattr(layer, "merge_mode", "") is None else 1
