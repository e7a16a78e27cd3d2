"""What rounds tensors in programs that were quantized, or trained for it, by ONNX's pairs.

torchao leaves a call that rounds to whole numbers and one that takes them back around each tensor:
https://docs.pytorch.org/ao/stable/pt2e_quantization/pt2e_quant_ptq.html
"""

from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.torch.aten_layers import Translate
from unspool.frontend.torch.program import Call, Ref
from unspool.frontend.torch.translation import Translation


def _round(call: Call, to: Translation) -> None:
    _write_whole(call, to, call.outputs[0])


def _back(call: Call, to: Translation) -> None:
    _write_real(call, to, call["input"].name)


def _there_and_back(call: Call, to: Translation) -> None:
    """A call that training for quantization leaves where the model is not converted after it."""
    _write_real(call, to, _write_whole(call, to, ""))


def _write_whole(call: Call, to: Translation, output: str) -> str:
    """Write what rounds a tensor to whole numbers; returns their name."""
    source = call.get("input", call.get("self")).name
    scale, zero = _scale(call, to)
    low, high = int(call["quant_min"]), int(call["quant_max"])
    kind = _type(low, high)
    if source in to.constants:
        value = to.constants[source]
        step, middle = (_along(each, call, value.ndim) for each in (scale, zero))
        whole = np.clip(np.round(value / step) + middle, low, high).astype(kind)
        name = output or to.constant(whole)
        to.constants[name] = whole
        return name
    limits = np.iinfo(kind)
    narrow = (low, high) != (limits.min, limits.max)
    inputs = [source, to.constant(scale), to.constant(zero.astype(kind))]
    name = to.add("QuantizeLinear", inputs, "" if narrow else output, **_axis(call))
    if narrow:
        bounds = [to.constant(np.array(end, kind)) for end in (low, high)]
        name = to.add("Clip", [name, *bounds], output)
    return name


def _write_real(call: Call, to: Translation, source: str) -> None:
    """Write what takes whole numbers back."""
    scale, zero = _scale(call, to)
    if source in to.constants:
        whole = to.constants[source].astype(np.float32)
        step, middle = (_along(each, call, whole.ndim) for each in (scale, zero))
        to.constants[call.outputs[0]] = (whole - middle.astype(np.float32)) * step
        return
    kind = _type(int(call["quant_min"]), int(call["quant_max"]))
    inputs = [source, to.constant(scale), to.constant(zero.astype(kind))]
    to.add("DequantizeLinear", inputs, call.outputs[0], **_axis(call))


def _scale(call: Call, to: Translation) -> tuple[np.ndarray, np.ndarray]:
    """Scales and zero points: one of each, or one for each channel."""
    scale = _constant(call.get("scale", call.get("scales")), to)
    zero = _constant(call.get("zero_point", call.get("zero_points", 0)), to)
    if "axis" not in call.arguments:
        scale, zero = scale.reshape(()), zero.reshape(())
    return scale.astype(np.float32), np.round(zero).astype(np.int64)


def _constant(value: Any, to: Translation) -> np.ndarray:
    if not isinstance(value, Ref):
        return np.asarray(value)
    if value.name not in to.constants:
        raise UnspoolError(
            "has a scale that is measured on each sample; quantize with fixed ranges"
        )
    return to.constants[value.name]


def _type(low: int, high: int) -> np.dtype[Any]:
    """The smallest type that holds both ends."""
    for kind in ("uint8", "int8", "uint16", "int16", "int32"):
        limits = np.iinfo(kind)
        if limits.min <= low < high <= limits.max:
            return np.dtype(kind)
    raise UnspoolError(f"rounds to whole numbers from {low} to {high}; expected 8 or 16 bits")


def _axis(call: Call) -> dict[str, int]:
    return {"axis": call["axis"]} if "axis" in call.arguments else {}


def _along(each: np.ndarray, call: Call, rank: int) -> np.ndarray:
    """One number, or one for each channel in the shape of a tensor of so many axes."""
    if each.ndim == 0:
        return each
    shape = [1] * rank
    shape[call["axis"]] = -1
    return each.reshape(shape)


def _measured(call: Call, to: Translation) -> None:
    raise UnspoolError(
        "measures the range of each sample while it runs, which the NPU does not; quantize with "
        "fixed ranges (is_dynamic=False), or export the model in floats"
    )


_FORMS = ("", ".tensor", ".tensor2")

TRANSLATIONS: dict[str, Translate] = {
    **{f"quantized_decomposed.quantize_per_tensor{form}": _round for form in _FORMS},
    **{f"quantized_decomposed.dequantize_per_tensor{form}": _back for form in _FORMS},
    "quantized_decomposed.quantize_per_channel": _round,
    "quantized_decomposed.dequantize_per_channel": _back,
    "quantized_decomposed.fake_quant_per_channel": _there_and_back,
    "fake_quantize_per_channel_affine": _there_and_back,
    "fake_quantize_per_tensor_affine": _there_and_back,
    "fake_quantize_per_tensor_affine.tensor_qparams": _there_and_back,
}
"""Operators that round, or take whole numbers back -> what writes a call of one."""

REFUSED: dict[str, Translate] = {
    f"quantized_decomposed.choose_qparams{form}.tensor": _measured for form in ("", "_symmetric")
}
"""Operators that have no form, of which more is known than that."""
