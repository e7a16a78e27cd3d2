"""ATen's operators that move values about, by ONNX's."""

from collections.abc import Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.torch.aten_layers import Translate
from unspool.frontend.torch.program import Call
from unspool.frontend.torch.translation import Translation

_END = np.iinfo(np.int64).max


def _list(to: Translation, values: Sequence[int]) -> str:
    return to.constant(np.array(values, np.int64))


def _select(call: Call, to: Translation) -> None:
    index = to.constant(np.int64(call["index"]))
    to.add("Gather", [call["self"].name, index], call.outputs[0], axis=call["dim"])


def _slice(call: Call, to: Translation) -> None:
    bounds = [call.get("start", 0), call.get("end", _END), call.get("dim", 0), call.get("step", 1)]
    to.add("Slice", [call["self"].name, *(_list(to, [n]) for n in bounds)], call.outputs[0])


def _unsqueeze(call: Call, to: Translation) -> None:
    to.add("Unsqueeze", [call["self"].name, _list(to, [call["dim"]])], call.outputs[0])


def _squeeze(call: Call, to: Translation) -> None:
    axes = call.get("dim")
    listed = [] if axes is None else [axes] if isinstance(axes, int) else axes
    more = [_list(to, listed)] if listed else []
    to.add("Squeeze", [call["self"].name, *more], call.outputs[0])


def _reshape(call: Call, to: Translation) -> None:
    shape = call.get("size") or call.get("shape")
    to.add("Reshape", [call["self"].name, _list(to, shape)], call.outputs[0], allowzero=1)


def _flatten(call: Call, to: Translation) -> None:
    shape = list(to.shapes[call["self"].name])
    first, last = (
        call.get(name, usual) % len(shape) for name, usual in (("start_dim", 0), ("end_dim", -1))
    )
    joined = [*([0] * first), -1, *shape[last + 1 :]]
    to.add("Reshape", [call["self"].name, _list(to, joined)], call.outputs[0])


def _permute(call: Call, to: Translation) -> None:
    rank = len(call["dims"])
    order = [axis % rank for axis in call["dims"]]
    to.add("Transpose", [call["self"].name], call.outputs[0], perm=order)


def _transpose(call: Call, to: Translation) -> None:
    rank = len(to.shapes[call["self"].name])
    order = list(range(rank))
    names = ("axis0", "axis1") if call.target == "swapaxes" else ("dim0", "dim1")
    first, second = (call.get(name, usual) % rank for usual, name in enumerate(names))
    order[first], order[second] = second, first
    to.add("Transpose", [call["self"].name], call.outputs[0], perm=order)


def _swapped(call: Call, to: Translation) -> None:
    """The last two axes in each other's place."""
    rank = len(to.shapes[call["self"].name])
    order = [*range(rank - 2), rank - 1, rank - 2]
    to.add("Transpose", [call["self"].name], call.outputs[0], perm=order)


def _move(call: Call, to: Translation) -> None:
    rank = len(to.shapes[call["self"].name])
    source, place = call["source"] % rank, call["destination"] % rank
    order = [axis for axis in range(rank) if axis != source]
    order.insert(place, source)
    to.add("Transpose", [call["self"].name], call.outputs[0], perm=order)


def _unflatten(call: Call, to: Translation) -> None:
    shape = to.shapes[call["self"].name]
    axis = call["dim"] % len(shape)
    apart = [*([0] * axis), *call["sizes"], *shape[axis + 1 :]]
    to.add("Reshape", [call["self"].name, _list(to, apart)], call.outputs[0])


def _narrow(call: Call, to: Translation) -> None:
    start, axis = call["start"], call["dim"]
    bounds = [_list(to, [n]) for n in (start, start + call["length"], axis)]
    to.add("Slice", [call["self"].name, *bounds], call.outputs[0])


def _concatenate(call: Call, to: Translation) -> None:
    to.add(
        "Concat", [ref.name for ref in call["tensors"]], call.outputs[0], axis=call.get("dim", 0)
    )


def _stack(call: Call, to: Translation) -> None:
    axis = call.get("dim", 0)
    apart = [to.add("Unsqueeze", [ref.name, _list(to, [axis])]) for ref in call["tensors"]]
    to.add("Concat", apart, call.outputs[0], axis=axis)


def _split(call: Call, to: Translation) -> None:
    axis = call.get("dim", 0)
    shape = to.shapes[call["self"].name]
    size = shape[axis]
    if call.target == "chunk":
        sizes = -(-size // call["chunks"])
    else:
        sizes = call.get("split_sizes") or call["split_size"]
    if isinstance(sizes, int):
        starts = range(0, size, sizes)
        sizes = [min(sizes, size - start) for start in starts[: len(call.outputs) + 1]]
    if len(sizes) != len(call.outputs):
        raise UnspoolError(f"gives {len(call.outputs)} parts of {shape}, which are not all")
    start = 0
    for name, length in zip(call.outputs, sizes, strict=True):
        bounds = [_list(to, [n]) for n in (start, start + length, axis)]
        to.add("Slice", [call["self"].name, *bounds], name)
        start += length


def _flip(call: Call, to: Translation) -> None:
    name = call["self"].name
    for number, axis in enumerate(call["dims"]):
        last = number == len(call["dims"]) - 1
        bounds = [_list(to, [n]) for n in (-1, -_END, axis, -1)]
        name = to.add("Slice", [name, *bounds], call.outputs[0] if last else "")


def _unbind(call: Call, to: Translation) -> None:
    for index, name in enumerate(call.outputs):
        place = to.constant(np.int64(index))
        to.add("Gather", [call["self"].name, place], name, axis=call.get("dim", 0))


def _repeat(call: Call, to: Translation) -> None:
    counts, shape = call.get("repeats") or call["dims"], to.shapes[call["self"].name]
    counts = [*[1] * (len(shape) - len(counts)), *counts]
    padded = [*[1] * (len(counts) - len(shape)), *shape]
    wide = to.add("Reshape", [call["self"].name, _list(to, padded)])
    to.add("Tile", [wide, _list(to, counts)], call.outputs[0])


def _expand(call: Call, to: Translation) -> None:
    wanted = call["size"] if call.target == "expand" else to.shapes[call["other"].name]
    shape = [max(size, 1) for size in wanted]  # -1 keeps an axis as it is
    to.add("Expand", [call["self"].name, _list(to, shape)], call.outputs[0])


_PADS = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
"""PyTorch's modes by ONNX's names."""


def _pad(call: Call, to: Translation) -> None:
    rank = len(to.shapes[call["self"].name])
    mode = call.get("mode", "constant")
    if mode not in _PADS:
        raise UnspoolError(f"pads with mode={mode!r}; expected one of {', '.join(_PADS)}")
    pairs = [tuple(call["pad"][n : n + 2]) for n in range(0, len(call["pad"]), 2)]
    sides = [(0, 0)] * (rank - len(pairs)) + pairs[::-1]  # the last axis stands first
    pads = _list(to, [*(before for before, _ in sides), *(after for _, after in sides)])
    fill = to.constant(np.float32(call.get("value") or 0))
    to.add("Pad", [call["self"].name, pads, fill], call.outputs[0], mode=_PADS[mode])


TRANSLATIONS: dict[str, Translate] = {
    "cat": _concatenate,
    "chunk": _split,
    "constant_pad_nd": _pad,
    "expand": _expand,
    "expand_as": _expand,
    "flatten.using_ints": _flatten,
    "flip": _flip,
    "mT": _swapped,
    "movedim.int": _move,
    "narrow": _narrow,
    "pad": _pad,
    "permute": _permute,
    "repeat": _repeat,
    "reshape": _reshape,
    "select.int": _select,
    "slice.Tensor": _slice,
    "split.Tensor": _split,
    "split_with_sizes": _split,
    "squeeze": _squeeze,
    "squeeze.dim": _squeeze,
    "squeeze.dims": _squeeze,
    "stack": _stack,
    "swapaxes": _transpose,
    "t": _transpose,
    "tile": _repeat,
    "transpose.int": _transpose,
    "unbind.int": _unbind,
    "unflatten.int": _unflatten,
    "unsqueeze": _unsqueeze,
    "view": _reshape,
}
"""Operators that compute nothing -> what writes a call of one."""
