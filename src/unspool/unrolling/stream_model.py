"""Trained model -> deploy model of a stream, or of several calls for a sequence."""

from dataclasses import replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.sequences import in_time
from unspool.tflite.marks import Calls
from unspool.unrolling import taken
from unspool.unrolling.beginnings import Beginnings
from unspool.unrolling.deploy_model import new_inputs, rebuilt
from unspool.unrolling.layer_rules import by_rules, check
from unspool.unrolling.mask_checks import check_full_length
from unspool.unrolling.mask_inputs import MaskInputs
from unspool.unrolling.pieces import CALLS, Pieces, stream
from unspool.unrolling.rebuilding import Rebuilder, Scopes
from unspool.unrolling.recurrent_layers import DeployState, streaming
from unspool.unrolling.stream_checks import Chunks, check_streams
from unspool.unrolling.stream_windows import Windows


def unroll_stream(
    model: Any,
    time_steps: int = 1,
    *,
    allow_cpu: bool = False,
    full_length: bool = False,
    lookahead: bool = False,
    pool_window: int | None = None,
    pool_since_reset: bool = False,
) -> Any:
    """Rebuild a trained Keras model as `unroll` does, for a stream that is fed chunk by chunk.

    Each recurrent layer gains an input `<layer>.h_in` and an output `<layer>.h_out`, each
    (1, units), an LSTM `.c_in` and `.c_out` too; in the .tflite they are called `<layer>/h_in` and
    so on.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        time_steps: of one chunk, whatever length the model was trained on. Where inputs have
            different lengths, such as 60 and 20, those of the shortest; the others get as many
            more, 3 for 1.
        allow_cpu: accept layers that an Ethos-U55 or U65 does not run, such as Embedding.
        full_length: no sequence is ever padded, so that masks are left out.
        lookahead: accept that outputs come some time steps later than what they are of, where
            convolutions read what is to come, by padding "same".
        pool_window: time steps, a multiple of `time_steps`: over so many of the last ones a
            GlobalAveragePooling or GlobalMaxPooling pools. What it gives is that of a sequence of
            so many steps, once they are there.
        pool_since_reset: until then it is that of the sequence since the reset; without, zeros
            stand for the steps that have not come.

    Returns:
        a Functional Keras model with the model's inputs, the masks, then the
        states; and its outputs, then the states.

    Raises:
        UnspoolError: as `unroll`, and for layers that compute something else chunk by chunk:
            backward recurrence, or what mixes all time steps.

    Example:
        >>> deploy_model = unspool.unroll_stream(model, time_steps=2)  # of a GRU with 8 units
        >>> [tensor.shape for tensor in deploy_model.inputs]
        [(1, 2, 5), (1, 8)]
    """
    pieces = stream(lookahead, pool_window, pool_since_reset)
    chunks = check_streams(model, pieces)
    taken.chunks(model, time_steps)  # what is wrong with the inputs is told first
    chunks.check(time_steps)
    if pieces.pool_window % time_steps:
        raise UnspoolError(
            f"`pool_window` {pool_window}: expected a multiple of the {time_steps} time steps of a "
            "call"
        )
    return _unrolled_stream(model, chunks, time_steps, pieces, 0, allow_cpu, full_length)


def shortest(deploy_model: Any, time_steps: int) -> int:
    """The fewest time steps of a sequence of which a stream gives anything.

    Args:
        deploy_model: what `unroll_stream` returned.
        time_steps: of a call.
    """
    calls: Calls = deploy_model.interface.marks.calls
    return (calls.warm_up + 1) * time_steps


def _unrolled_stream(
    model: Any,
    chunks: Chunks,
    time_steps: int,
    pieces: Pieces,
    count: int,
    allow_cpu: bool,
    full_length: bool,
) -> Any:
    """What `unroll_stream` returns, of a model that can be cut so.

    It is marked as one that is called `count` times for a sequence, 0 for any.
    """
    check(by_rules(model, full_length=full_length), model, allow_cpu)
    if full_length:
        check_full_length(model)
    states: list[DeployState] = []
    scopes = Scopes()
    inputs = new_inputs(taken.chunks(model, time_steps), scopes)
    masks = None if full_length else MaskInputs(model, inputs, scopes.give)
    named = {id(t): d.name for t, d in zip(inputs, structure.inputs(model), strict=True)}
    begin = Beginnings(time_steps)
    begin.begin([each for each, timed in zip(inputs, in_time(model), strict=True) if timed])
    rebuilder = Rebuilder(
        lambda layer, name: streaming(layer, name, states, scopes.give, begin.calls_before, named),
        scopes,
        masks,
        Windows(chunks.windows, chunks.reshapes, states, scopes.give, begin, pieces),
    )
    deploy_model = rebuilt(model, inputs, rebuilder, states)
    if not states:
        raise UnspoolError(
            f"model {model.name!r} has nothing to carry from call to call: no recurrent layer, and "
            f"none that reads several time steps; deploy it {pieces.otherwise}"
        )
    return _called(deploy_model, model, chunks, begin, count)


def unroll_calls(
    model: Any,
    steps_per_call: int,
    time_steps: int | None = None,
    *,
    allow_cpu: bool = False,
    full_length: bool = False,
) -> Any:
    """Rebuild a trained Keras model as `unroll` does, to be called several times for a sequence.

    It has states as what `unroll_stream` returns. Run from initial states, its calls give the
    outputs of the whole sequence: of an output in time a part each, of others the last one counts.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        steps_per_call: time steps of one call; a divisor of those of the sequence. Where inputs
            have different lengths, those of the shortest.
        time_steps: length of the sequence where the model leaves it open.
        allow_cpu: accept layers that an Ethos-U55 or U65 does not run, such as Embedding.
        full_length: no sequence is ever padded, so that masks are left out.

    Raises:
        UnspoolError: as `unroll`; the steps are no divisor; and for layers that read time steps of
            other calls: backward recurrence, convolution, pooling or reshaping over time.

    Example:
        >>> deploy_model = unspool.unroll_calls(model, 2)  # of a GRU with 8 units, 6 time steps
        >>> [tensor.shape for tensor in deploy_model.inputs]
        [(1, 2, 5), (1, 8)]
        >>> deploy_model.interface.marks.calls.count
        3
    """
    chunks = check_streams(model, CALLS)
    count = taken.calls(model, time_steps, steps_per_call)
    chunks.check(steps_per_call, "steps_per_call")
    return _unrolled_stream(model, chunks, steps_per_call, CALLS, count, allow_cpu, full_length)


def _called(deploy_model: Any, model: Any, chunks: Chunks, begin: Beginnings, count: int) -> Any:
    """The deploy model, marked as one that is called so many times for a sequence, 0 for any."""
    names, interface = structure.output_names(model), deploy_model.interface
    outputs = deploy_model.outputs[: len(names)]
    begins = [begin.of(tensor) for tensor in outputs]
    warm_up = max(max(each.calls, each.fills) for each in begins)
    late = begin.late(outputs)
    parts = tuple(names[number] for number in chunks.outputs)
    last = [name for name in names if name not in parts]
    if late and last:
        raise UnspoolError(
            f"output {last[0]!r} is of the last time step, which a stream gives {late} steps late; "
            "expected outputs of each step, by `return_sequences=True`, or smaller `time_steps`"
        )
    if warm_up and interface.marks.masks:
        raise UnspoolError(
            f"padded steps are marked by a mask, which cannot wait the {warm_up} calls in which "
            "windows fill; expected `full_length`, or convolutions with padding 'causal'"
        )
    waits = tuple(begins[number].calls for number in chunks.outputs)
    calls = Calls(count, parts, waits if any(waits) else (), warm_up, late)
    deploy_model.interface = replace(interface, marks=replace(interface.marks, calls=calls))
    return deploy_model
