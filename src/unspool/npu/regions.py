"""One memory region, for a whole batch of samples.

Every byte of a region is either the same for all samples (weights, tables, whatever does not
depend on the input) or has one value per sample. A mask says which, so that constants are kept
and computed once however large the batch is. Arrays that hold uniform values have a batch axis
of 1, which NumPy broadcasts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Piece:
    """A part of a feature map that one strided view covers.

    Attributes:
        where: its rows, columns and channels in the feature map.
        offset: bytes from the start of the region.
        shape: (h, w, c) or, for bricks, (h, w, c // 16, 16).
        strides: in bytes, of each axis.
    """

    where: tuple[slice, slice, slice]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Region:
    """One memory region.

    Attributes:
        name: for people.
        size: bytes that each sample has.
        writable: whether operations may write to it.
        base: the bytes that are the same for all samples.
        rows: the bytes of each sample, (batch, size).
        uniform: whether a byte is in `base`, else in `rows`.
    """

    def __init__(self, name: str, base: bytes | int, batch: int) -> None:
        if isinstance(base, bytes):  # read only
            self.base = np.frombuffer(base, np.uint8)
            self.rows = np.empty((0, 0), np.uint8)
        else:
            self.base = np.zeros(base, np.uint8)
            self.rows = np.empty((batch, base), np.uint8)
        self.writable = not isinstance(base, bytes)
        self.name = name
        self.size = len(self.base)
        self.uniform = np.ones(self.size, np.bool_)

    def check(self, low: int, high: int, what: str) -> None:
        """Check that `what`, which goes from `low` to `high`, lies in the region.

        Raises:
            UnspoolError: it does not.
        """
        if not 0 <= low <= high <= self.size:
            raise UnspoolError(
                f"{what} is at bytes {low} to {high}, outside the {self.size} bytes of {self.name}"
            )

    def _views(self, piece: Piece, dtype: str, *inner: int) -> tuple[Array, Array]:
        """(base, rows) of a piece; `inner` is the size of a last axis of adjacent elements."""
        shape, strides = piece.shape + inner, piece.strides + (1,) * len(inner)
        base: Array = np.ndarray(shape, dtype, self.base.data, piece.offset, strides)
        rows: Array = np.empty(0)
        if self.writable:
            every = (len(self.rows), *shape)
            rows = np.ndarray(every, dtype, self.rows.data, piece.offset, (self.size, *strides))
        return base, rows

    def _mask(self, piece: Piece, item: int) -> Array:
        """Which bytes of a piece are uniform: the shape of the piece, then `item`."""
        shape, strides = (*piece.shape, item), (*piece.strides, 1)
        mask: Array = np.ndarray(shape, np.bool_, self.uniform.data, piece.offset, strides)
        return mask

    def read(self, piece: Piece, dtype: str) -> Array:
        """The elements of a piece, with a batch axis of 1 where they are uniform. A view."""
        item = np.dtype(dtype).itemsize
        base, rows = self._views(piece, dtype)
        uniform = self._mask(piece, item)
        if uniform.all():
            return base[None]
        if uniform.any():
            # Not the bytes between and behind the elements: weights there have to stay uniform.
            constant, varying = self._views(piece, "u1", item)
            np.copyto(varying, constant, where=uniform)
            uniform[...] = False
        return rows

    def spread(self, low: int, high: int) -> None:
        """Give every sample its own copy of the uniform bytes from `low` to `high`."""
        part = slice(low, high)
        np.copyto(self.rows[:, part], self.base[part], where=self.uniform[part])
        self.uniform[part] = False

    def write(self, piece: Piece, dtype: str, values: Array) -> None:
        """Write a piece; `values` has a batch axis of 1 or of the batch."""
        base, rows = self._views(piece, dtype)
        same = len(values) == 1
        if same:
            base[...] = values[0]
        else:
            rows[...] = values
        self._mask(piece, np.dtype(dtype).itemsize)[...] = same
