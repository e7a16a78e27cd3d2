"""Trained model -> deploy model: the same function with batch size 1 and no loop."""

from collections.abc import Mapping, Sequence
from typing import Any

from unspool.frontend import structure
from unspool.frontend.heads import heads
from unspool.frontend.origins import cut
from unspool.frontend.sequences import in_time
from unspool.support._tensorflow import keras
from unspool.support.samples import OpenInput
from unspool.tflite.marks import Ids, Interface, Marks
from unspool.tflite.masks import Mask, computed
from unspool.tflite.names import State, keras_name
from unspool.unrolling import fed_back as hand
from unspool.unrolling import taken
from unspool.unrolling.layer_rules import by_rules, check
from unspool.unrolling.leading import Scaled, leading
from unspool.unrolling.mask_checks import check_full_length
from unspool.unrolling.mask_inputs import MaskInputs
from unspool.unrolling.rebuilding import Rebuilder, Scopes, alone
from unspool.unrolling.recurrent.loop import PerStep, Unrolled
from unspool.unrolling.recurrent_layers import DeployState

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
    inputs = new_inputs(taken.sequences(model, time_steps), scopes)
    masks = None if full_length else MaskInputs(model, inputs, scopes.give)
    by_hand = hand.fed_back(model, fed_back)
    return rebuilt(model, inputs, Rebuilder(scopes=scopes, masks=masks), [], by_hand)


def rebuilt(
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
    results = rebuilder.rebuild(model, inputs)
    outputs = _outputs(results, names, rebuilder)
    before = [state.before for state in states if not state.names.given]
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
    timed = [t.name for t, has in zip(described, in_time(model), strict=True) if has]
    marks = Marks(
        layers=_opened(deploy_model),
        states=tuple(state.names for state in states),
        heads=heads(model),
        masks=masks,
        fed_back=by_hand,
        ids=tuple(Ids(t.name, t.rows) for t in described if t.dtype == "int32"),
        in_time=tuple(timed),
        padding=rebuilder.masks.padding(results) if rebuilder.masks else (),
        cut=cut(model),
    )
    deploy_model.interface = _interface(described, names, marks)
    return deploy_model


def _interface(described: Sequence[OpenInput], names: Sequence[str], marks: Marks) -> Interface:
    """What the .tflite of a deploy model is to call its inputs and outputs."""
    input_names = [tensor.name for tensor in described]
    own = [state.input for state in marks.states if not state.given]
    after = [state.output for state in marks.states]
    return Interface(
        inputs=(*input_names, *computed(marks.masks), *own),
        outputs=(*names, *after),
        marks=marks,
    )


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


def _outputs(results: Sequence[Any], names: Sequence[str], rebuilder: Rebuilder) -> list[Any]:
    """What was computed, under the names of the model's outputs."""
    outputs = [_named(*each, rebuilder.scopes) for each in zip(results, names, strict=True)]
    if rebuilder.windows:
        for each in zip(results, outputs, strict=True):
            rebuilder.windows.beginnings.follow(*each)
    return outputs


def _named(tensor: Any, name: str, scopes: Scopes) -> Any:
    """The tensor, as the output of an operation with the name of the trained model's output."""
    if tensor._keras_history.operation.name == name:
        return tensor
    return keras.layers.Identity(name=scopes.give(name))(tensor)


def new_inputs(inputs: Sequence[OpenInput], scopes: Scopes) -> list[Any]:
    """Inputs with batch size 1."""
    return [
        keras.Input(t.shape[1:], batch_size=1, dtype=t.dtype, name=scopes.give(t.name))
        for t in inputs
    ]
