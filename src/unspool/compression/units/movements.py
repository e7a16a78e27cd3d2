"""What layers without weights do to channels: keep, join, concatenate and move them."""

from typing import Any

import numpy as np

from unspool.compression.units.channels import Call, Channels, Outputs, last, unknown
from unspool.frontend.activations import activation_name
from unspool.support._tensorflow import keras


def unchanged(channels: Channels, call: Call) -> Outputs:
    """Every output has the input's channels."""
    if any(last(shape) != len(call.inputs[0].channels) for shape in call.shapes):
        return unknown(channels, call)
    return [call.inputs[0].channels for _ in call.shapes]


def elementwise(channels: Channels, call: Call) -> Outputs:
    """Sums and the like: channels at one place are one, where they are not spread over others."""
    count = last(call.shapes[0])
    if _has_constants(call):
        return unknown(channels, call)
    whole = [tensor.channels for tensor in call.inputs if len(tensor.channels) == count]
    for tensor in call.inputs:
        if len(tensor.channels) != count:
            channels.fix(tensor.channels, f"{call.owner.name!r} spreads them over others")
    for other in whole[1:]:
        channels.join(whole[0], other)
    return [whole[0]]


def _has_constants(call: Call) -> bool:
    """Whether a function was given arrays of numbers, which may have channels."""
    if call.arguments is None:
        return False
    arguments = keras.tree.flatten((call.arguments.args, call.arguments.kwargs))
    return any(np.size(value) > 1 for value in arguments if not _is_symbolic(value))


def _is_symbolic(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor | str | bytes)


def concatenated(channels: Channels, call: Call) -> Outputs:
    """Channels side by side; along another axis, those at one place are one."""
    rank = len(call.shapes[0])
    if call.layer.axis % rank == rank - 1:
        return [np.concatenate([tensor.channels for tensor in call.inputs])]
    return elementwise(channels, call)


def flattened(channels: Channels, call: Call) -> Outputs:
    """The channels of each step, one step behind the other."""
    read, count = call.inputs[0].channels, last(call.shapes[0])
    is_last = getattr(call.layer, "data_format", "channels_last") == "channels_last"
    if not is_last or len(read) == 0 or count % len(read) or not count:
        return unknown(channels, call)
    return [np.tile(read, count // len(read))]


def reshaped(channels: Channels, call: Call) -> Outputs:
    """Last axes that become one, and nothing else."""
    before, after = call.inputs[0].shape[1:], call.shapes[0][1:]
    merged = len(before) - len(after) + 1
    simple = merged >= 1 and None not in before[-merged:]
    if not simple or before[: len(before) - merged] != after[:-1]:
        return unknown(channels, call)
    outputs = flattened(channels, call)
    channels.width(call.owner, (*call.path, "target_shape", len(after) - 1), outputs[0])
    return outputs


def sliced(channels: Channels, call: Call) -> Outputs:
    """A part of the steps, with all channels."""
    key = call.arguments.args[1] if len(call.arguments.args) > 1 else None
    keys = key if isinstance(key, tuple) else (key,)
    if not all(part is None or isinstance(part, int | slice) for part in keys):
        return unknown(channels, call)
    leaves_last = len(keys) < len(call.inputs[0].shape) or keys[-1] == slice(None)
    if not leaves_last or not call.shapes[0][1:]:
        return unknown(channels, call)
    return unchanged(channels, call)


def pooled(channels: Channels, call: Call) -> Outputs:
    """Every channel alone, over time or space."""
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        return unknown(channels, call)
    return unchanged(channels, call)


def activation(channels: Channels, call: Call) -> Outputs:
    """A function of each value."""
    if not is_elementwise(call.layer.activation):
        return unknown(channels, call)
    return unchanged(channels, call)


def is_elementwise(function: Any) -> bool:
    """Whether an activation, None for none, is known to look at each value alone."""
    return function is None or activation_name(function) in _ELEMENTWISE


_ELEMENTWISE = {
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6"),
    *("selu", "sigmoid", "silu", "soft_shrink", "softplus", "softsign", "squareplus", "swish"),
    *("tanh", "tanh_shrink", "threshold"),
}
