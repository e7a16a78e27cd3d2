"""ATen's layers with weights or windows, by ONNX's operators."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.torch.program import Call
from unspool.frontend.torch.translation import Translation

Translate: TypeAlias = Callable[[Call, Translation], Any]


def linear(call: Call, to: Translation) -> None:
    """nn.Linear."""
    refs = [call["input"].name, call["weight"].name]
    bias = call.get("bias")
    to.add("Gemm", [*refs, *([bias.name] if bias else [])], call.outputs[0], transB=1)


def conv(call: Call, to: Translation) -> None:
    """A convolution, or a transposed one."""
    kernel = to.constants.get(call["weight"].name)
    if kernel is None:
        raise UnspoolError(
            f"has weights {call['weight'].name!r} that are computed; export the model as .onnx, or "
            "with weights that are stored"
        )
    count = kernel.ndim - 2
    padding = call.get("padding", 0)
    if isinstance(padding, str):
        attributes: dict[str, Any] = {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[padding]}
    else:
        attributes = {"pads": _each(padding, count) * 2}
    bias = call.get("bias")
    op = "ConvTranspose" if "transpose" in call.target else "Conv"
    if op == "ConvTranspose":
        attributes["output_padding"] = _each(call.get("output_padding", 0), count)
    to.add(
        op,
        [call["input"].name, call["weight"].name, *([bias.name] if bias else [])],
        call.outputs[0],
        strides=_each(call.get("stride", 1), count),
        dilations=_each(call.get("dilation", 1), count),
        group=call.get("groups", 1),
        kernel_shape=list(kernel.shape[2:]),
        **attributes,
    )


def _each(value: int | Sequence[int], count: int) -> list[int]:
    """A number for each axis, of one for all or of a list of one."""
    values = [value] if isinstance(value, int) else list(value)
    return values * count if len(values) == 1 else values


def pool(op: str, count: int) -> Translate:
    """A pooling over windows in so many dimensions."""

    def translate(call: Call, to: Translation) -> None:
        kernel = _each(call["kernel_size"], count)
        if call.get("divisor_override"):
            raise UnspoolError(
                f"divides by divisor_override={call['divisor_override']}, which has no form; leave "
                "it out"
            )
        to.add(
            op,
            [call["self"].name],
            call.outputs[0],
            kernel_shape=kernel,
            strides=_each(call.get("stride") or kernel, count),
            pads=_each(call.get("padding", 0), count) * 2,
            dilations=_each(call.get("dilation", 1), count),
            ceil_mode=int(call.get("ceil_mode", False)),
            count_include_pad=int(call.get("count_include_pad", op == "AveragePool")),
        )

    return translate


def global_pool(op: str) -> Translate:
    """An adaptive pooling to one value for each channel."""

    def translate(call: Call, to: Translation) -> None:
        if set(call["output_size"]) != {1}:
            raise UnspoolError(f"pools to {call['output_size']}; expected 1, or a plain pool")
        to.add(op, [call["self"].name], call.outputs[0])

    return translate


def nearest(call: Call, to: Translation) -> None:
    """nn.Upsample, or functional.interpolate, to the nearest entry."""
    before, after = to.shapes[call["input"].name], to.shapes[call.outputs[0]]
    scales = to.constant(np.divide(after, before).astype(np.float32))
    attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    inputs = [call["input"].name, "", scales]
    to.add("Resize", inputs, call.outputs[0], mode="nearest", **attributes)


def batch_norm(call: Call, to: Translation) -> None:
    """nn.BatchNorm in inference form."""
    if call.get("training", False):
        raise UnspoolError("was exported in training mode; call model.eval() before the export")
    mean, variance = (call[name].name for name in ("running_mean", "running_var"))
    names = [call["input"].name, *_scales(call, to, to.constants[mean].shape), mean, variance]
    to.add("BatchNormalization", names, call.outputs[0], epsilon=call.get("eps", 1e-5))


def _scales(call: Call, to: Translation, shape: Sequence[int]) -> list[str]:
    """The weight and the bias of a normalization, ones and zeros where it has none."""
    pairs = zip((call.get("weight"), call.get("bias")), (np.ones, np.zeros), strict=True)
    return [ref.name if ref else to.constant(make(shape, np.float32)) for ref, make in pairs]


def layer_norm(call: Call, to: Translation) -> None:
    """nn.LayerNorm."""
    shape = call["normalized_shape"]
    names = [call["input"].name, *_scales(call, to, shape)]
    epsilon = call.get("eps", 1e-5)
    to.add("LayerNormalization", names, call.outputs[0], axis=-len(shape), epsilon=epsilon)


def group_norm(call: Call, to: Translation) -> None:
    """nn.GroupNorm."""
    channels = to.shapes[call["input"].name][1]
    names = [call["input"].name, *_scales(call, to, [channels])]
    groups, epsilon = call["num_groups"], call.get("eps", 1e-5)
    to.add("GroupNormalization", names, call.outputs[0], num_groups=groups, epsilon=epsilon)


def instance_norm(call: Call, to: Translation) -> None:
    """nn.InstanceNorm."""
    if not call.get("use_input_stats", True):
        batch_norm(call, to)
        return
    channels = to.shapes[call["input"].name][1]
    names = [call["input"].name, *_scales(call, to, [channels])]
    to.add("InstanceNormalization", names, call.outputs[0], epsilon=call.get("eps", 1e-5))


def extreme(op: str) -> Translate:
    """The largest or the smallest entries along an axis, without their places."""

    def translate(call: Call, to: Translation) -> None:
        if call.outputs[1] in to.read:
            raise UnspoolError("gives the places of what it finds, too, which have no form")
        axes = to.constant(np.array([call["dim"]], np.int64))
        keeps = int(call.get("keepdim", False))
        to.add(op, [call["self"].name, axes], call.outputs[0], keepdims=keeps)

    return translate


def glu(call: Call, to: Translation) -> None:
    """One half of an axis by the sigmoid of the other."""
    name = call["self"].name
    axis = call.get("dim", -1) % len(to.shapes[name])
    half = to.shapes[name][axis] // 2
    value, gate = (to.piece(name, axis, start, half) for start in (0, half))
    to.add("Mul", [value, to.add("Sigmoid", [gate])], call.outputs[0])


def embedding(call: Call, to: Translation) -> None:
    """A lookup of rows."""
    to.add("Gather", [call["weight"].name, call["indices"].name], call.outputs[0], axis=0)


def prelu(call: Call, to: Translation) -> None:
    """PyTorch has a slope for each channel, the axis behind the batch; ONNX for the last axes."""
    slopes, rank = to.constants[call["weight"].name], len(to.shapes[call["self"].name])
    behind = slopes.reshape((-1, *[1] * max(rank - 2, 0)))
    to.add("PRelu", [call["self"].name, to.constant(behind)], call.outputs[0])
