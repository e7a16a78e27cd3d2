"""What layers with weights do to channels: the rows that read them, the columns that make them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from unspool.compression.units.channels import Call, Channels, Outputs, last, unknown
from unspool.compression.units.movements import is_elementwise
from unspool.frontend.activations import activation_name


def computed(name: str) -> Callable[[Channels, Call], Outputs]:
    """A layer with a kernel whose last two axes are what is read and what is computed."""

    def computed(channels: Channels, call: Call) -> Outputs:
        layer, read = call.layer, call.inputs[0].channels
        if not _is_plain(call) or layer.kernel.shape[-2] != len(read):  # groups of channels
            return unknown(channels, call)
        units = channels.units(call.owner, (*call.path, name), layer.kernel.shape[-1])
        channels.axis(layer.kernel, -2, read, is_read=True)
        return [_activated(channels, call, units, layer.kernel)]

    return computed


def _activated(channels: Channels, call: Call, units: np.ndarray, kernel: Any) -> np.ndarray:
    """What a kernel computes, with a bias, through an activation."""
    layer = call.layer
    channels.axis(kernel, -1, units)
    if layer.bias is not None:
        channels.axis(layer.bias, -1, units)
    if is_elementwise(layer.activation):
        return units
    reason = f"they go through {activation_name(layer.activation)}"  # which looks at all of them
    channels.fix(units, reason)
    count = last(call.shapes[0])  # glu gives half as many
    return units if count == len(units) else channels.fixed(count, reason)


def _is_plain(call: Call) -> bool:
    """Whether channels are the last axis, and the kernel is all that reads them."""
    is_last = getattr(call.layer, "data_format", "channels_last") == "channels_last"
    return is_last and not getattr(call.layer, "lora_enabled", False)


def embedding(channels: Channels, call: Call) -> Outputs:
    """A table with a row for each id; its columns are the units."""
    layer = call.layer
    for tensor in call.inputs:
        channels.fix(tensor.channels, f"{layer.name!r} looks them up")
    units = channels.units(call.owner, (*call.path, "output_dim"), layer.output_dim)
    channels.axis(layer.embeddings, 1, units)
    return [units]


def depthwise(channels: Channels, call: Call) -> Outputs:
    """Each channel is convolved alone."""
    layer, read = call.layer, call.inputs[0].channels
    if layer.depth_multiplier != 1 or not _is_plain(call):
        return unknown(channels, call)
    channels.axis(layer.kernel, -2, read)
    if layer.bias is not None:
        channels.axis(layer.bias, -1, read)
    if not is_elementwise(layer.activation):
        channels.fix(read, f"they go through {activation_name(layer.activation)}")
    return [read] if last(call.shapes[0]) == len(read) else unknown(channels, call)


def separable(channels: Channels, call: Call) -> Outputs:
    """Each channel is convolved alone, then all are read."""
    layer, read = call.layer, call.inputs[0].channels
    if layer.depth_multiplier != 1 or not _is_plain(call):
        return unknown(channels, call)
    channels.axis(layer.depthwise_kernel, -2, read)
    channels.axis(layer.pointwise_kernel, -2, read, is_read=True)
    units = channels.units(call.owner, (*call.path, "filters"), layer.filters)
    return [_activated(channels, call, units, layer.pointwise_kernel)]


def normalised(channels: Channels, call: Call) -> Outputs:
    """Each channel has weights of its own in each of the layer's variables."""
    layer, read = call.layer, call.inputs[0].channels
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    if [axis % len(call.inputs[0].shape) for axis in axes] != [len(call.inputs[0].shape) - 1]:
        return unknown(channels, call)
    for weight in layer.weights:
        if tuple(weight.shape) == (len(read),):
            channels.axis(weight, 0, read)
    return [read]
