"""What would become of each layer and function of a trained model, before any of it is done."""

from dataclasses import dataclass, replace
from typing import Any

from unspool.compilation import targets
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.frontend import graph
from unspool.frontend.graph import is_real
from unspool.inspection.advice import instead
from unspool.inspection.alone import call_alone, configuration, rebuilt_with
from unspool.inspection.trying import Outcome, attempt
from unspool.support._tensorflow import keras
from unspool.support.eager_kernels import kernels_freed
from unspool.support.text import last_line
from unspool.tflite.tflm_limits import IN_INT8
from unspool.unrolling import layer_rules
from unspool.unrolling.activations.forms import has_form
from unspool.unrolling.layer_rules import Verdict
from unspool.unrolling.recurrent_layers import KNOWN_CELLS, cells

_OPEN_LENGTH = 8  # time steps, where neither the model nor the user says how many


@dataclass(frozen=True)
class _Trials:
    """How the layers of one model are tried."""

    activations: str
    target: Target
    time_steps: int


@kernels_freed()
def inspect(
    model: Any,
    *,
    time_steps: int | None = None,
    activations: str = "int8",
    target: Target | None = None,
    full_length: bool = False,
) -> tuple[Verdict, ...]:
    """Say what `deploy` would do with each layer and function of a model.

    Recurrent layers, and what the rules decide, are known. Each other layer is tried: alone, on its
    own shape, it is converted, quantized and compiled, which takes some tenths of a second.

    Args:
        model: a built Sequential or Functional Keras model.
        time_steps: length of the sequence where the model leaves it open.
        activations: "int8" or "int16".
        target: what to compile for; ethos-u55-128 where None.
        full_length: no sequence is ever padded, so that masks are left out.

    Raises:
        UnspoolError: not a Keras model, or one without a graph of layers.

    Example:
        >>> [(verdict.layer, verdict.action) for verdict in unspool.inspect(model)]
        [('gru', 'unroll'), ('y', 'keep')]
    """
    verdicts = layer_rules.by_rules(model, full_length=full_length)
    trials = _Trials(activations, target or targets.target(), time_steps or _OPEN_LENGTH)
    return _judged(list(zip(verdicts, graph.operations(model), strict=True)), trials)


def _judged(by_rules: list[tuple[Verdict, graph.Entry]], trials: _Trials) -> tuple[Verdict, ...]:
    """Try what the rules do not know all about; what makes a layer refused stands for it."""
    judged, blamed = [], {}
    for verdict, layer in by_rules:
        tried = _tried(verdict, layer, trials) if _is_tried(verdict, layer.operation) else verdict
        culprit = _culprit(layer, trials) if tried != verdict and tried.action == "refuse" else None
        if culprit:
            blamed[id(culprit.operation)] = culprit
        judged.append((verdict if culprit else tried, layer.operation))
    return tuple(
        _refused(verdict, blamed[id(operation)], trials) if id(operation) in blamed else verdict
        for verdict, operation in judged
    )


def _culprit(layer: graph.Entry, trials: _Trials) -> graph.Entry | None:
    """The function without which a refused layer would not be: it gives truth values or positions.

    Such a function is tried together with what reads it, and by itself only where that is refused.
    It is the first that cannot be done; that its whole numbers cannot be cast counts only where the
    layer is refused for no more than that.
    """
    reason = _worst(layer, trials).refused
    for maker in (maker for call in layer.calls for maker in rebuilt_with(call)):
        own = _result(maker, trials).refused
        if own and (own == reason or not own.startswith("CAST has no")):
            return graph.Entry(maker.operation.name, maker.operation, (maker,))
    return None


def _refused(verdict: Verdict, culprit: graph.Entry, trials: _Trials) -> Verdict:
    if verdict.action == "refuse":  # the rules say it better
        return verdict
    reason = _result(culprit.calls[0], trials).refused.removesuffix(IN_INT8)
    detail = f"{reason}; {instead(verdict.kind)}"
    return replace(verdict, action="refuse", detail=detail)


def _is_tried(verdict: Verdict, operation: Any) -> bool:
    return verdict.action in ("keep", "fold", "unroll", "cpu") and not _is_known(operation)


def _is_known(operation: Any) -> bool:
    """Whether it is one of the layers of every network, which the rules know all about."""
    if isinstance(operation, keras.layers.Bidirectional):
        return _is_known(operation.forward_layer) and _is_known(operation.backward_layer)
    if isinstance(operation, keras.layers.RNN):
        return all(type(cell) in KNOWN_CELLS for cell in cells(operation))
    if type(operation) is keras.layers.Dense:
        return has_form(operation.activation) or operation.activation is keras.activations.softmax
    return isinstance(operation, keras.layers.Masking)


def _tried(verdict: Verdict, layer: graph.Entry, trials: _Trials) -> Verdict:
    came_to = _worst(layer, trials)
    if came_to.refused:
        detail = f"{came_to.refused.removesuffix(IN_INT8)}; {_instead(verdict.kind, layer, trials)}"
        return replace(verdict, action="refuse", detail=detail)
    if verdict.action == "cpu":  # as the rules have it, which do not know the target
        looked_up = replace(verdict, action="keep", detail="looks up token ids")
        return verdict if came_to.on_cpu else looked_up
    if came_to.on_cpu:
        in_int8 = _in_int8(layer, trials) == Outcome()
        where = "in int8 (`activations`) it runs on the NPU, here" if in_int8 else "it runs"
        detail = f"{came_to.on_cpu}; {where} on the CPU (accept it with `allow_cpu`)"
        return replace(verdict, action="cpu", detail=detail)
    return verdict


def _worst(layer: graph.Entry, trials: _Trials) -> Outcome:
    """What the calls of a layer come to: the first reason of each kind."""
    results = [_result(call, trials) for call in layer.calls if any(map(is_real, call.outputs))]
    return Outcome(
        refused=next((result.refused for result in results if result.refused), ""),
        on_cpu=next((result.on_cpu for result in results if result.on_cpu), ""),
    )


def _in_int8(layer: graph.Entry, trials: _Trials) -> Outcome | None:
    """What a layer would come to in int8; None where that was tried."""
    if trials.activations == "int8":
        return None
    return _worst(layer, replace(trials, activations="int8"))


def _instead(kind: str, layer: graph.Entry, trials: _Trials) -> str:
    """What to do where a layer is refused."""
    int8 = _in_int8(layer, trials)
    if int8 is None or int8.refused:
        return instead(kind)
    where = "CPU (accept it with `allow_cpu`)" if int8.on_cpu else "NPU"
    return f"use int8 (`activations`), where it runs on the {where}, or {instead(kind)}"


def _result(call: Any, trials: _Trials) -> Outcome:
    """What one call comes to; layers of Keras's own that are configured alike are tried once."""
    alike = configuration(call)
    if not alike:
        return _try(call, trials)
    if (alike, trials) not in _RESULTS:
        _RESULTS[alike, trials] = _try(call, trials)
    return _RESULTS[alike, trials]


_RESULTS: dict[tuple[str, _Trials], Outcome] = {}


def _try(call: Any, trials: _Trials) -> Outcome:
    try:
        network = call_alone(call, trials.time_steps)
        return attempt(network, trials.activations, trials.target)
    except UnspoolError as error:
        return Outcome(refused=error.reason or str(error))
    except Exception as error:  # of Keras, TensorFlow or LiteRT: `deploy` would meet it, too
        return Outcome(refused=f"tried alone, it fails: {last_line(error)}")
