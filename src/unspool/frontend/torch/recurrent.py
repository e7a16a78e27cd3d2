"""nn.RNN, nn.GRU and nn.LSTM, whole as a .pt2 file has them, as ONNX's nodes: one a layer.

PyTorch orders gates r, z, n and i, f, g, o; ONNX z, r, h and i, o, f, c.
https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html, torch.nn.LSTM.html
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.cells import kept, ordered
from unspool.frontend.onnx.graph import Node
from unspool.frontend.torch.program import Call, Ref
from unspool.frontend.torch.translation import Translation


def recurrent(call: Call, to: Translation, kind: str, activation: str = "") -> None:
    """Write a call of aten.gru, aten.lstm, aten.rnn_tanh or aten.rnn_relu.

    Args:
        call: with all layers' weights.
        to: what is written.
        kind: ONNX's operator.
        activation: of an RNN.

    Raises:
        UnspoolError: it has no form.
    """
    _check(call)
    states = call["hx"] if isinstance(call["hx"], list) else [call["hx"]]
    layers = _layers(call, 2 if call.get("bidirectional", False) else 1)
    finals: list[list[str]] = [[] for _ in states]
    x = call["input"].name
    if call.get("batch_first", False):
        x = to.add("Transpose", [x], perm=[1, 0, 2])
    for number, layer in enumerate(layers):
        starts = [to.piece(ref.name, 0, number * len(layer), len(layer)) for ref in states]
        x, *last = _layer(to, x, layer, starts, (kind, activation))
        for parts, final in zip(finals, last, strict=True):
            parts.append(final)
    order = [1, 0, 2] if call.get("batch_first", False) else [0, 1, 2]
    to.add("Transpose", [x], call.outputs[0], perm=order)
    for name, parts in zip(call.outputs[1:], finals, strict=True):
        to.add("Concat", parts, name, axis=0)


def cell(call: Call, to: Translation, kind: str, activation: str = "") -> None:
    """Write a call of aten.gru_cell, aten.lstm_cell, aten.rnn_tanh_cell or aten.rnn_relu_cell.

    Args:
        call: one step.
        to: what is written.
        kind: ONNX's operator for many steps.
        activation: of an RNN.
    """
    states = call["hx"] if isinstance(call["hx"], list) else [call["hx"]]
    refs = [call.get(name) for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
    part = [ref for ref in refs if ref is not None]
    weights = (_ordered(to, part, kind, which)[None] for which in (0, 1, 2))
    names = [kept(to.constants, array) if array.size else "" for array in weights]
    attributes: dict[str, Any] = {"hidden_size": to.shapes[call["w_hh"].name][-1]}
    attributes["linear_before_reset"] = 1
    if activation:
        attributes["activations"] = [activation]
    inputs = (call["input"].name, *names, "", *(ref.name for ref in states))
    name = call.module.split("@")[0]  # "cell@1" in the second step
    to.nodes.append(Node(f"{kind}Cell", name, inputs, call.outputs, attributes))


def _check(call: Call) -> None:
    if "data" in call.arguments:
        raise UnspoolError(
            "reads a packed sequence; export the model with padded ones of one length"
        )
    if call.get("train", False) and call.get("dropout", 0):  # without, training mode is the same
        raise UnspoolError("was exported in training mode; call model.eval() before the export")


def _layer(
    to: Translation,
    x: str,
    layer: Sequence[Sequence[Ref]],
    starts: list[str],
    kind: tuple[str, str],
) -> list[str]:
    """One layer of one direction or two: its sequence, (time, batch, features), and states."""
    op, activation = kind
    weights = [[_ordered(to, part, op, which) for part in layer] for which in (0, 1, 2)]
    kernel, recurrent_kernel, bias = (
        to.constant(np.stack(parts)) if parts[0].size else "" for parts in weights
    )
    attributes = {
        "hidden_size": to.constants[recurrent_kernel].shape[-1],
        "direction": "bidirectional" if len(layer) == 2 else "forward",
        "linear_before_reset": 1,
    }
    if activation:
        attributes["activations"] = [activation] * len(layer)
    inputs = [x, kernel, recurrent_kernel, bias, "", *starts]
    y, *finals = to.several(op, inputs, 1 + len(starts), attributes)
    apart = to.add("Transpose", [y], perm=[0, 2, 1, 3])
    joined = to.constant(np.array([0, 0, -1], np.int64))
    return [to.add("Reshape", [apart, joined]), *finals]


def _ordered(to: Translation, part: Sequence[Ref], op: str, which: int) -> np.ndarray:
    """The kernel, the recurrent kernel or both biases of a direction, gates as ONNX has them."""
    refs = part[which : which + 1] if which < 2 else part[2:]
    if not refs:
        return np.zeros(0, np.float32)
    return np.concatenate([ordered(op, to.constants[ref.name]) for ref in refs])


def _layers(call: Call, directions: int) -> list[list[list[Ref]]]:
    """The weights of each layer, of each direction."""
    size = 4 if call.get("has_biases", True) else 2
    parts = [call["params"][n : n + size] for n in range(0, len(call["params"]), size)]
    layers = [parts[n : n + directions] for n in range(0, len(parts), directions)]
    if len(layers) != call["num_layers"] or len(parts[-1]) != size:
        raise UnspoolError(
            "has projections (proj_size), which have no form on the NPU; train without them"
        )
    return layers
