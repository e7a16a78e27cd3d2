"""Values of an ONNX graph as Keras tensors: which axis is which, and no layer before it is needed.

A Keras tensor has the batch in front and, behind it, the axes in the order that Keras's layers
take; an ONNX value has them in any order, with axes of size one anywhere. Transpose, Squeeze,
Unsqueeze and most Reshapes change the account of the axes alone: a layer is made where somebody
needs them in an order that the tensor does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.graph import maker
from unspool.support._tensorflow import keras

_MOST_PIECES = 4096
"""Values that are known as pieces of one: joined with itself again and again, it has no end."""


@dataclass(frozen=True)
class Value:
    """An ONNX value, of a batch of one.

    Attributes:
        tensor: Keras's, (None, ...).
        dims: the sizes, without those of one, that its elements are looked at with; their product
            is the tensor's, in the same order.
        axes: for each of ONNX's axes its position in `dims`; None where its size is one.
        along: one of ONNX's axes, of which pieces are known to be values of their own.
        pieces: these, from where on and the value.
    """

    tensor: Any
    dims: tuple[int, ...]
    axes: tuple[int | None, ...]
    along: int = 0
    pieces: tuple[tuple[int, "Value"], ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """As ONNX has it."""
        return tuple(1 if axis is None else self.dims[axis] for axis in self.axes)

    def like(self, tensor: Any) -> "Value":
        """A tensor of the same elements' order in this one's place."""
        return Value(tensor, self.dims, self.axes)


def laid_out(tensor: Any, order: Sequence[int], rank: int) -> Value:
    """The value that a Keras tensor is.

    Args:
        tensor: (None, ...).
        order: for each of the tensor's axes behind the batch, the axis of ONNX that it is.
        rank: how many axes ONNX has; those that are not in `order` are of size one.
    """
    sizes = tuple(tensor.shape[1:])
    axes: list[int | None] = [None] * rank
    place = 0
    for axis, size in zip(order, sizes, strict=True):
        if size != 1:
            axes[axis] = place
            place += 1
    return Value(tensor, tuple(size for size in sizes if size != 1), tuple(axes))


def arranged(value: Value, order: Sequence[int]) -> Any:
    """A Keras tensor, (None, ...), with these of ONNX's axes in this order.

    Raises:
        UnspoolError: another axis is not of size one.
    """
    missing_axes = [
        axis for axis, place in enumerate(value.axes) if place is not None and axis not in order
    ]
    if missing_axes:
        raise UnspoolError(
            f"axis {missing_axes[0]} of {value.shape} has {value.shape[missing_axes[0]]} entries "
            "where a batch of one is expected"
        )
    sizes = tuple(value.shape[axis] for axis in order)
    places = [value.axes[axis] for axis in order if value.axes[axis] is not None]
    tensor = value.tensor
    if places != sorted(places):  # type: ignore[type-var]
        tensor = reshaped(tensor, value.dims)
        tensor = keras.layers.Permute([place + 1 for place in places])(tensor)  # type: ignore[operator]
    return reshaped(tensor, sizes)


def reshaped(tensor: Any, sizes: tuple[int, ...]) -> Any:
    """A tensor with other sizes behind the batch, by a layer if they are others."""
    history = getattr(tensor, "_keras_history", None)
    if history and isinstance(history.operation, keras.layers.Reshape):  # in place of this one
        tensor = maker(tensor).input_tensors[0]
    if tuple(tensor.shape[1:]) == sizes:
        return tensor
    # A first axis that may be opened again.
    keeps_first_axis = len(sizes) > 1 and len(tensor.shape) > 2 and tensor.shape[1] == sizes[0]
    return keras.layers.Reshape((-1, *sizes[1:]) if keeps_first_axis else sizes)(tensor)


def natural_order(value: Value) -> list[int]:
    """ONNX's axes of more than one entry (or the last one), in the order the tensor has them."""
    places = [(place, axis) for axis, place in enumerate(value.axes) if place is not None]
    return [axis for _, axis in sorted(places)] or list(range(len(value.axes)))[-1:]


def deeper(value: Value, rank: int) -> Value:
    """The same with axes of one entry in front, as ONNX broadcasts."""
    axes = (None,) * (rank - len(value.axes)) + value.axes
    return Value(value.tensor, value.dims, axes)


def transposed(value: Value, permutation: Sequence[int]) -> Value:
    """ONNX's Transpose."""
    return Value(
        value.tensor,
        value.dims,
        tuple(value.axes[axis] for axis in permutation),
        list(permutation).index(value.along) if value.pieces else 0,
        tuple((start, transposed(piece, permutation)) for start, piece in value.pieces),
    )


def with_shape(value: Value, shape: Sequence[int]) -> Value:
    """ONNX's Reshape, with no size left open."""
    if prod(shape) != prod(value.dims):
        raise UnspoolError(f"{value.shape} does not go into {tuple(shape)}")
    places = [place for place in value.axes if place is not None]
    sizes = tuple(size for size in shape if size != 1)
    if [value.dims[place] for place in places] == list(sizes):
        positions = iter(places)
        axes = tuple(None if size == 1 else next(positions) for size in shape)
        return _with_axes(value, axes, shape)
    regrouped = _regrouped(value.dims, places, sizes)
    if regrouped is None:
        flat = arranged(value, list(range(len(value.axes))))
        regrouped = sizes, list(range(len(sizes)))
        value = replace(value, tensor=flat)
    dims, new = regrouped
    positions = iter(new)
    return Value(
        value.tensor, dims, tuple(None if size == 1 else next(positions) for size in shape)
    )


def _with_axes(value: Value, axes: tuple[int | None, ...], shape: Sequence[int]) -> Value:
    """The same where axes of one entry came or went, and so its pieces."""
    place = value.axes[value.along] if value.pieces else None
    if place is None:
        return Value(value.tensor, value.dims, axes)
    along = axes.index(place)
    pieces = tuple(
        (start, with_shape(piece, [*shape[:along], piece.shape[value.along], *shape[along + 1 :]]))
        for start, piece in value.pieces
    )
    return Value(value.tensor, value.dims, axes, along, pieces)


def _regrouped(
    dims: Sequence[int], places: Sequence[int], sizes: Sequence[int]
) -> tuple[tuple[int, ...], list[int]] | None:
    """`dims` and places of new sizes where axes that are split or joined lie side by side."""
    pieces: dict[int, tuple[int, ...]] = {}  # first of the old places -> the new sizes
    old, new = list(places), list(sizes)
    starts = []
    while old:
        took, gave = [old.pop(0)], [new.pop(0)]
        while (has := prod(dims[place] for place in took)) != prod(gave):
            if has < prod(gave):
                took.append(old.pop(0))
            else:
                gave.append(new.pop(0))
        if took != list(range(took[0], took[0] + len(took))):
            return None
        pieces[took[0]] = tuple(gave)
        starts.append(took[0])
    offsets, total = {}, 0
    for start in sorted(pieces):
        offsets[start] = total
        total += len(pieces[start])
    joined = tuple(size for start in sorted(pieces) for size in pieces[start])
    return joined, [offsets[start] + n for start in starts for n in range(len(pieces[start]))]


def joined(parts: Sequence[Value], axis: int) -> Value:
    """ONNX's Concat."""
    rank = len(parts[0].axes)
    lead = max(parts, key=lambda part: len(part.dims))
    order = natural_order(lead)
    if axis not in order:
        order = sorted((*order, axis)) if order == sorted(order) else [axis, *order]
    tensors = [arranged(part, order) for part in parts]
    whole = laid_out(keras.layers.Concatenate(axis=order.index(axis) + 1)(tensors), order, rank)
    if sum(map(_count, parts)) > _MOST_PIECES:
        return whole
    starts = accumulate((part.shape[axis] for part in parts), initial=0)
    return replace(whole, along=axis, pieces=tuple(zip(starts, parts, strict=False)))


def _count(value: Value) -> int:
    """How many values are known of one: itself, its pieces, and theirs."""
    return 1 + sum(_count(piece) for _, piece in value.pieces)


def sliced(value: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
    """Entries of one axis, as Python's ranges have them; the axis stays.

    Raises:
        UnspoolError: there are none.
    """
    size, indices = value.shape[axis], range(start, stop, step)
    if not indices:
        raise UnspoolError(f"takes no entry of axis {axis} of {value.shape}; expected some")
    if len(indices) == size and (step == 1 or size == 1):
        return value
    if step < 0:  # the NPU flips, but takes nothing backwards
        forward = indices[::-1]
        return _flipped(sliced(value, axis, forward.start, forward.stop, forward.step), axis)
    for first, piece in value.pieces if axis == value.along and step == 1 else ():
        if first <= start and stop <= first + piece.shape[axis]:
            return sliced(piece, axis, start - first, stop - first)
    order = natural_order(value)
    tensor = arranged(value, order)
    picked: list[Any] = [slice(None)] * len(tensor.shape)
    place = order.index(axis)
    if len(indices) == 1:
        picked[place + 1] = _from_the_end(indices[0], size)
        return laid_out(tensor[tuple(picked)], order[:place] + order[place + 1 :], len(value.axes))
    stop = indices[-1] + 1
    end = _from_the_end(stop, size) if stop < size else None
    picked[place + 1] = slice(_from_the_end(start, size), end, step)
    return laid_out(tensor[tuple(picked)], order, len(value.axes))


def _flipped(value: Value, axis: int) -> Value:
    if value.axes[axis] is None:
        return value
    order = natural_order(value)
    tensor = keras.ops.flip(arranged(value, order), order.index(axis) + 1)
    return laid_out(tensor, order, len(value.axes))


def _from_the_end(index: int, size: int) -> int:
    """An index counted from the nearer end: of an axis whose length is open, it means that one."""
    return index - size if 2 * index >= size else index
