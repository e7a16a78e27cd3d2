"""What happens to each layer and function of a trained model, as far as it can be known untried."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from unspool.errors import UnspoolError
from unspool.frontend import graph, structure
from unspool.frontend.activations import activation_name
from unspool.frontend.graph import is_graph
from unspool.frontend.ranged import Ranged
from unspool.support._tensorflow import keras
from unspool.unrolling import attention, lookups, resizing
from unspool.unrolling.activations.forms import FORMS, has_form
from unspool.unrolling.fed_back import by_layer
from unspool.unrolling.frames import holds_recurrence
from unspool.unrolling.graph_checks import check_graph
from unspool.unrolling.leading import leading
from unspool.unrolling.mask_checks import Findings, begins_mask, findings
from unspool.unrolling.masking import Clearing
from unspool.unrolling.recurrent_layers import KNOWN_CELLS, cells

Action: TypeAlias = Literal["unroll", "keep", "fold", "input", "remove", "cpu", "refuse"]
"""unroll: its loop is unrolled; keep: it is deployed as it is; fold: it becomes part of a
neighbouring layer; input: it is applied where the input is quantized, which then takes real units;
remove: it does nothing at inference; cpu: it is deployed, but Ethos-U55 and U65 leave it to the
CPU; refuse: the model cannot be deployed with it."""


@dataclass(frozen=True)
class Verdict:
    """What happens to one layer, or to one function of `keras.ops`.

    Attributes:
        layer: its name; in a nested model behind that model's name and a slash.
        kind: its class, in which Keras writes functions with a capital: "Flip" is `keras.ops.flip`.
        action: what happens to it.
        detail: how, or why not and what to change.
    """

    layer: str
    kind: str
    action: Action
    detail: str = ""


def by_rules(model: Any, *, full_length: bool = False) -> tuple[Verdict, ...]:
    """What is known of each layer and function of a model, without trying: `unroll` does it.

    Args:
        model: a built Sequential or Functional Keras model.
        full_length: no sequence is ever padded, so that masks are left out.

    Returns:
        a verdict for each of `graph.operations(model)`.

    Raises:
        UnspoolError: not a Keras model, or one without a graph of layers.
    """
    check_graph(model)
    scaling = {
        layer.name: tensor.name
        for lead, tensor in zip(leading(model), model.inputs, strict=True)
        for layer in (lead.layers if lead else ())
    }
    by_hand = by_layer(model)
    masks = Findings() if full_length else findings(model)
    verdicts = []
    for entry in graph.operations(model):
        action, detail = _in_graph(entry, masks)
        detail = _joined(detail, by_hand.get(entry.name, ""))
        if entry.name in scaling and action != "remove":
            action, detail = (
                "input",
                (
                    f"done where input {scaling[entry.name]!r} is quantized, feature by feature: "
                    "the bundle's function and Session take real units"
                ),
            )
        verdicts.append(Verdict(entry.name, type(entry.operation).__name__, action, detail))
    return tuple(verdicts)


def check(verdicts: Sequence[Verdict], model: Any, allow_cpu: bool) -> None:
    """Check that a model can be deployed.

    Args:
        verdicts: of its layers and functions.
        model: the trained model.
        allow_cpu: accept what no NPU runs.

    Raises:
        UnspoolError: it cannot; the message names the first layer that is in the way.
    """
    for verdict in verdicts:
        if verdict.action == "refuse" or (verdict.action == "cpu" and not allow_cpu):
            raise UnspoolError(f"layer {verdict.layer!r} ({verdict.kind}): {verdict.detail}")


def _joined(*details: str) -> str:
    return "; ".join(filter(None, details))


def _in_graph(entry: graph.Entry, masks: Findings) -> tuple[Action, str]:
    """What happens to a layer where it is called: masks reach it, or several tensors."""
    layer = entry.operation
    action, detail = _verdict(layer)
    for applies, problem in _BY_CALLS:
        if applies(layer) and action != "refuse" and (why_not := problem(layer, entry.calls)):
            return "refuse", why_not
    if action == "refuse":
        return action, detail
    if id(layer) in masks.refused:
        return "refuse", masks.refused[id(layer)]
    return action, _joined(detail, masks.notes.get(id(layer), ""))


def _verdict(layer: Any) -> tuple[Action, str]:
    for kinds, judge in _RULES:
        if isinstance(layer, kinds):
            return judge(layer)
    return _by_activation(layer)


def _by_activation(layer: Any) -> tuple[Action, str]:
    function = getattr(layer, "activation", None)
    name = "" if function is None else activation_name(function)
    if name in _OVER_CLASSES:
        return "refuse", (
            f"activation is {name!r}, which the NPU has no operator for; use softmax, or a linear "
            "layer and do it to the output"
        )
    return "keep", ""


def _recurrent(layer: Any) -> tuple[Action, str]:
    if type(layer).call not in _KERAS_CALLS:
        return "refuse", (
            "its class has a call() of its own, which would be lost; put what it does into a cell "
            "and use keras.layers.RNN(cell)"
        )
    for cell in cells(layer):
        problem = _activation_problem(cell)
        if problem:
            return "refuse", problem
        if getattr(cell, "data_format", "channels_last") != "channels_last":
            return "refuse", "channels_first: the NPU convolves channels_last; train it so"
    own = [type(cell).__name__ for cell in cells(layer) if type(cell) not in KNOWN_CELLS]
    notes = [f"its own cell {name} is run as it is" for name in own]
    if any(getattr(cell, "recurrent_dropout", 0) for cell in cells(layer)):
        notes.append("recurrent_dropout does nothing at inference and is ignored")
    if layer.stateful:
        notes.append("stateful=True is what `states` means here: without, calls start from zero")
    return "unroll", "; ".join(notes)


def _activation_problem(cell: Any) -> str:
    if type(cell) not in KNOWN_CELLS:
        return ""
    usable = ", ".join(name for name in sorted(FORMS) if hasattr(keras.activations, name))
    for which in ("activation", "recurrent_activation"):
        function = getattr(cell, which, None)
        if function is not None and not has_form(function):
            return (
                f"{which} is {activation_name(function)!r}, which has no form in a cell; "
                f"use one of {usable}"
            )
    return ""


def _bidirectional(layer: Any) -> tuple[Action, str]:
    verdicts = [_verdict(part) for part in (layer.forward_layer, layer.backward_layer)]
    return next((v for v in verdicts if v[0] == "refuse"), verdicts[0])


def _time_distributed(layer: Any) -> tuple[Action, str]:
    inner = layer.layer
    if begins_mask(inner):
        return "refuse", "a mask for each time step; put the Masking layer in front of it"
    within = list(graph.operations(inner)) if is_graph(inner) else []
    for entry in within:
        action, detail = _in_graph(entry, Findings())
        if action in ("refuse", "cpu"):
            kind = type(entry.operation).__name__
            return action, f"its layer {entry.name!r} ({kind}) {detail}"
    alone = _verdict(inner)
    if alone[0] in ("refuse", "cpu"):
        return alone
    if not holds_recurrence(inner):
        return "keep" if is_graph(inner) else alone[0], "applied to each time step"
    if any(isinstance(each, keras.layers.TimeDistributed) for each in (inner, *_inside(inner))):
        return "refuse", (
            "applies a recurrent layer to each time step of each time step; reshape both into one"
        )
    return "unroll", "a recurrence for each time step; all of them run side by side"


def _inside(layer: Any) -> Iterator[Any]:
    """The layers of a model, and of models in it; none of another layer."""
    for inner in layer.layers if is_graph(layer) else ():
        yield from (inner, *_inside(inner))


def _always(action: Action, detail: str) -> Callable[[Any], tuple[Action, str]]:
    return lambda layer: (action, detail)


_BY_CALLS: list[tuple[Callable[[Any], bool], Callable[[Any, Sequence[Any]], str]]] = [
    (attention.is_attention, attention.problem),
    (resizing.is_function, resizing.problem),
    (lookups.is_table, lookups.problem),
]
"""Whether it is about a layer or function; why that cannot be deployed as it is called, or ""."""

_OVER_CLASSES = ("log_softmax", "sparsemax")

_KERAS_CALLS = {
    keras.layers.RNN.call,
    keras.layers.SimpleRNN.call,
    keras.layers.GRU.call,
    keras.layers.LSTM.call,
    keras.layers.ConvLSTM1D.call,
}

_IN_3D = "convolves over three dimensions, which no Ethos-U has an operator for"

_RULES: list[tuple[Any, Callable[[Any], tuple[Action, str]]]] = [
    (
        keras.layers.ConvLSTM3D,
        _always("refuse", f"{_IN_3D}; use ConvLSTM2D"),
    ),
    (
        keras.layers.Conv3D,
        _always("refuse", f"{_IN_3D}; use TimeDistributed(Conv2D(...))"),
    ),
    (keras.layers.Bidirectional, _bidirectional),
    (keras.layers.RNN, _recurrent),
    ((keras.layers.Masking, Clearing), _always("keep", "padded steps are told by an input")),
    (keras.layers.Embedding, _always("cpu", lookups.ON_THE_CPU)),
    (lookups.TO_WHOLE, _always("refuse", lookups.WHY_NOT_WHOLE)),
    (
        keras.layers.Lambda,
        _always("refuse", "runs Python code that would have to be trusted; use a layer"),
    ),
    (keras.layers.TimeDistributed, _time_distributed),
    (Ranged, _always("remove", "gives its tensor's range to the calibration")),
    (structure.REMOVED, _always("remove", "does nothing at inference")),
    (keras.layers.BatchNormalization, _always("fold", "into the layer before or after it")),
]
