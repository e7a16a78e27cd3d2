"""Trained model -> deploy model: the same function with batch size 1 and no loop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.heads import heads
from unspool.frontend.origins import cut
from unspool.frontend.sequences import in_time
from unspool.support._tensorflow import keras
from unspool.support.samples import OpenInput
from unspool.tflite.marks import Calls, Ids, Interface, Marks
from unspool.tflite.masks import Mask, computed
from unspool.tflite.names import State, keras_name
from unspool.unrolling import fed_back as hand
from unspool.unrolling import taken
from unspool.unrolling.layer_rules import by_rules, check
from unspool.unrolling.leading import Scaled, leading
from unspool.unrolling.mask_checks import check_full_length
from unspool.unrolling.mask_inputs import MaskInputs
from unspool.unrolling.pieces import CALLS, LATE_STREAM, STREAM
from unspool.unrolling.rebuilding import Rebuilder, Scopes, alone
from unspool.unrolling.recurrent.loop import PerStep, Unrolled
from unspool.unrolling.recurrent_layers import DeployState, streaming
from unspool.unrolling.stream_checks import Chunks, check_streams
from unspool.unrolling.stream_windows import Windows

_NOTHING: Mapping[str, str] = {}


def unroll(
    model: Any,
    time_steps: int | None = None,
    *,
    allow_cpu: bool = False,
    full_length: bool = False,
    fed_back: Mapping[str, str] = _NOTHING,
) -> Any:
    """Rebuild a trained Keras model without loops, for one sample at a time.

    Recurrent layers are replaced by `time_steps` copies of their step that share weights. Nested
    models are flattened, dropout is left out, and every other layer is cloned with its weights. The
    trained model is not changed.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        time_steps: length of the sequence where the model leaves it open, `(None, features)`.
        allow_cpu: accept layers that an Ethos-U55 or U65 does not run, such as Embedding.
        full_length: no sequence is ever padded, so that masks are left out.
        fed_back: input -> output, of states that the model takes and gives itself, where its graph
            does not show that they are: the pair gets one scale.

    Returns:
        a Functional Keras model with batch size 1, and the same inputs and outputs, as lists; where
        time steps are masked, with one more input, (1, time steps), that is 1 for valid steps.
        Characters in names that TensorFlow does not allow are replaced.

    Raises:
        UnspoolError: the model has no graph, no recurrent layer, or a layer that cannot be
            deployed; the message names it.

    Example:
        >>> deploy_model = unspool.unroll(model)  # trained on 6 time steps of 5 features
        >>> deploy_model.inputs[0].shape
        (1, 6, 5)
    """
    check(by_rules(model, full_length=full_length), model, allow_cpu)
    if full_length:
        check_full_length(model)
    scopes = Scopes()
    inputs = _inputs(taken.sequences(model, time_steps), scopes)
    masks = None if full_length else MaskInputs(model, inputs, scopes.give)
    by_hand = hand.fed_back(model, fed_back)
    return _deploy_model(model, inputs, Rebuilder(scopes=scopes, masks=masks), [], by_hand)


def unroll_stream(
    model: Any,
    time_steps: int = 1,
    *,
    allow_cpu: bool = False,
    full_length: bool = False,
    lookahead: bool = False,
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
    chunks = check_streams(model, LATE_STREAM if lookahead else STREAM)
    taken.chunks(model, time_steps)  # what is wrong with the inputs is told first
    chunks.check(time_steps)
    return _unrolled_stream(model, chunks, time_steps, 0, allow_cpu, full_length)


def _unrolled_stream(
    model: Any, chunks: Chunks, time_steps: int, count: int, allow_cpu: bool, full_length: bool
) -> Any:
    """What `unroll_stream` returns, of a model that can be cut so.

    It is marked as one that is called `count` times for a sequence, 0 for any.
    """
    check(by_rules(model, full_length=full_length), model, allow_cpu)
    if full_length:
        check_full_length(model)
    states: list[DeployState] = []
    scopes = Scopes()
    inputs = _inputs(taken.chunks(model, time_steps), scopes)
    masks = None if full_length else MaskInputs(model, inputs, scopes.give)
    windows = Windows(chunks.windows, chunks.reshapes, states, scopes.give, time_steps)
    windows.begin([each for each, timed in zip(inputs, in_time(model), strict=True) if timed])
    rebuilder = Rebuilder(
        lambda layer, name: streaming(layer, name, states, scopes.give, windows.calls_before),
        scopes,
        masks,
        windows,
    )
    deploy_model = _deploy_model(model, inputs, rebuilder, states)
    return _called(deploy_model, model, chunks, windows, count)


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
    return _unrolled_stream(model, chunks, steps_per_call, count, allow_cpu, full_length)


def _called(deploy_model: Any, model: Any, chunks: Chunks, windows: Windows, count: int) -> Any:
    """The deploy model, marked as one that is called so many times for a sequence, 0 for any."""
    names, interface = structure.output_names(model), deploy_model.interface
    outputs = deploy_model.outputs[: len(names)]
    warm_up, late = max(map(windows.calls_before, outputs)), windows.late(outputs)
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
    calls = Calls(count, parts, warm_up, late)
    deploy_model.interface = replace(interface, marks=replace(interface.marks, calls=calls))
    return deploy_model


def _deploy_model(
    model: Any,
    inputs: list[Any],
    rebuilder: Rebuilder,
    states: list[DeployState],
    by_hand: tuple[State, ...] = (),
) -> Any:
    """The model on new inputs, under its own names; `states` is filled while it is rebuilt."""
    scopes = rebuilder.scopes
    _scale_inputs(model, rebuilder)
    names = structure.output_names(model)
    rebuilt = rebuilder.rebuild(model, inputs)
    if rebuilder.windows:
        rebuilt = rebuilder.windows.together(model.name, rebuilt)
    outputs = [_named(*each, scopes) for each in zip(rebuilt, names, strict=True)]
    if rebuilder.windows:
        for each in zip(rebuilt, outputs, strict=True):
            rebuilder.windows.follow(*each)
    before = [state.before for state in states]
    after = [
        keras.layers.Identity(name=scopes.give(keras_name(state.names.output)))(state.after)
        for state in states
    ]
    masks: tuple[Mask, ...] = ()
    mask_inputs: list[Any] = []
    if rebuilder.masks:
        masks, mask_inputs = rebuilder.masks.read(before, [*outputs, *after])
    deploy_model = keras.Model(
        alone([*inputs, *mask_inputs, *before]),
        alone([*outputs, *after]),
        name=scopes.give(model.name),
    )
    described = structure.inputs(model)
    given = [tensor.name for tensor in described]
    deploy_model.interface = Interface(
        inputs=(*given, *computed(masks), *(state.names.input for state in states)),
        outputs=(*names, *(state.names.output for state in states)),
        marks=Marks(
            layers=_opened(deploy_model),
            states=tuple(state.names for state in states),
            heads=heads(model),
            masks=masks,
            fed_back=by_hand,
            ids=tuple(Ids(t.name, t.rows) for t in described if t.dtype == "int32"),
            in_time=tuple(n for n, timed in zip(given, in_time(model), strict=True) if timed),
            padding=rebuilder.masks.padding(rebuilt) if rebuilder.masks else (),
            cut=cut(model),
        ),
    )
    return deploy_model


def _scale_inputs(model: Any, rebuilder: Rebuilder) -> None:
    """Put one scaling in the place of the layers that only scale an input."""
    for lead in filter(None, leading(model)):
        name = rebuilder.scopes.give(lead.layers[0].name)
        rebuilder.replace(lead.layers[0], Scaled(lead, name=name))
        for layer in lead.layers[1:]:
            rebuilder.replace(layer, lambda tensor, **_: tensor)


def _opened(deploy_model: Any) -> tuple[str, ...]:
    """The layers whose steps have scopes of their own."""
    layers = deploy_model._flatten_layers()
    return tuple(layer.name for layer in layers if isinstance(layer, Unrolled | PerStep))


def _named(tensor: Any, name: str, scopes: Scopes) -> Any:
    """The tensor, as the output of an operation with the name of the trained model's output."""
    if tensor._keras_history.operation.name == name:
        return tensor
    return keras.layers.Identity(name=scopes.give(name))(tensor)


def _inputs(taken: Sequence[OpenInput], scopes: Scopes) -> list[Any]:
    """Inputs with batch size 1."""
    return [
        keras.Input(t.shape[1:], batch_size=1, dtype=t.dtype, name=scopes.give(t.name))
        for t in taken
    ]
