"""What would happen to each layer of a trained model, before any of it is done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from unspool.frontend.activations import activation_name
from unspool.frontend.structure import REMOVED
from unspool.support._tensorflow import keras
from unspool.unrolling.activations.forms import FORMS, has_form
from unspool.unrolling.graph_checks import check_graph, is_graph
from unspool.unrolling.leading import leading
from unspool.unrolling.recurrent_layers import KNOWN_CELLS, cells

Action: TypeAlias = Literal["unroll", "keep", "fold", "input", "remove", "cpu", "refuse"]
"""unroll: its loop is unrolled; keep: it is deployed as it is; fold: it becomes part of a
neighbouring layer; input: it is applied where the input is quantized, which then takes real units;
remove: it does nothing at inference; cpu: it is deployed, but no NPU runs it; refuse: the model
cannot be deployed with it."""


@dataclass(frozen=True)
class Verdict:
    """What happens to one layer.

    Attributes:
        layer: its name; in a nested model behind that model's name and a slash.
        kind: its class.
        action: what happens to it.
        detail: how, or why not and what to change.
    """

    layer: str
    kind: str
    action: Action
    detail: str = ""


def inspect(model: Any) -> tuple[Verdict, ...]:
    """Say what `unroll` would do with each layer of a model.

    Args:
        model: a built Sequential or Functional Keras model.

    Raises:
        UnspoolError: not a Keras model, or one without a graph of layers.

    Example:
        >>> [(verdict.layer, verdict.action) for verdict in unspool.inspect(model)]
        [('gru', 'unroll'), ('y', 'keep')]
    """
    check_graph(model)
    scaling = {
        layer.name: tensor.name
        for lead, tensor in zip(leading(model), model.inputs, strict=True)
        for layer in (lead.layers if lead else ())
    }
    return tuple(
        replace(
            verdict,
            action="input",
            detail=f"done where input {scaling[verdict.layer]!r} is quantized, feature by feature: "
            "the bundle's function and Session take real units",
        )
        if verdict.layer in scaling and verdict.action != "remove"
        else verdict
        for verdict in _verdicts(model, "")
    )


def is_recurrent(layer: Any) -> bool:
    """Whether a layer runs a cell over time, in one direction or in both."""
    return isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)


def _verdicts(model: Any, prefix: str) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for layer in model.layers:
        name = prefix + layer.name
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if is_graph(layer):
            verdicts += _verdicts(layer, f"{name}/")
        else:
            action, detail = _verdict(layer)
            verdicts.append(Verdict(name, type(layer).__name__, action, detail))
    return verdicts


def _verdict(layer: Any) -> tuple[Action, str]:
    for kinds, judge in _RULES:
        if isinstance(layer, kinds):
            return judge(layer)
    return _kept(layer)


def _kept(layer: Any) -> tuple[Action, str]:
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


def _embedding(layer: Any) -> tuple[Action, str]:
    if layer.mask_zero:
        return "refuse", (
            "mask_zero=True masks time steps, which an unrolled network has no operator for; "
            "use mask_zero=False and pad with a token of its own"
        )
    return "cpu", "looks up token ids; no Ethos-U runs that (accept it with `allow_cpu`)"


def _time_distributed(layer: Any) -> tuple[Action, str]:
    if is_recurrent(layer.layer):
        return "refuse", "a recurrent layer for each time step; use one recurrent layer"
    action, detail = _verdict(layer.layer)
    return action, detail or "applied to each time step"


def _always(action: Action, detail: str) -> Callable[[Any], tuple[Action, str]]:
    return lambda layer: (action, detail)


_OVER_CLASSES = ("log_softmax", "sparsemax")

_KERAS_CALLS = {
    keras.layers.RNN.call,
    keras.layers.SimpleRNN.call,
    keras.layers.GRU.call,
    keras.layers.LSTM.call,
}

_CONV_RNN = tuple(getattr(keras.layers, f"ConvLSTM{n}D") for n in (1, 2, 3))

_RULES: list[tuple[Any, Callable[[Any], tuple[Action, str]]]] = [
    (
        _CONV_RNN,
        _always("refuse", "convolutional recurrence; use Conv2D layers before an LSTM or a GRU"),
    ),
    (keras.layers.Bidirectional, _bidirectional),
    (keras.layers.RNN, _recurrent),
    (
        keras.layers.Masking,
        _always(
            "refuse",
            "masks time steps, which an unrolled network has no operator for; train without it, "
            "on sequences padded or cut to one length",
        ),
    ),
    (keras.layers.Embedding, _embedding),
    (
        (
            keras.layers.Attention,
            keras.layers.AdditiveAttention,
            keras.layers.MultiHeadAttention,
            keras.layers.GroupQueryAttention,
        ),
        _always(
            "refuse",
            "attention multiplies two activations, which Unspool does not deploy; "
            "pool over time or take the last step instead",
        ),
    ),
    (
        keras.layers.Lambda,
        _always("refuse", "runs Python code that would have to be trusted; use a layer"),
    ),
    (keras.layers.TimeDistributed, _time_distributed),
    (REMOVED, _always("remove", "does nothing at inference")),
    (keras.layers.BatchNormalization, _always("fold", "into the layer before or after it")),
]
